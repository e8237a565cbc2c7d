//! Where a chunk ends: the search for the first of several separators, taken up again as more bytes come.
//!
//! It sees a slice and remembers how far it has looked; it neither waits nor reads.
//!
//! # asyncio
//!
//! The loop of `StreamReader.readuntil`.

use memchr::memmem;
use rondel_task::ValueError;

use super::error::LimitOverrunError;

/// A search in bytes to which others are added at the end.
#[derive(Debug)]
pub(super) struct Search {
    /// In order of length, so that the shortest match wins.
    separators: Vec<Box<[u8]>>,
    /// No separator begins before this place.
    offset: usize,
}

/// A separator that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Search {
    /// Begins a search.
    ///
    /// # Errors
    ///
    /// When there is no separator, or an empty one.
    pub(super) fn new(separators: &[&[u8]]) -> Result<Self, ValueError> {
        let mut separators: Vec<Box<[u8]>> = separators.iter().map(|&one| one.into()).collect();
        separators.sort_by_key(|separator| separator.len());
        match separators.first() {
            None => Err(ValueError::new(
                "separator should contain at least one element",
            )),
            Some(shortest) if shortest.is_empty() => Err(ValueError::new(
                "separator should be at least one-byte string",
            )),
            Some(_) => Ok(Self {
                separators,
                offset: 0,
            }),
        }
    }

    /// Looks for the match that ends first; none where more bytes are needed.
    ///
    /// # Errors
    ///
    /// When the chunk in front of the separator is longer than `limit`, or is going to be.
    pub(super) fn look(
        &mut self,
        bytes: &[u8],
        limit: usize,
    ) -> Result<Option<Match>, LimitOverrunError> {
        let (Some(shortest), Some(longest)) = (self.separators.first(), self.separators.last())
        else {
            return Ok(None);
        };
        if bytes.len().saturating_sub(self.offset) < shortest.len() {
            return Ok(None);
        }
        let offset = self.offset;
        let matches = self.separators.iter().filter_map(|separator| {
            let start = offset + memmem::find(&bytes[offset..], separator)?;
            let end = start + separator.len();
            Some(Match { start, end })
        });
        // Of several that end together, the first: the shortest separator.
        if let Some(found) = matches.min_by_key(|found| found.end) {
            return match found.start > limit {
                true => Err(overrun(true, found.start)),
                false => Ok(Some(found)),
            };
        }
        // The last bytes may be the beginning of a separator.
        self.offset = (bytes.len() + 1).saturating_sub(longest.len());
        match self.offset > limit {
            true => Err(overrun(false, self.offset)),
            false => Ok(None),
        }
    }
}

fn overrun(found: bool, consumed: usize) -> LimitOverrunError {
    LimitOverrunError { found, consumed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(search: &mut Search, bytes: &[u8]) -> Option<(usize, usize)> {
        let found = search.look(bytes, 100).unwrap();
        found.map(|found| (found.start, found.end))
    }

    #[test]
    fn a_separator_in_two_parts_is_found() {
        let mut search = Search::new(&[b"\r\n"]).unwrap();
        assert_eq!(look(&mut search, b"line\r"), None);
        assert_eq!(search.offset, 4);
        assert_eq!(look(&mut search, b"line\r\nmore"), Some((4, 6)));
    }

    #[test]
    fn the_match_that_ends_first_wins() {
        let mut search = Search::new(&[b"long", b"ng", b"x"]).unwrap();
        assert_eq!(look(&mut search, b"a long x"), Some((4, 6)));
    }

    #[test]
    fn no_separator_and_an_empty_one_are_refused() {
        let message = |separators: &[&[u8]]| Search::new(separators).unwrap_err().to_string();
        assert_eq!(
            message(&[]),
            "separator should contain at least one element"
        );
        assert_eq!(
            message(&[b"a", b""]),
            "separator should be at least one-byte string"
        );
    }

    #[test]
    fn the_limit_counts_what_is_in_front_of_the_separator() {
        let search = || Search::new(&[b"oo"]).unwrap();
        let found = search().look(b"dataoo", 3).unwrap_err();
        assert_eq!((found.found, found.consumed), (true, 4));
        let not_found = search().look(b"some_data", 4).unwrap_err();
        assert_eq!((not_found.found, not_found.consumed), (false, 8));
        assert_eq!(
            search().look(b"dataoo", 4).unwrap(),
            Some(Match { start: 4, end: 6 })
        );
    }
}
