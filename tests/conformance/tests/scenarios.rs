//! The scenarios written by hand, each with the trace that CPython 3.13 gave.

use std::fs;
use std::path::{Path, PathBuf};

use rondel_conformance::run;

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = fs::read_dir(folder).expect("there are scenarios");
    let mut programs: Vec<PathBuf> = files
        .map(|file| file.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    programs.sort();
    programs
}

#[test]
fn scenarios_have_cpythons_traces() {
    assert!(!scenarios().is_empty());
    for path in scenarios() {
        let program = fs::read_to_string(&path).expect("the program can be read");
        let expected = fs::read_to_string(path.with_extension("trace")).expect("it has a trace");
        let program = serde_json::from_str(&program).expect("it is a program");
        let trace = run(program).expect("it can be run");
        assert_eq!(
            trace,
            expected.lines().collect::<Vec<_>>(),
            "{}",
            path.display()
        );
    }
}
