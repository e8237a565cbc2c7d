//! Makes a program smaller while it keeps what is of interest about it.
//!
//! It knows of a program only what its JSON shows: an array of arrays is a list of operations, whose arguments may be lists of operations themselves.

use serde_json::Value;

/// The smallest program that is still of interest and can be had by leaving out one thing after another.
pub(super) fn shrink(mut program: Value, mut of_interest: impl FnMut(&Value) -> bool) -> Value {
    while let Some(smaller) = edits(&program)
        .iter()
        .filter_map(|edit| edit.apply(&program))
        .find(&mut of_interest)
    {
        program = smaller;
    }
    program
}

/// One way to make a program smaller; places are JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Edit {
    /// Leaves out an item of a list.
    Item { list: String, index: usize },
    /// Puts the operations inside of an operation in its place.
    Inside { list: String, index: usize },
    /// Leaves out what has this key.
    Key { map: String, key: String },
}

impl Edit {
    fn apply(&self, program: &Value) -> Option<Value> {
        let mut program = program.clone();
        match self {
            Edit::Item { list, index } => {
                program.pointer_mut(list)?.as_array_mut()?.remove(*index);
            }
            Edit::Inside { list, index } => {
                let list = program.pointer_mut(list)?.as_array_mut()?;
                let inside: Vec<Value> = arguments(&list[*index])
                    .filter(|argument| is_ops(argument))
                    .filter_map(Value::as_array)
                    .flatten()
                    .cloned()
                    .collect();
                list.splice(index..=index, inside);
            }
            Edit::Key { map, key } => {
                program.pointer_mut(map)?.as_object_mut()?.remove(key);
            }
        }
        Some(program)
    }
}

/// All ways to make a program smaller, what leaves out most first.
fn edits(program: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    for map in ["/coros", "/objects"] {
        keys(program, map, &mut edits);
    }
    let mut lists = vec!["/main".to_owned()];
    let coros = program["coros"].as_object().into_iter().flatten();
    lists.extend(coros.map(|(name, _)| format!("/coros/{name}")));
    // A list of lists in a list comes behind the list that it is in.
    let mut next = 0;
    while let Some(list) = lists.get(next).cloned() {
        next += 1;
        let ops = program.pointer(&list).and_then(Value::as_array);
        for (index, op) in ops.into_iter().flatten().enumerate() {
            edits.push(Edit::Item {
                list: list.clone(),
                index,
            });
            inside(op, &list, index, &mut lists, &mut edits);
        }
    }
    items(program, "/report", &mut edits);
    edits
}

/// The edits of what is inside an operation; its lists of operations are to be looked at later.
fn inside(op: &Value, list: &str, index: usize, lists: &mut Vec<String>, edits: &mut Vec<Edit>) {
    for (place, argument) in op.as_array().into_iter().flatten().enumerate().skip(1) {
        let pointer = format!("{list}/{index}/{place}");
        match argument {
            Value::Array(_) if is_ops(argument) => {
                edits.push(Edit::Inside {
                    list: list.to_owned(),
                    index,
                });
                lists.push(pointer);
            }
            Value::Array(names) => {
                edits.extend((0..names.len()).map(|index| Edit::Item {
                    list: pointer.clone(),
                    index,
                }));
            }
            Value::Object(handlers) => {
                edits.extend(handlers.keys().map(|key| Edit::Key {
                    map: pointer.clone(),
                    key: key.clone(),
                }));
                lists.extend(handlers.keys().map(|key| format!("{pointer}/{key}")));
            }
            _ => {}
        }
    }
}

fn keys(program: &Value, map: &str, edits: &mut Vec<Edit>) {
    let object = program.pointer(map).and_then(Value::as_object);
    edits.extend(object.into_iter().flatten().map(|(key, _)| Edit::Key {
        map: map.to_owned(),
        key: key.clone(),
    }));
}

fn items(program: &Value, list: &str, edits: &mut Vec<Edit>) {
    let length = program
        .pointer(list)
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    edits.extend((0..length).map(|index| Edit::Item {
        list: list.to_owned(),
        index,
    }));
}

fn arguments(op: &Value) -> impl Iterator<Item = &Value> {
    op.as_array().into_iter().flatten().skip(1)
}

fn is_ops(argument: &Value) -> bool {
    argument
        .as_array()
        .is_some_and(|items| items.first().is_some_and(Value::is_array))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn program() -> Value {
        json!({
            "name": "x",
            "objects": {"f": ["future", null], "g": ["future", null]},
            "coros": {"c": [["log", "a"]], "unused": []},
            "main": [
                ["spawn", "t", "c"],
                ["try", [["timeout", 3, [["gather", ["f", "g"], false], ["sleep", 1]]]], {"error": [["log", "b"]]}, null],
            ],
            "report": ["f", "t"],
        })
    }

    #[test]
    fn what_is_of_no_interest_is_left_out() {
        let small = shrink(program(), |program| program.to_string().contains("gather"));
        let expected = json!({
            "name": "x", "objects": {}, "coros": {}, "main": [["gather", [], false]], "report": [],
        });
        assert_eq!(small, expected);
    }

    #[test]
    fn a_program_of_which_everything_matters_stays() {
        assert_eq!(
            shrink(program(), |smaller| *smaller == program()),
            program()
        );
    }

    #[test]
    fn a_block_is_kept_where_it_matters() {
        let small = shrink(program(), |program| {
            let text = program.to_string();
            text.contains("timeout") && text.contains(r#"["log","b"]"#)
        });
        let expected = json!([["try", [["timeout", 3, []]], {"error": [["log", "b"]]}, null]]);
        assert_eq!(small["main"], expected);
    }
}
