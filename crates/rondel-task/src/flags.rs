//! `Flags`: what is true of a task or not, a bit each.

use std::cell::Cell;

/// Something that is true of a task or not.
#[derive(Clone, Copy)]
pub(crate) enum Flag {
    /// It has been stepped.
    Started = 1 << 0,
    /// It is being stepped.
    Running = 1 << 1,
    /// asyncio's `_must_cancel`.
    MustCancel = 1 << 2,
    /// `cancel` is on its way through this task.
    Visiting = 1 << 3,
    /// The loop reports that it ended before this task did.
    LogDestroyPending = 1 << 4,
    /// A request went to the one rest that the task waited for, which has not returned the error yet.
    Interrupted = 1 << 5,
    /// The first waiter is a rest that was ended by an error without a message, which its leaf has not taken yet.
    FirstInterrupted = 1 << 6,
}

/// The flags of one task.
pub(crate) struct Flags(Cell<u8>);

impl Flags {
    pub(crate) const fn new(set: Flag) -> Self {
        Self(Cell::new(set as u8))
    }

    #[inline]
    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.0.get() & flag as u8 != 0
    }

    #[inline]
    pub(crate) fn set(&self, flag: Flag) {
        self.0.set(self.0.get() | flag as u8);
    }

    #[inline]
    pub(crate) fn clear(&self, flag: Flag) {
        self.0.set(self.0.get() & !(flag as u8));
    }

    /// True while there is an error that no leaf has returned.
    #[inline]
    pub(crate) fn is_to_be_thrown(&self) -> bool {
        self.0.get() & (Flag::MustCancel as u8 | Flag::Interrupted as u8) != 0
    }

    /// Forgets such errors, and says whether there were any.
    #[inline]
    pub(crate) fn take_errors(&self) -> bool {
        let any = self.is_to_be_thrown();
        self.clear(Flag::MustCancel);
        self.clear(Flag::Interrupted);
        any
    }

    /// Clears a flag, and says whether it was set.
    #[inline]
    pub(crate) fn take(&self, flag: Flag) -> bool {
        let was_set = self.has(flag);
        self.clear(flag);
        was_set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_is_one_of_its_own() {
        let all = [
            Flag::Started,
            Flag::Running,
            Flag::MustCancel,
            Flag::Visiting,
            Flag::LogDestroyPending,
            Flag::Interrupted,
            Flag::FirstInterrupted,
        ];
        for (place, flag) in all.into_iter().enumerate() {
            let flags = Flags::new(flag);
            let set: Vec<bool> = all.iter().map(|other| flags.has(*other)).collect();
            let expected: Vec<bool> = (0..all.len()).map(|other| other == place).collect();
            assert_eq!(set, expected);
            assert!(flags.take(flag) && !flags.take(flag));
            all.iter().for_each(|flag| flags.set(*flag));
            flags.clear(flag);
            assert!(!flags.has(flag));
            assert_eq!(all.iter().filter(|flag| flags.has(**flag)).count(), 6);
        }
    }
}
