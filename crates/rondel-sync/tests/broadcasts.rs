//! `broadcast`: every value to every receiver, and those who are too slow.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use common::{check, ended, log, pause, seconds, spawn};
use futures::StreamExt;
use proptest::prelude::*;
use rondel_sync::broadcast::{self, Lagged};
use rondel_sync::{ChannelClosed, TryRecvError};
use rondel_task::{Result, ValueError, run_virtual, timeout};

async fn follow(mut receiver: broadcast::Receiver<u32>) -> Result<()> {
    loop {
        log(receiver.recv().await?);
    }
}

#[test]
fn every_receiver_gets_every_value_from_when_it_was_made() {
    let program = async {
        let (sender, receiver) = broadcast::channel(9)?;
        let a = spawn("a", follow(receiver));
        pause().await?;
        log(format_args!("{} receivers", sender.send(1)?));
        let b = spawn("b", follow(sender.subscribe()));
        seconds(1).await?;
        log(format_args!("{} receivers", sender.send(2)?));
        sender.send(3)?;
        log(format_args!("{sender:?}"));
        drop(sender);
        ended([a, b]).await
    };
    check(
        program,
        &[
            "0 main: 1 receivers",
            "0 a: 1",
            "1 main: 2 receivers",
            "1 main: <Sender [len:2, capacity:9]>",
            "1 a: 2",
            "1 a: 3",
            "1 a: ChannelClosed",
            "1 b: 2",
            "1 b: 3",
            "1 b: ChannelClosed",
        ],
    );
}

#[test]
fn who_is_too_slow_is_told_how_many_it_has_missed() {
    run_virtual(async {
        let (sender, mut receiver) = broadcast::channel(2)?;
        for value in 1..=5 {
            sender.send(value)?;
        }
        let lagged = receiver.recv().await.unwrap_err();
        assert_eq!(lagged.downcast_ref::<Lagged>().map(Lagged::count), Some(3));
        assert_eq!(
            lagged.to_string(),
            "the receiver was too slow and has missed 3 values"
        );
        assert_eq!((receiver.recv().await?, receiver.recv().await?), (4, 5));
        let empty = receiver.try_recv().unwrap_err();
        assert!(empty.is::<TryRecvError>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_value_is_kept_until_the_last_receiver_has_had_it() {
    let held = Rc::new(());
    let (sender, mut first) = broadcast::channel(4).unwrap();
    let mut second = first.clone();
    for _ in 0..3 {
        sender.send(held.clone()).unwrap();
    }
    assert_eq!(Rc::strong_count(&held), 4);
    drop(first.try_recv().unwrap());
    assert_eq!(Rc::strong_count(&held), 4);
    drop(second.try_recv().unwrap());
    assert_eq!(Rc::strong_count(&held), 3);
    drop(first);
    assert_eq!(sender.statistics().len, 2);
    drop(second);
    assert_eq!((sender.statistics().len, Rc::strong_count(&held)), (0, 1));
    assert!(sender.send(held).unwrap_err().is_closed());
}

#[test]
fn a_clone_has_still_to_get_what_the_original_has() {
    run_virtual(async {
        let (sender, mut receiver) = broadcast::channel(4)?;
        for value in 0..3 {
            sender.send(value)?;
        }
        assert_eq!(receiver.recv().await?, 0);
        let mut clone = receiver.clone();
        assert_eq!((receiver.recv().await?, receiver.recv().await?), (1, 2));
        assert_eq!((clone.recv().await?, clone.recv().await?), (1, 2));
        assert_eq!(sender.statistics().len, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_wait_that_is_cancelled_loses_nothing_and_the_stream_ends_with_the_senders() {
    run_virtual(async {
        let (sender, mut receiver) = broadcast::channel(4)?;
        let late = timeout(Duration::from_secs(1), async |_| receiver.recv().await).await;
        assert!(late.unwrap_err().is_timeout());
        for value in 0..3 {
            sender.send(value)?;
        }
        assert_eq!(sender.statistics().tasks_waiting, 0);
        drop(sender);
        let received: Vec<Result<u32>> = receiver.by_ref().collect().await;
        assert_eq!(received.into_iter().collect::<Result<Vec<_>>>()?, [0, 1, 2]);
        let over = receiver.recv().await.unwrap_err();
        assert!(over.is::<ChannelClosed>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_capacity_of_zero_is_an_error() {
    let refused: ValueError = broadcast::channel::<u8>(0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the capacity of a broadcast must be at least 1"
    );
}

/// Sends once more when it is dropped.
struct Echo {
    sender: broadcast::Sender<Rc<Cell<u32>>>,
    count: Rc<Cell<u32>>,
}

impl Drop for Echo {
    fn drop(&mut self) {
        // The channel of the numbers, while that of the echoes lets a value go.
        let _ = self.sender.send(self.count.clone());
        self.count.set(self.count.get() + 1);
    }
}

#[test]
fn destructors_of_values_may_use_channels() {
    let (numbers, mut heard) = broadcast::channel(9).unwrap();
    let (sender, receiver) = broadcast::channel(1).unwrap();
    let count = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let (sender_of_numbers, count) = (numbers.clone(), count.clone());
        let echo = Echo {
            sender: sender_of_numbers,
            count,
        };
        assert!(sender.send(Rc::new(echo)).is_ok());
    }
    drop(receiver);
    assert_eq!(count.get(), 3);
    for _ in 0..3 {
        heard.try_recv().unwrap();
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Recv(usize),
    Subscribe,
    Clone(usize),
    Drop(usize),
}

proptest! {
    /// The model: a receiver is a list of what it has still to get.
    #[test]
    fn receivers_get_what_the_model_gets(
        steps in prop::collection::vec(
            prop_oneof![
                4 => Just(Step::Send),
                6 => any::<usize>().prop_map(Step::Recv),
                1 => Just(Step::Subscribe),
                1 => any::<usize>().prop_map(Step::Clone),
                1 => any::<usize>().prop_map(Step::Drop),
            ],
            0..80,
        ),
        capacity in 1..4_usize,
    ) {
        let (sender, receiver) = broadcast::channel(capacity).unwrap();
        let mut receivers = vec![(receiver, Vec::<u32>::new())];
        let mut sent = 0;
        for step in steps {
            let count = receivers.len().max(1);
            match step {
                Step::Send => {
                    let outcome = sender.send(sent);
                    prop_assert_eq!(outcome.is_ok(), !receivers.is_empty());
                    if let Ok(told) = outcome {
                        prop_assert_eq!(told, receivers.len());
                        receivers.iter_mut().for_each(|(_, model)| model.push(sent));
                    }
                    sent += 1;
                }
                Step::Recv(index) if !receivers.is_empty() => {
                    let (receiver, model) = &mut receivers[index % count];
                    let missed = model.len().saturating_sub(capacity);
                    let received = receiver.try_recv();
                    if missed > 0 {
                        let lagged = received.unwrap_err();
                        let count = lagged.downcast_ref::<Lagged>().map(Lagged::count);
                        prop_assert_eq!(count, Some(missed as u64));
                        model.drain(..missed);
                    } else if model.is_empty() {
                        prop_assert!(received.unwrap_err().is::<TryRecvError>());
                    } else {
                        prop_assert_eq!(received.unwrap(), model.remove(0));
                    }
                }
                Step::Subscribe => receivers.push((sender.subscribe(), Vec::new())),
                Step::Clone(index) if !receivers.is_empty() => {
                    let (receiver, model) = &receivers[index % count];
                    let clone = (receiver.clone(), model.clone());
                    receivers.push(clone);
                }
                Step::Drop(index) if !receivers.is_empty() => {
                    drop(receivers.remove(index % count));
                }
                Step::Recv(_) | Step::Clone(_) | Step::Drop(_) => {}
            }
            let kept = receivers.iter().map(|(_, model)| model.len()).max().unwrap_or(0);
            prop_assert_eq!(sender.statistics().len, kept.min(capacity));
        }
    }
}
