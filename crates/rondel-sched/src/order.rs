//! In which order what is ready runs: as it came, or explored by a seed.
//!
//! It is for tests: what a program does under every order, it does not owe to the order that it happens to get.
//!
//! # asyncio
//!
//! Always first in, first out; Trio leaves the order of its tasks to chance.

/// The order in which a [`Scheduler`](crate::Scheduler) runs what is ready in one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As it entered the queue.
    #[default]
    Fifo,
    /// One of many orders, the same for the same seed.
    ///
    /// In each turn the tokens, which are the tasks, are shuffled and mixed with the callbacks; callbacks keep their order among
    /// themselves, which is promised to them.
    Seeded(u64),
}

/// A source of numbers: SplitMix64, because a seed is to give the same order with every version of every library.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The high half of a product is even enough for queues, which are short against 2^64.
        let product = u128::from(self.next()) * bound as u128;
        (product >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut generator = Generator::new(1_234_567);
        let first = [(); 3].map(|()| generator.next());
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn every_number_below_the_bound_comes() {
        let mut generator = Generator::new(0);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[generator.below(5)] += 1;
        }
        assert!(
            seen.iter().all(|count| (150..250).contains(count)),
            "{seen:?}"
        );
    }
}
