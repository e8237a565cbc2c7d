//! `Messages`: what was sent and not received yet, in order.
//!
//! Most of it are tokens, and all of it goes from the cache of the sender's processor to that of the receiver's: so a message is a word,
//! and what a callback needs beyond lies apart.
//!
//! # Invariants
//! - A1: There are as many calls as words that are [`CALL`], in the same order.

use std::panic::Location;

use crate::{Message, Token};

/// Stands for the next of the calls; no token has so many bits.
const CALL: u64 = u64::MAX;

/// Messages in the order in which they were added.
#[derive(Default)]
pub(crate) struct Messages {
    words: Vec<u64>,
    calls: Vec<Call>,
}

/// A callback that was sent, and the line that sent it.
pub(crate) struct Call {
    pub(crate) callback: Box<dyn FnOnce() + Send>,
    pub(crate) location: &'static Location<'static>,
}

/// What is received.
pub(crate) enum Received {
    Wake(Token),
    Call(Call),
}

impl Messages {
    #[inline]
    pub(crate) fn push(&mut self, message: Message, location: &'static Location<'static>) {
        let word = match message {
            Message::Wake(token) => token.to_bits(),
            Message::Call(callback) => {
                self.calls.push(Call { callback, location });
                CALL
            }
        };
        self.words.push(word);
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Gives `each` all of them, in order.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(Received)) {
        let mut calls = self.calls.drain(..);
        for word in self.words.drain(..) {
            match word {
                CALL => {
                    if let Some(call) = calls.next() {
                        each(Received::Call(call));
                    }
                }
                token => each(Received::Wake(Token::from_bits(token))),
            }
        }
    }

    /// Gives back the memory that they take beyond so many bytes for words, and for calls.
    pub(crate) fn trim(&mut self, bytes: usize) {
        self.words.shrink_to(bytes / size_of::<u64>());
        self.calls.shrink_to(bytes / size_of::<Call>());
    }

    /// Gives the callbacks, and forgets the tokens.
    pub(crate) fn into_calls(self) -> Vec<Call> {
        self.calls
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn tokens_and_calls_keep_their_order() {
        let (sender, called) = mpsc::channel();
        let mut messages = Messages::default();
        for number in 0..6 {
            let sender = sender.clone();
            let message = match number % 3 {
                1 => Message::Call(Box::new(move || sender.send(number).expect("it is there"))),
                _ => Message::Wake(Token::from_bits(number)),
            };
            messages.push(message, Location::caller());
        }
        assert_eq!((messages.len(), messages.is_empty()), (6, false));
        let mut received = Vec::new();
        messages.drain(|message| match message {
            Received::Wake(token) => received.push(token.to_bits()),
            Received::Call(call) => {
                (call.callback)();
                received.extend(called.try_recv());
            }
        });
        assert_eq!(received, [0, 1, 2, 3, 4, 5]);
        assert!(messages.is_empty());
    }
}
