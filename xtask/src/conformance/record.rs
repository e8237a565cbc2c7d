//! Keeps programs and their traces, for a test that has no CPython.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{Options, folder};

/// Writes a line for each program, compressed, into a file that is called after the options.
pub(super) fn write(
    options: &Options,
    programs: &[Value],
    traces: &[Vec<String>],
) -> Result<PathBuf, String> {
    let kind = if options.wild { "wild" } else { "random" };
    let Options { seed, size, .. } = options;
    let path = folder()
        .join("recorded")
        .join(format!("{kind}-{seed}-{size}.jsonl.gz"));
    match write_lines(&path, programs, traces) {
        Ok(()) => Ok(path),
        Err(error) => Err(format!("{} cannot be written: {error}", path.display())),
    }
}

fn write_lines(path: &Path, programs: &[Value], traces: &[Vec<String>]) -> io::Result<()> {
    let mut file = GzEncoder::new(File::create(path)?, Compression::best());
    for (program, trace) in programs.iter().zip(traces) {
        writeln!(file, "{}", json!({"program": program, "trace": trace}))?;
    }
    file.finish()?.sync_all()
}
