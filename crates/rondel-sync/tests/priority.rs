//! Priority queues: the order of values, equal ones included, and comparisons that use the queue or panic.

mod common;

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use rondel_sync::{GetNowaitError, PriorityQueue};

/// Compares by its first field alone.
#[derive(Clone, Copy, Debug)]
struct Ranked(u8, usize);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// What CPython's `heapq` gives for the same pushes and pops.
#[test]
fn equal_values_come_out_in_cpythons_order() {
    let queue = PriorityQueue::new(0);
    let put = |ranks: &[u8], first: usize| {
        for (number, rank) in (first..).zip(ranks) {
            queue.put_nowait(Ranked(*rank, number)).unwrap();
        }
    };
    let get = || {
        queue
            .get_nowait()
            .map(|Ranked(rank, number)| (rank, number))
    };
    put(&[2, 1, 2, 1, 1, 2, 0, 1, 2, 1], 0);
    let first: Vec<_> = (0..4).map(|_| get().unwrap()).collect();
    assert_eq!(first, [(0, 6), (1, 1), (1, 9), (1, 3)]);
    put(&[1, 2, 0], 10);
    let rest: Vec<_> = std::iter::from_fn(|| get().ok()).collect();
    assert_eq!(
        rest,
        [
            (0, 12),
            (1, 10),
            (1, 4),
            (1, 7),
            (2, 2),
            (2, 5),
            (2, 8),
            (2, 0),
            (2, 11)
        ]
    );
}

proptest! {
    #[test]
    fn the_smallest_value_comes_out_first(steps in prop::collection::vec(prop::option::of(0..50_u8), 0..200)) {
        let queue = PriorityQueue::new(0);
        let mut model = Vec::new();
        for step in steps {
            match step {
                Some(value) => {
                    queue.put_nowait(value).unwrap();
                    model.push(value);
                    model.sort_by(|a, b| b.cmp(a));
                }
                None => prop_assert_eq!(queue.get_nowait().ok(), model.pop()),
            }
            prop_assert_eq!(queue.qsize(), model.len());
        }
    }
}

thread_local! {
    /// What comparisons use.
    static QUEUE: RefCell<Option<PriorityQueue<Curious>>> = const { RefCell::new(None) };
    static TO_PUT: Cell<Option<u8>> = const { Cell::new(None) };
}

/// Uses the queue whenever it is compared.
#[derive(Debug, PartialEq, Eq)]
struct Curious(u8);

impl Ord for Curious {
    fn cmp(&self, other: &Self) -> Ordering {
        if let Some(queue) = QUEUE.with_borrow(Clone::clone) {
            assert!(!queue.empty());
            assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueEmpty));
            if let Some(number) = TO_PUT.take() {
                queue.put_nowait(Curious(number)).expect("there is room");
            }
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Curious {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[test]
fn a_comparison_may_use_the_queue() {
    let queue = PriorityQueue::new(0);
    queue.put_nowait(Curious(5)).unwrap();
    QUEUE.set(Some(queue.clone()));
    TO_PUT.set(Some(1));
    queue.put_nowait(Curious(3)).unwrap();
    assert_eq!(queue.qsize(), 3);
    TO_PUT.set(Some(2));
    let got: Vec<_> = std::iter::from_fn(|| queue.get_nowait().ok()).collect();
    assert_eq!(got, [1, 2, 3, 5].map(Curious));
    QUEUE.set(None);
}

thread_local! {
    static PANICS: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug, PartialEq, Eq)]
struct Touchy(u8);

impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> Ordering {
        assert!(!PANICS.get(), "compared");
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[test]
fn a_comparison_that_panics_loses_no_value() {
    let queue = PriorityQueue::new(0);
    for number in [1, 2, 3] {
        queue.put_nowait(Touchy(number)).unwrap();
    }
    PANICS.set(true);
    let put = catch_unwind(AssertUnwindSafe(|| queue.put_nowait(Touchy(0))));
    assert!(put.is_err());
    PANICS.set(false);
    assert_eq!(queue.qsize(), 4);
    let mut left: Vec<_> = std::iter::from_fn(|| queue.get_nowait().ok()).collect();
    left.sort();
    assert_eq!(left, [0, 1, 2, 3].map(Touchy));
}
