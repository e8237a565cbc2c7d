//! The time in a trace: seconds as C's `%g` prints them.

use std::fmt;
use std::time::Duration;

/// Six significant digits, no zeros behind the point, an exponent where the number is very large or small.
pub(crate) struct Seconds(pub(crate) Duration);

const DIGITS: i32 = 6;

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scientific = format!("{:.*e}", DIGITS as usize - 1, self.0.as_secs_f64());
        let Some((mantissa, exponent)) = scientific.split_once('e') else {
            return f.write_str(&scientific);
        };
        let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
        if (-4..DIGITS).contains(&exponent) {
            let decimals = (DIGITS - 1 - exponent) as usize;
            f.write_str(shortest(&format!("{:.decimals$}", self.0.as_secs_f64())))
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{}e{sign}{:02}", shortest(mantissa), exponent.abs())
        }
    }
}

/// The number without the zeros at the end of its decimals.
fn shortest(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_printed_as_c_does() {
        for (nanos, text) in [
            (0, "0"),
            (1, "1e-09"),
            (100_000, "0.0001"),
            (1_500_000_000, "1.5"),
            (20_000_000_000, "20"),
            (1_234_567_800_000, "1234.57"),
            (999_999_600_000_000, "1e+06"),
            (100_000_000_000_000, "100000"),
            (31_536_000_000_000_000, "3.1536e+07"),
        ] {
            assert_eq!(Seconds(Duration::from_nanos(nanos)).to_string(), text);
        }
    }
}
