//! `Sequencer`: blocks of different tasks that run in a given order.
//!
//! # asyncio
//! It has none. This is Trio's, but that a task which is cancelled while it waits gets its `CancelledError`, and only the others
//! hear of a broken sequence.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::running;
use crate::wait::release;

/// Brings blocks of different tasks into the order of their positions: a handle, of which clones are the same sequence.
///
/// Position 0 begins at once, every other one when the one before it has ended. Each is taken once.
///
/// Mirrors Trio's
/// [`Sequencer`](https://trio.readthedocs.io/en/stable/reference-testing.html#trio.testing.Sequencer).
///
/// # Examples
/// ```
/// use rondel_task::{gather, run_virtual};
/// use rondel_task::testing::Sequencer;
///
/// async fn child(sequence: Sequencer, mine: [usize; 2]) -> rondel_task::Result<()> {
///     for position in mine {
///         let _turn = sequence.at(position).await?;
///         println!("{position}");
///     }
///     Ok(())
/// }
///
/// let sequence = Sequencer::new();
/// // Prints 0, 1, 2, 3.
/// run_virtual(async move {
///     gather([child(sequence.clone(), [1, 2]), child(sequence, [0, 3])]).await
/// }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Sequencer(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    taken: BTreeSet<usize>,
    /// The positions whose turn has come, but for 0, whose turn has always come.
    open: BTreeSet<usize>,
    waiting: BTreeMap<usize, Future<()>>,
    broken: bool,
}

impl Sequencer {
    /// Makes a sequence that begins with position 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the turn of `position`, which lasts until what this gives is dropped.
    ///
    /// # Errors
    /// `RuntimeError` if the position is taken already, or the sequence is broken, because a task that was waiting for its turn
    /// was cancelled or has left; `CancelledError` for that task itself; `NoRunningLoopError`.
    pub async fn at(&self, position: usize) -> Result<SequencerGuard> {
        let Some(turn) = self.take(position)? else {
            return Ok(self.guard(position));
        };
        let mut unless_left = BreakOnDrop(Some(self));
        let came = turn.await;
        if came.is_ok() {
            unless_left.0 = None;
        }
        came?;
        self.check_whole()?;
        Ok(self.guard(position))
    }

    /// Takes a position, and gives what to wait for if its turn has not come.
    fn take(&self, position: usize) -> Result<Option<Future<()>>> {
        self.check_whole()?;
        let core = running::running_core()?;
        let mut state = self.0.borrow_mut();
        if !state.taken.insert(position) {
            return Err(Exception::runtime(format!(
                "the position {position} of a sequence was taken twice"
            )));
        }
        if position == 0 || state.open.contains(&position) {
            return Ok(None);
        }
        let turn = Future::new(core);
        state.waiting.insert(position, turn.clone());
        Ok(Some(turn))
    }

    fn check_whole(&self) -> Result<()> {
        match self.0.borrow().broken {
            true => Err(Exception::runtime("the sequence is broken")),
            false => Ok(()),
        }
    }

    fn guard(&self, position: usize) -> SequencerGuard {
        SequencerGuard {
            sequence: self.clone(),
            position,
        }
    }

    /// The turn of `position` has come.
    fn open(&self, position: usize) {
        let turn = {
            let mut state = self.0.borrow_mut();
            state.open.insert(position);
            state.waiting.remove(&position)
        };
        turn.iter().for_each(release);
    }

    /// Somebody who waited for a turn has left: the rest will never have theirs, and is told.
    fn break_up(&self) {
        let waiting = {
            let mut state = self.0.borrow_mut();
            state.broken = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.values().for_each(release);
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.borrow();
        f.debug_struct("Sequencer")
            .field("taken", &state.taken)
            .field("broken", &state.broken)
            .finish_non_exhaustive()
    }
}

struct BreakOnDrop<'a>(Option<&'a Sequencer>);

impl Drop for BreakOnDrop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|sequence| sequence.break_up());
    }
}

/// A turn in a [`Sequencer`]: dropping it ends it, and that of the next position begins.
#[must_use = "the turn ends when this is dropped"]
#[derive(Debug)]
pub struct SequencerGuard {
    sequence: Sequencer,
    position: usize,
}

impl Drop for SequencerGuard {
    fn drop(&mut self) {
        self.sequence.open(self.position.saturating_add(1));
    }
}
