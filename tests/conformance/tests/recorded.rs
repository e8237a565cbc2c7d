//! Random programs with the traces that CPython 3.13 gave, as `cargo xtask conformance --record` has kept them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use rondel_conformance::{Program, run};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recorded {
    program: Program,
    trace: Vec<String>,
}

/// Runs the programs of one file, and gives how many there are.
fn replay(path: &Path) -> usize {
    let file = File::open(path).expect("the recording can be read");
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let recorded = lines.map(|line| {
        let line = line.expect("the recording can be decompressed");
        serde_json::from_str(&line).expect("it consists of programs and traces")
    });
    recorded
        .map(|Recorded { program, trace }| {
            let name = program.name().to_owned();
            let ours = run(program).expect("what CPython has run can be run");
            assert_eq!(ours, trace, "{name}");
        })
        .count()
}

#[test]
fn recorded_programs_have_cpythons_traces() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded");
    let files = fs::read_dir(folder).expect("there are recordings");
    let replayed: usize = files
        .map(|file| replay(&file.expect("the folder can be read").path()))
        .sum();
    assert!(replayed >= 2000, "only {replayed} programs are recorded");
}
