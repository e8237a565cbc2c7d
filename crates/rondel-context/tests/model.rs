//! Random programs over many contexts and variables, against a naive model: a vector of ordinary maps.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rondel_context::{Context, ContextVar, Token, copy_context};
use std::collections::BTreeMap;

const VARS: usize = 6;

static VARIABLES: [ContextVar<u8>; VARS] = [const { ContextVar::new("variable") }; VARS];

/// What a program may do; contexts and tokens are named by their number, modulo how many there are.
#[derive(Clone, Debug)]
enum Operation {
    New,
    Copy {
        context: usize,
    },
    CopyFromInside {
        context: usize,
    },
    Set {
        context: usize,
        var: usize,
        value: u8,
    },
    Reset {
        context: usize,
        var: usize,
        token: usize,
    },
}

#[derive(Default)]
struct Model {
    contexts: Vec<BTreeMap<usize, u8>>,
    tokens: Vec<ModelToken>,
}

struct ModelToken {
    context: usize,
    var: usize,
    before: Option<u8>,
}

#[derive(Default)]
struct Real {
    contexts: Vec<Context>,
    tokens: Vec<Token<u8>>,
}

impl Model {
    /// Applies an operation, and answers whether it was accepted.
    fn apply(&mut self, operation: &Operation) -> bool {
        match *operation {
            Operation::New => self.contexts.push(BTreeMap::new()),
            Operation::Copy { context } | Operation::CopyFromInside { context } => {
                self.contexts
                    .push(self.contexts[context % self.contexts.len()].clone());
            }
            Operation::Set {
                context,
                var,
                value,
            } => {
                let context = context % self.contexts.len();
                let before = self.contexts[context].insert(var, value);
                self.tokens.push(ModelToken {
                    context,
                    var,
                    before,
                });
            }
            Operation::Reset {
                context,
                var,
                token,
            } => {
                if self.tokens.is_empty() {
                    return false;
                }
                let place = token % self.tokens.len();
                let token = &self.tokens[place];
                if (token.context, token.var) != (context % self.contexts.len(), var) {
                    return false;
                }
                let token = self.tokens.swap_remove(place);
                match token.before {
                    Some(before) => self.contexts[token.context].insert(var, before),
                    None => self.contexts[token.context].remove(&var),
                };
            }
        }
        true
    }
}

impl Real {
    fn apply(&mut self, operation: &Operation) -> bool {
        match *operation {
            Operation::New => self.contexts.push(Context::new()),
            Operation::Copy { context } => {
                let copy = self.context(context).copy();
                self.contexts.push(copy);
            }
            Operation::CopyFromInside { context } => {
                let copy = self.context(context).run(copy_context);
                self.contexts.push(copy);
            }
            Operation::Set {
                context,
                var,
                value,
            } => {
                let token = self.context(context).run(|| VARIABLES[var].set(value));
                self.tokens.push(token);
            }
            Operation::Reset {
                context,
                var,
                token,
            } => {
                if self.tokens.is_empty() {
                    return false;
                }
                let place = token % self.tokens.len();
                let token = self.tokens.swap_remove(place);
                if let Err(error) = self.context(context).run(|| VARIABLES[var].reset(token)) {
                    // Back to where it was, which is the end for the token that took its place.
                    self.tokens.push(error.into_token());
                    let last = self.tokens.len() - 1;
                    self.tokens.swap(place, last);
                    return false;
                }
            }
        }
        true
    }

    fn context(&self, number: usize) -> &Context {
        &self.contexts[number % self.contexts.len()]
    }

    fn view(&self) -> Vec<BTreeMap<usize, u8>> {
        self.contexts.iter().map(view).collect()
    }
}

/// Reads every variable of a context in each way there is; all have to agree.
fn view(context: &Context) -> BTreeMap<usize, u8> {
    let mut values = BTreeMap::new();
    for (number, var) in VARIABLES.iter().enumerate() {
        let value = context.get(var);
        assert_eq!(context.contains(var), value.is_some());
        assert_eq!(context.run(|| var.get()).ok(), value);
        values.extend(value.map(|value| (number, value)));
    }
    assert_eq!(context.len(), values.len());
    assert_eq!(context.is_empty(), values.is_empty());
    values
}

fn operation() -> impl Strategy<Value = Operation> {
    let context = 0..8usize;
    let set =
        (context.clone(), 0..VARS, any::<u8>()).prop_map(|(context, var, value)| Operation::Set {
            context,
            var,
            value,
        });
    let reset =
        (context.clone(), 0..VARS, 0..16usize).prop_map(|(context, var, token)| Operation::Reset {
            context,
            var,
            token,
        });
    prop_oneof![
        1 => Just(Operation::New),
        1 => context.clone().prop_map(|context| Operation::Copy { context }),
        1 => context.prop_map(|context| Operation::CopyFromInside { context }),
        12 => set,
        12 => reset,
    ]
}

#[test]
fn contexts_behave_as_ordinary_maps() {
    let config = Config {
        cases: 200,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(operation(), 0..=80), |sequence| {
            let (mut real, mut model) = (Real::default(), Model::default());
            for operation in [Operation::New].iter().chain(&sequence) {
                let answers = (real.apply(operation), model.apply(operation));
                prop_assert_eq!(answers.0, answers.1, "{:?}", operation);
                prop_assert_eq!(&real.view(), &model.contexts, "after {:?}", operation);
            }
            prop_assert!(
                copy_context().is_empty(),
                "nothing has leaked out of the contexts"
            );
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
