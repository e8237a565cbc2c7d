//! Programs that are none are errors, and never half a trace.

use rondel_conformance::{Program, run};

/// What is wrong with a program of this main, written in JSON.
fn mistake(main: &str) -> String {
    let objects = r#"{"l": ["lock", null], "f": ["future", null]}"#;
    let program = format!(r#"{{"name": "x", "objects": {objects}, "main": {main}}}"#);
    match serde_json::from_str::<Program>(&program) {
        Err(error) => error.to_string(),
        Ok(program) => run(program).expect_err("the program is wrong").to_string(),
    }
}

#[test]
fn what_is_no_operation_is_refused() {
    for (main, wrong) in [
        (r#"[["dance"]]"#, "unknown operation `dance`"),
        (r#"[["sleep"]]"#, "`sleep` needs more arguments"),
        (r#"[["sleep", 1, 2]]"#, "`sleep` does not take 2"),
        (
            r#"[["wait", ["f"], "SOON", null]]"#,
            r#"`wait` does not know "SOON""#,
        ),
        (
            r#"[["call_soon", "s", [["sleep", 1]]]]"#,
            "not allowed in a callback",
        ),
    ] {
        let found = mistake(main);
        assert!(found.contains(wrong), "{found}");
    }
}

#[test]
fn a_thing_of_the_wrong_kind_makes_the_program_impossible() {
    let found = mistake(r#"[["try", [["await", "l"]], {"error": []}, null]]"#);
    assert!(found.starts_with("cannot run `x`: `l` is no "), "{found}");
}
