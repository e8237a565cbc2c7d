//! What a program does with arguments that it cannot go on with.

use std::fmt::Display;
use std::process::exit;
use std::time::Duration;

/// Ends the program with its usage, which was asked for.
pub(crate) fn help(usage: &str) -> ! {
    print!("{usage}");
    exit(0)
}

/// Gives the options; where they cannot be read the program ends with the complaint, its usage and status 2.
pub(crate) fn or_exit<T>(options: Result<T, impl Display>, usage: &str) -> T {
    options.unwrap_or_else(|complaint| {
        eprint!("error: {complaint}\n\n{usage}");
        exit(2)
    })
}

/// Reads a number of seconds, such as `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "no number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Reads a number that is at least 1.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("no number above 0".to_owned()),
        Ok(number) => Ok(number),
    }
}
