//! Messages: two tasks that pass a value to and fro.

use std::cell::Cell;
use std::rc::Rc;

use super::Measured;
use crate::clock::{Stopwatch, Whose};
use crate::peer::{Oneshot, Peer, Queue};

type Address<P> = Rc<Cell<Option<<P as Oneshot>::Sender>>>;

/// Passes `total` values between two tasks, each by a new future or channel for one value.
///
/// # Errors
/// When the runtime cannot be made.
pub fn by_oneshot<P: Oneshot>(total: usize) -> Measured {
    P::run(move |peer| async move {
        let (ping, pong) = (Address::<P>::default(), Address::<P>::default());
        let watch = Stopwatch::start(Whose::Thread);
        let (sender, receiver) = peer.oneshot();
        let first = {
            let player = volley(peer.clone(), receiver, ping.clone(), pong.clone(), total);
            peer.spawn(player)
        };
        let (other_sender, receiver) = peer.oneshot();
        pong.set(Some(other_sender));
        let second = peer.spawn(volley(peer.clone(), receiver, pong, ping, total));
        P::send(sender, 0);
        P::join(first).await;
        P::join(second).await;
        P::output(watch.per(total))
    })
}

/// Waits for a value, says where the next one is to go, and passes on one more.
async fn volley<P: Oneshot>(
    peer: P,
    mut receiver: P::Receiver,
    mine: Address<P>,
    theirs: Address<P>,
    limit: usize,
) -> P::Output<()> {
    loop {
        let value = P::receive(receiver).await;
        let sender;
        (sender, receiver) = peer.oneshot();
        mine.set(Some(sender));
        if let Some(sender) = theirs.take() {
            P::send(sender, value + 1);
        }
        if value >= limit {
            return P::output(());
        }
    }
}

/// Passes `total` values between two tasks by two queues.
///
/// # Errors
/// When the runtime cannot be made.
pub fn by_queue<P: Queue>(total: usize) -> Measured {
    P::run(move |peer| async move {
        let (to_first, first) = P::queue();
        let (to_second, second) = P::queue();
        let watch = Stopwatch::start(Whose::Thread);
        P::put(&to_first, 0);
        let first = peer.spawn(player::<P>(first, to_second, total));
        let second = peer.spawn(player::<P>(second, to_first, total));
        P::join(first).await;
        P::join(second).await;
        P::output(watch.per(total))
    })
}

async fn player<P: Queue>(
    mut getter: P::Getter,
    putter: P::Putter,
    limit: usize,
) -> <P as Peer>::Output<()> {
    loop {
        let value = P::get(&mut getter).await;
        P::put(&putter, value + 1);
        if value >= limit {
            return P::output(());
        }
    }
}
