//! Channels: who gets which value, closing, cancellation.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use common::{begin, check, ended, log, pause, seconds, spawn};
use futures::StreamExt;
use rondel_sync::{
    ChannelClosed, ChannelFull, Receiver, Sender, TryRecvError, TrySendError, channel,
};
use rondel_task::{
    Exception, Result, RuntimeError, create_task, current_task, run_virtual, sleep, timeout,
    wait_for,
};

async fn send(sender: Sender<u32>, value: u32) -> Result<()> {
    sender.send(value).await?;
    log(format_args!("sent {value}"));
    Ok(())
}

async fn recv(receiver: Receiver<u32>) -> Result<()> {
    log(format_args!("received {}", receiver.recv().await?));
    Ok(())
}

#[test]
fn a_channel_holds_as_many_values_as_fit_and_serves_senders_in_their_order() {
    let program = async {
        let (sender, receiver) = channel(1);
        let senders = ["a", "b", "c"].map(|name| {
            let value = u32::from(name.as_bytes()[0] - b'a');
            spawn(name, send(sender.clone(), value))
        });
        pause().await?;
        log(format_args!("{receiver:?}"));
        for _ in 0..3 {
            seconds(1).await?;
            recv(receiver.clone()).await?;
        }
        ended(senders).await
    };
    check(
        program,
        &[
            "0 a: sent 0",
            "0 main: <Receiver capacity=1 len=1 sending[2]>",
            "1 main: received 0",
            "1 b: sent 1",
            "2 main: received 1",
            "2 c: sent 2",
            "3 main: received 2",
        ],
    );
}

#[test]
fn receivers_are_served_in_their_order_and_not_overtaken() {
    let program = async {
        let (sender, receiver) = channel(9);
        let receivers = ["a", "b"].map(|name| spawn(name, recv(receiver.clone())));
        pause().await?;
        log(format_args!("{sender:?}"));
        for value in 0..3 {
            sender.try_send(value).unwrap();
        }
        // Two of them are promised.
        log(format_args!("received {}", receiver.try_recv().unwrap()));
        log(format_args!("{:?}", receiver.try_recv()));
        ended(receivers).await
    };
    check(
        program,
        &[
            "0 main: <Sender capacity=9 len=0 receiving[2]>",
            "0 main: received 0",
            "0 main: Err(Empty)",
            "0 a: received 1",
            "0 b: received 2",
        ],
    );
}

#[test]
fn with_no_capacity_sender_and_receiver_meet() {
    let program = async {
        let (sender, receiver) = channel(0);
        log(format_args!("{:?}", sender.try_send(0)));
        let sending = [1, 2].map(|value| spawn("sender", send(sender.clone(), value)));
        seconds(1).await?;
        log(format_args!("received {}", receiver.recv().await?));
        log(format_args!("received {}", receiver.try_recv()?));
        log(format_args!("{:?}", receiver.try_recv()));
        ended(sending).await?;
        let receiving = [spawn("receiver", recv(receiver.clone()))];
        pause().await?;
        sender.try_send(3)?;
        log(format_args!("{:?}", sender.try_send(4)));
        ended(receiving).await
    };
    check(
        program,
        &[
            "0 main: Err(ChannelFull(..))",
            "1 main: received 1",
            "1 main: received 2",
            "1 main: Err(Empty)",
            "1 sender: sent 1",
            "1 sender: sent 2",
            "1 main: Err(ChannelFull(..))",
            "1 receiver: received 3",
        ],
    );
}

// --- closing ------------------------------------------------------------------------------------------

#[test]
fn it_closes_with_the_last_sender_and_is_emptied_first() {
    let program = async {
        let (sender, receiver) = channel(9);
        let other = sender.clone();
        sender.try_send(1)?;
        drop(sender);
        other.try_send(2)?;
        assert!(!receiver.is_closed());
        drop(other);
        assert!(receiver.is_closed());
        for _ in 0..2 {
            log(format_args!("received {}", receiver.recv().await?));
        }
        let closed = receiver.recv().await.unwrap_err();
        assert!(closed.is::<ChannelClosed>());
        log(closed);
        log(format_args!("{:?}", receiver.try_recv()));
        Ok(())
    };
    check(
        program,
        &[
            "0 main: received 1",
            "0 main: received 2",
            "0 main: the channel is closed",
            "0 main: Err(Closed)",
        ],
    );
}

#[test]
fn it_closes_with_the_last_receiver_and_drops_what_is_in_it() {
    let held = Rc::new(());
    let (sender, receiver) = channel(1);
    sender.try_send(held.clone()).unwrap();
    let unsent = run_virtual({
        let (sender, held) = (sender.clone(), held.clone());
        async move {
            let sending = create_task(async move { Ok(sender.send(held).await) })?;
            pause().await?;
            drop(receiver);
            sending.take().await
        }
    });
    let unsent = unsent.unwrap().unwrap_err();
    assert!(unsent.is_closed());
    assert_eq!(unsent.to_string(), "the channel is closed");
    drop(unsent.into_inner());
    assert_eq!(Rc::strong_count(&held), 1);
    let refused = sender.try_send(held).unwrap_err();
    assert_eq!(format!("{refused:?}"), "ChannelClosed(..)");
    assert!(matches!(refused, TrySendError::Closed(_)));
}

#[test]
fn closed_by_hand_it_wakes_all_who_wait() {
    let program = async {
        let (sender, receiver) = channel(0);
        let receivers = ["a", "b"].map(|name| spawn(name, recv(receiver.clone())));
        pause().await?;
        sender.close();
        ended(receivers).await?;
        let (sender, receiver) = channel(1);
        sender.try_send(1)?;
        let senders = [spawn("c", send(sender.clone(), 2))];
        pause().await?;
        receiver.close();
        ended(senders).await?;
        log(format_args!("{:?} {receiver:?}", receiver.try_recv()));
        Ok(())
    };
    check(
        program,
        &[
            "0 a: ChannelClosed",
            "0 b: ChannelClosed",
            "0 c: ChannelClosed",
            "0 main: Ok(1) <Receiver capacity=1 len=0 closed>",
        ],
    );
}

#[test]
fn a_stream_ends_with_the_channel() {
    let received = run_virtual(async {
        let (sender, receiver) = channel(2);
        create_task(async move {
            for value in 0..5 {
                sender.send(value).await?;
            }
            Ok(())
        })?;
        let received: Vec<Result<u32>> = receiver.collect().await;
        received.into_iter().collect::<Result<Vec<_>>>()
    });
    assert_eq!(received.unwrap(), [0, 1, 2, 3, 4]);
}

// --- cancellation -----------------------------------------------------------------------------------------

#[test]
fn a_receiver_that_is_cancelled_after_it_was_woken_leaves_the_value_to_the_next() {
    let program = async {
        let (sender, receiver) = channel(0);
        let receivers = ["a", "b", "c"].map(|name| spawn(name, recv(receiver.clone())));
        pause().await?;
        sender.try_send(1)?;
        receivers[0].cancel();
        pause().await?;
        sender.try_send(2)?;
        ended(receivers).await
    };
    check(
        program,
        &["0 a: CancelledError", "0 b: received 1", "0 c: received 2"],
    );
}

#[test]
fn a_value_whose_receiver_is_gone_stays_for_the_next_even_where_nothing_fits() {
    let program = async {
        let (sender, receiver) = channel(0);
        let mut receiving = Box::pin(receiver.recv());
        begin(&mut receiving).await;
        sender.try_send(1)?;
        drop(receiving);
        log(format_args!("{receiver:?}"));
        log(format_args!("received {}", receiver.recv().await?));
        Ok(())
    };
    check(
        program,
        &["0 main: <Receiver capacity=0 len=1>", "0 main: received 1"],
    );
}

#[test]
fn a_sender_that_is_cancelled_gets_its_value_back() {
    let program = async {
        let (sender, receiver) = channel(0);
        let late = timeout(Duration::from_secs(1), async |_| {
            let unsent = sender.send("tea").await.unwrap_err();
            assert!(unsent.reason().is_cancelled() && !unsent.is_closed());
            log(format_args!("{unsent:?}"));
            let reason = unsent.reason().clone();
            log(unsent.into_inner());
            Err::<(), _>(reason)
        });
        assert!(late.await.unwrap_err().is_timeout());
        log(format_args!("{:?}", receiver.try_recv()));
        Ok(())
    };
    check(
        program,
        &[
            "1 main: SendError(CancelledError)",
            "1 main: tea",
            "1 main: Err(Empty)",
        ],
    );
}

#[test]
fn a_value_that_was_let_in_is_sent_and_the_error_comes_later() {
    let program = async {
        let (sender, receiver) = channel(0);
        let sending = spawn("sender", {
            let sender = sender.clone();
            async move {
                send(sender, 1).await?;
                let me = current_task().expect("this is one");
                log(format_args!("cancelling {}", me.cancelling()));
                sleep(Duration::from_secs(9)).await
            }
        });
        pause().await?;
        log(format_args!("received {}", receiver.try_recv()?));
        sending.cancel_with_message("stop");
        ended([sending]).await
    };
    check(
        program,
        &[
            "0 main: received 1",
            "0 sender: sent 1",
            "0 sender: cancelling 1",
            r#"0 sender: CancelledError("stop")"#,
        ],
    );
}

#[test]
fn a_send_that_is_dropped_leaves_the_line() {
    let program = async {
        let (sender, receiver) = channel(0);
        let mut sending = Box::pin(sender.send(1));
        begin(&mut sending).await;
        let next = [spawn("next", send(sender.clone(), 2))];
        pause().await?;
        drop(sending);
        log(format_args!("received {}", receiver.recv().await?));
        ended(next).await
    };
    check(program, &["0 main: received 2", "0 next: sent 2"]);
}

// --- statistics, errors, loops ------------------------------------------------------------------------------

#[test]
fn statistics_count_values_handles_and_tasks() {
    run_virtual(async {
        let (sender, receiver) = channel(1);
        let tasks = [1, 2, 3].map(|value| {
            let sending = sender.send(value);
            create_task(async { Ok(sending.await?) })
        });
        pause().await?;
        let statistics = receiver.clone().statistics();
        assert_eq!((statistics.len, statistics.capacity), (1, 1));
        assert_eq!((statistics.senders, statistics.receivers), (1 + 2, 2));
        assert_eq!(
            (statistics.senders_waiting, statistics.receivers_waiting),
            (2, 0)
        );
        drop(tasks);
        while receiver.try_recv().is_ok() {}
        pause().await?;
        let mut receiving = Box::pin(receiver.recv());
        begin(&mut receiving).await;
        assert_eq!(sender.statistics().receivers_waiting, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn errors_become_exceptions_of_their_kind() {
    let (sender, receiver) = channel::<u8>(0);
    let full = sender.try_send(7).unwrap_err();
    assert_eq!(full.to_string(), "the channel is full");
    assert!(Exception::from(full).is::<ChannelFull>());
    let empty = receiver.try_recv().unwrap_err();
    assert_eq!(empty.to_string(), "the channel is empty");
    assert!(Exception::from(empty).is::<TryRecvError>());
    sender.close();
    let closed = sender.try_send(7).unwrap_err();
    assert_eq!(closed.into_inner(), 7);
    assert!(Exception::from(closed).is::<ChannelClosed>());
}

#[test]
fn a_channel_is_bound_to_the_loop_on_which_a_task_first_waits() {
    let (sender, receiver) = channel::<u8>(0);
    let waiting = receiver.recv();
    let late = run_virtual(wait_for(waiting, Duration::from_secs(1)));
    assert!(late.unwrap_err().is_timeout());
    let refused = run_virtual({
        let receiver = receiver.clone();
        async move { receiver.recv().await }
    });
    let refused = refused.unwrap_err();
    assert!(refused.is::<RuntimeError>());
    assert_eq!(
        refused.to_string(),
        "<channel capacity=0 len=0> is bound to a different event loop"
    );
    // Without a loop nobody can wait, and the value comes back.
    let mut sending = Box::pin(sender.send(5));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(unsent)) = sending.as_mut().poll(&mut cx) else {
        panic!("it cannot wait");
    };
    assert_eq!(unsent.into_inner(), 5);
}

/// Looks into its channel when it is dropped.
struct Curious {
    channel: Rc<RefCell<Option<Sender<Curious>>>>,
    seen: Rc<Cell<u32>>,
}

impl Drop for Curious {
    fn drop(&mut self) {
        if let Some(sender) = &*self.channel.borrow() {
            assert!(sender.statistics().len == 0 && sender.is_closed());
            sender.close();
        }
        self.seen.set(self.seen.get() + 1);
    }
}

#[test]
fn values_that_are_dropped_with_the_channel_may_use_it() {
    let (sender, receiver) = channel(9);
    let (held, seen) = (Rc::new(RefCell::new(None)), Rc::new(Cell::new(0)));
    for _ in 0..3 {
        let (channel, seen) = (held.clone(), seen.clone());
        assert!(sender.try_send(Curious { channel, seen }).is_ok());
    }
    *held.borrow_mut() = Some(sender);
    drop(receiver);
    assert_eq!(seen.get(), 3);
    held.take();
}
