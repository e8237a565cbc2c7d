//! Building the examples of the facade, and where they are then.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the examples of the facade for the profile of the running program, beside it in the same target folder; gives the folder that they are in.
///
/// # Errors
///
/// Fails when the running program is not in a target folder, when cargo cannot be started, or when an example does not compile.
pub fn build_examples() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = ProfileFolder::of(&program).ok_or_else(|| {
        io::Error::other(format!("{} is not in a target folder", program.display()))
    })?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "rondel", "--examples"])
        .args([OsStr::new("--manifest-path"), OsStr::new(MANIFEST)])
        .args([OsStr::new("--target-dir"), folder.target.as_os_str()])
        .args([OsStr::new("--profile"), folder.profile()])
        .status()?;
    if status.success() {
        Ok(folder.examples())
    } else {
        Err(io::Error::other("the examples of rondel do not build"))
    }
}

/// The manifest of the workspace.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");

/// The folder of one profile in a target folder, such as `target/debug`.
#[derive(Debug, PartialEq, Eq)]
struct ProfileFolder<'a> {
    target: &'a Path,
    name: &'a OsStr,
}

impl<'a> ProfileFolder<'a> {
    /// A program is in the folder itself, a test in its `deps`.
    fn of(program: &'a Path) -> Option<Self> {
        let folder = program.parent()?;
        let folder = if folder.file_name()? == "deps" {
            folder.parent()?
        } else {
            folder
        };
        Some(ProfileFolder {
            target: folder.parent()?,
            name: folder.file_name()?,
        })
    }

    fn profile(&self) -> &OsStr {
        if self.name == "debug" {
            OsStr::new("dev")
        } else {
            self.name
        }
    }

    fn examples(&self) -> PathBuf {
        self.target.join(self.name).join("examples")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_and_a_test_find_the_same_folder() {
        let program =
            ProfileFolder::of(Path::new("x/target/debug/xtask")).expect("it is in a target folder");
        let test = ProfileFolder::of(Path::new("x/target/debug/deps/seed_programs-1"))
            .expect("it is in a target folder");
        assert_eq!(program, test);
        assert_eq!(program.profile(), "dev");
        assert_eq!(program.examples(), Path::new("x/target/debug/examples"));
    }

    #[test]
    fn other_profiles_keep_their_name() {
        let program =
            ProfileFolder::of(Path::new("target/release/xtask")).expect("it is in a target folder");
        assert_eq!(program.profile(), "release");
    }

    #[test]
    fn a_program_elsewhere_has_no_profile() {
        assert_eq!(ProfileFolder::of(Path::new("xtask")), None);
    }
}
