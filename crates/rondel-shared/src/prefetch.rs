//! Asking the processor to fetch memory that will be needed soon.
//!
//! Whoever goes through a hundred thousand objects that lie anywhere in memory waits for each of them; told some objects ahead, the
//! processor has fetched them by then.
//!
//! A request is neither a read nor a write: the program does the same with it and without. Where there is no stable way to ask, on
//! everything but x86-64, nothing is done.

#![allow(
    unsafe_code,
    reason = "a million tasks that wake up in an order of their own take half the time: there is no safe way to ask"
)]

/// What the processor fetches at a time on most machines.
const LINE: usize = 64;

/// Asks for the beginning of `place`.
///
/// # Examples
/// ```
/// let numbers = vec![1, 2, 3];
/// rondel_shared::prefetch(&numbers[2]);
/// ```
#[inline]
pub fn prefetch<T>(place: &T) {
    fetch_line(std::ptr::from_ref(place).cast());
}

/// Asks for so many lines from `address` on, which need not be one of the program's.
#[inline]
pub(crate) fn fetch(address: *const u8, lines: usize) {
    for line in 0..lines {
        fetch_line(address.wrapping_add(line * LINE));
    }
}

#[inline]
fn fetch_line(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction is part of every x86-64, and faults for no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_may_be_asked_for() {
        let number = 7;
        prefetch(&number);
        fetch(std::ptr::null(), 2);
        fetch(std::ptr::without_provenance(usize::MAX), 3);
        fetch((&raw const number).cast(), 1 << 10);
        assert_eq!(number, 7);
    }
}
