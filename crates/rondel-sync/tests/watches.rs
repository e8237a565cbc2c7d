//! `watch`: the latest value, and who hears of a change.

mod common;

use std::time::Duration;

use common::{check, ended, log, pause, seconds, spawn};
use rondel_sync::{ChannelClosed, watch};
use rondel_task::{Result, run_virtual, timeout};

async fn follow(mut receiver: watch::Receiver<u32>) -> Result<()> {
    loop {
        receiver.changed().await?;
        log(receiver.borrow());
    }
}

#[test]
fn every_receiver_hears_of_a_change_and_sees_the_latest_value() {
    let program = async {
        let (sender, receiver) = watch::channel(0);
        let followers = ["a", "b"].map(|name| spawn(name, follow(receiver.clone())));
        pause().await?;
        sender.send(1)?;
        seconds(1).await?;
        sender.send(2)?;
        sender.send(3)?;
        log(format_args!("{sender:?} {:?}", sender.statistics()));
        seconds(1).await?;
        drop((sender, receiver));
        ended(followers).await
    };
    check(
        program,
        &[
            "0 a: 1",
            "0 b: 1",
            "1 main: <Sender [version:3]> WatchStatistics { version: 3, senders: 1, receivers: 3, tasks_waiting: 0 }",
            "1 a: 3",
            "1 b: 3",
            "2 a: ChannelClosed",
            "2 b: ChannelClosed",
        ],
    );
}

#[test]
fn a_receiver_remembers_what_it_has_seen() {
    run_virtual(async {
        let (sender, mut receiver) = watch::channel("a");
        assert!(!receiver.has_changed());
        sender.send("b")?;
        assert_eq!((*receiver.borrow(), receiver.has_changed()), ("b", true));
        let mut other = receiver.clone();
        assert_eq!(*receiver.borrow_and_update(), "b");
        assert!(!receiver.has_changed() && other.has_changed());
        other.changed().await?;
        assert!(!sender.subscribe().has_changed());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_wait_that_is_cancelled_has_seen_nothing() {
    run_virtual(async {
        let (sender, mut receiver) = watch::channel(0);
        let late = timeout(Duration::from_secs(1), async |_| receiver.changed().await).await;
        assert!(late.unwrap_err().is_timeout());
        assert_eq!(receiver.statistics().tasks_waiting, 0);
        sender.send(1)?;
        receiver.changed().await
    })
    .unwrap();
}

#[test]
fn one_waits_for_a_value_that_pleases() {
    let program = async {
        let (sender, mut receiver) = watch::channel(3);
        log(receiver.wait_for(|value| *value > 2).await?);
        let counter = [spawn("counter", {
            let sender = sender.clone();
            async move {
                for value in [1, 4, 9] {
                    seconds(1).await?;
                    sender.send(value)?;
                }
                Ok(())
            }
        })];
        log(receiver.wait_for(|value| *value > 4).await?);
        ended(counter).await
    };
    check(program, &["0 main: 3", "3 main: 9"]);
}

#[test]
fn without_a_receiver_a_value_comes_back_but_can_be_replaced() {
    let (sender, receiver) = watch::channel("a");
    drop(receiver);
    let unsent = sender.send("b").unwrap_err();
    assert!(unsent.is_closed());
    assert_eq!((unsent.into_inner(), *sender.borrow()), ("b", "a"));
    assert_eq!(*sender.replace("c"), "a");
    assert_eq!(*sender.subscribe().borrow(), "c");
}

#[test]
fn what_was_sent_last_is_seen_before_the_end() {
    run_virtual(async {
        let (sender, mut receiver) = watch::channel(0);
        sender.send(1)?;
        drop(sender);
        receiver.changed().await?;
        assert_eq!(*receiver.borrow(), 1);
        let over = receiver.changed().await.unwrap_err();
        assert!(over.is::<ChannelClosed>());
        Ok(())
    })
    .unwrap();
}
