//! Growth: what an item of a workload costs among many, as a multiple of what it costs among few.

use super::Measured;

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;

/// Measures an item among a thousand and then at once among a million, and gives the second figure divided by the first.
///
/// It is near 1 where the whole is linear, but for what misses the caches, and near 1,000 where it is quadratic.
///
/// # Errors
/// When the item cannot be measured.
pub fn of(cost: impl Fn(usize) -> Measured) -> Measured {
    let among_few = cost(FEW)?;
    Ok(cost(MANY)? / among_few)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_cost_is_no_growth() {
        assert_eq!(of(|_| Ok(20.0)), Ok(1.0));
    }

    #[test]
    fn a_cost_that_grows_with_the_number_is_a_thousandfold() {
        assert_eq!(of(|number| Ok(number as f64 / 2.0)), Ok(1_000.0));
    }

    #[test]
    fn what_cannot_be_measured_is_skipped_and_says_why() {
        let no = Err("no".to_owned());
        assert_eq!(of(|_| no.clone()), no);
    }
}
