//! Random programs on a channel, compared with a naive model that has no wake-ups, or checked for what must never happen.

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use common::pause;
use proptest::prelude::*;
use rondel_sync::{TryRecvError, TrySendError, channel};
use rondel_task::{Result, Task, create_task, run_virtual};

/// One step of a program; an index counts modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A task sends the next value.
    Send,
    /// A task receives a value.
    Recv,
    TrySend,
    TryRecv,
    Cancel(usize),
    Close,
    /// All that can go on goes on.
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Send),
        6 => Just(Step::Recv),
        2 => Just(Step::TrySend),
        2 => Just(Step::TryRecv),
        4 => any::<usize>().prop_map(Step::Cancel),
        1 => Just(Step::Close),
        8 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 0..60)
}

/// What a task or a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Waits,
    Sent,
    Received(u32),
    Full,
    Empty,
    Closed,
    Cancelled,
}

/// A channel in which everybody who can go on has gone on.
#[derive(Default)]
struct Model {
    capacity: usize,
    closed: bool,
    values: VecDeque<u32>,
    /// By their places among the outcomes.
    senders: VecDeque<(usize, u32)>,
    receivers: VecDeque<usize>,
    outcomes: Vec<Outcome>,
}

impl Model {
    fn send(&mut self, value: u32) -> Outcome {
        if self.closed {
            Outcome::Closed
        } else if let Some(receiver) = self.receivers.pop_front() {
            self.outcomes[receiver] = Outcome::Received(value);
            Outcome::Sent
        } else if self.values.len() < self.capacity {
            self.values.push_back(value);
            Outcome::Sent
        } else {
            Outcome::Full
        }
    }

    fn recv(&mut self) -> Outcome {
        if let Some((sender, value)) = self.senders.pop_front() {
            self.outcomes[sender] = Outcome::Sent;
            self.values.push_back(value);
        }
        match self.values.pop_front() {
            Some(value) => Outcome::Received(value),
            None if self.closed => Outcome::Closed,
            None => Outcome::Empty,
        }
    }

    fn begin_send(&mut self, value: u32) {
        let place = self.outcomes.len();
        let sent = self.send(value);
        if sent == Outcome::Full {
            self.senders.push_back((place, value));
        }
        self.outcomes.push(waiting(sent));
    }

    fn begin_recv(&mut self) {
        let place = self.outcomes.len();
        let received = self.recv();
        if received == Outcome::Empty {
            self.receivers.push_back(place);
        }
        self.outcomes.push(waiting(received));
    }

    fn cancel(&mut self, place: usize) {
        self.senders.retain(|(sender, _)| *sender != place);
        self.receivers.retain(|receiver| *receiver != place);
        if self.outcomes[place] == Outcome::Waits {
            self.outcomes[place] = Outcome::Cancelled;
        }
    }

    fn close(&mut self) {
        self.closed = true;
        let senders = self.senders.drain(..).map(|(sender, _)| sender);
        for place in senders.chain(self.receivers.drain(..)) {
            self.outcomes[place] = Outcome::Closed;
        }
    }
}

fn waiting(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Full | Outcome::Empty => Outcome::Waits,
        outcome => outcome,
    }
}

fn of_task(task: &Task<Outcome>) -> Outcome {
    match task.result() {
        Ok(outcome) => outcome,
        Err(_) if task.cancelled() => Outcome::Cancelled,
        Err(_) if !task.done() => Outcome::Waits,
        Err(error) => panic!("a task of the program raised {error}"),
    }
}

async fn settle() -> Result<()> {
    for _ in 0..8 {
        pause().await?;
    }
    Ok(())
}

/// A channel with the tasks of a program on it.
struct Program {
    sender: rondel_sync::Sender<u32>,
    receiver: rondel_sync::Receiver<u32>,
    next: u32,
    tasks: Vec<Task<Outcome>>,
    /// What the channel has taken, also of tasks that end as cancelled all the same.
    sent: Rc<RefCell<Vec<u32>>>,
    received: Rc<RefCell<Vec<u32>>>,
}

impl Program {
    fn new(capacity: usize) -> Self {
        let (sender, receiver) = channel(capacity);
        Self {
            sender,
            receiver,
            next: 0,
            tasks: Vec::new(),
            sent: Rc::default(),
            received: Rc::default(),
        }
    }

    fn value(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn begin_send(&mut self) -> Result<u32> {
        let (sender, value, sent) = (self.sender.clone(), self.value(), self.sent.clone());
        self.tasks.push(create_task(async move {
            match sender.send(value).await {
                Ok(()) => {
                    sent.borrow_mut().push(value);
                    Ok(Outcome::Sent)
                }
                Err(unsent) if unsent.is_closed() => Ok(Outcome::Closed),
                Err(unsent) => Err(unsent.reason().clone()),
            }
        })?);
        Ok(value)
    }

    fn begin_recv(&mut self) -> Result<()> {
        let (receiver, received) = (self.receiver.clone(), self.received.clone());
        self.tasks.push(create_task(async move {
            match receiver.recv().await {
                Ok(value) => {
                    received.borrow_mut().push(value);
                    Ok(Outcome::Received(value))
                }
                Err(error) if error.is_cancelled() => Err(error),
                Err(_) => Ok(Outcome::Closed),
            }
        })?);
        Ok(())
    }

    fn try_send(&mut self) -> (u32, Outcome) {
        let value = self.value();
        let outcome = match self.sender.try_send(value) {
            Ok(()) => {
                self.sent.borrow_mut().push(value);
                Outcome::Sent
            }
            Err(TrySendError::Full(_)) => Outcome::Full,
            Err(TrySendError::Closed(_)) => Outcome::Closed,
        };
        (value, outcome)
    }

    fn try_recv(&mut self) -> Outcome {
        match self.receiver.try_recv() {
            Ok(value) => {
                self.received.borrow_mut().push(value);
                Outcome::Received(value)
            }
            Err(TryRecvError::Empty) => Outcome::Empty,
            Err(TryRecvError::Closed) => Outcome::Closed,
        }
    }
}

/// Compares the channel with the model after every step, when all have gone on.
async fn compare(steps: Vec<Step>, capacity: usize) -> Result<()> {
    let mut program = Program::new(capacity);
    let mut model = Model {
        capacity,
        ..Model::default()
    };
    for step in steps {
        match step {
            Step::Send => model.begin_send(program.begin_send()?),
            Step::Recv => {
                program.begin_recv()?;
                model.begin_recv();
            }
            Step::TrySend => {
                let (value, outcome) = program.try_send();
                assert_eq!(outcome, model.send(value));
            }
            Step::TryRecv => assert_eq!(program.try_recv(), model.recv()),
            Step::Cancel(index) if !program.tasks.is_empty() => {
                let place = index % program.tasks.len();
                program.tasks[place].cancel();
                model.cancel(place);
            }
            Step::Close => {
                program.sender.close();
                model.close();
            }
            Step::Cancel(_) | Step::Settle => {}
        }
        settle().await?;
        let outcomes: Vec<_> = program.tasks.iter().map(of_task).collect();
        assert_eq!(outcomes, model.outcomes, "after {step:?}");
        let statistics = program.sender.statistics();
        assert_eq!(statistics.len, model.values.len());
        assert_eq!(statistics.senders_waiting, model.senders.len());
        assert_eq!(statistics.receivers_waiting, model.receivers.len());
    }
    Ok(())
}

/// Runs the steps without a pause between them: every value that was sent comes out, once.
async fn conserve(steps: Vec<Step>, capacity: usize) -> Result<()> {
    let mut program = Program::new(capacity);
    for step in steps {
        match step {
            Step::Send => {
                program.begin_send()?;
            }
            Step::Recv => program.begin_recv()?,
            Step::TrySend => {
                program.try_send();
            }
            Step::TryRecv => {
                program.try_recv();
            }
            Step::Cancel(index) if !program.tasks.is_empty() => {
                let place = index % program.tasks.len();
                program.tasks[place].cancel();
            }
            Step::Close => program.sender.close(),
            Step::Cancel(_) => {}
            Step::Settle => settle().await?,
        }
    }
    settle().await?;
    while let Outcome::Received(_) = program.try_recv() {}
    settle().await?;
    let (mut received, mut sent) = (program.received.take(), program.sent.take());
    received.sort_unstable();
    sent.sort_unstable();
    assert_eq!(received, sent);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_channel_does_what_the_model_does(steps in steps(), capacity in 0..3_usize) {
        run_virtual(compare(steps, capacity)).expect("the program ends well");
    }

    #[test]
    fn no_value_is_lost_or_doubled(steps in steps(), capacity in 0..3_usize) {
        run_virtual(conserve(steps, capacity)).expect("the program ends well");
    }
}
