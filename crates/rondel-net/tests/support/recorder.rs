//! A trace of events, and a protocol that writes one.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    fmt::Display,
    rc::Rc,
    time::Duration,
};

use rondel_net::{AfterEof, BaseProtocol, Protocol, Transport};
use rondel_reactor::ExceptionContext;
use rondel_task::{EventLoop, Exception, Result, get_running_loop, sleep};

/// Lets the loop run, as long as it takes: what is waited for is I/O that has been set going.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) -> Result<()> {
    while !condition() {
        sleep(Duration::ZERO).await?;
    }
    Ok(())
}

/// The events of a program in their order; clones write into the same one.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn log(&self, event: impl Display) {
        self.0.borrow_mut().push(event.to_string());
    }

    pub(crate) fn has(&self, event: &str) -> bool {
        self.0.borrow().iter().any(|logged| logged == event)
    }

    /// How often an event is in the trace.
    pub(crate) fn count(&self, event: &str) -> usize {
        let events = self.0.borrow();
        events.iter().filter(|logged| *logged == event).count()
    }

    /// Waits until an event is in the trace.
    pub(crate) async fn wait_for(&self, event: &str) -> Result<()> {
        until(|| self.has(event)).await
    }

    /// Compares all events so far, and forgets them.
    #[track_caller]
    pub(crate) fn check(&self, expected: &[&str]) {
        assert_eq!(self.0.take(), expected);
    }

    /// Lets the loop run so many iterations, and writes them down.
    pub(crate) async fn ticks(&self, count: usize) -> Result<()> {
        for tick in 0..count {
            sleep(Duration::ZERO).await?;
            self.log(format_args!("tick {tick}"));
        }
        Ok(())
    }

    /// Writes down what the running loop reports.
    pub(crate) fn log_reports(&self) -> Result<()> {
        let trace = self.clone();
        get_running_loop()?.set_exception_handler(Some(
            move |_: &EventLoop, context: &ExceptionContext| {
                let error = context.exception().map(ToString::to_string);
                let error = error.unwrap_or_default();
                trace.log(format_args!("report {} {error}", context.message()));
            },
        ));
        Ok(())
    }
}

/// What a [`Recorder`] does besides when it is told something.
type Action = Box<dyn Fn(&Recorder)>;

/// A protocol that writes down what it is told, and what the loop calls soon after.
pub(crate) struct Recorder {
    trace: Trace,
    actions: BTreeMap<&'static str, Action>,
    after_eof: AfterEof,
    transport: OnceCell<Transport>,
}

impl Recorder {
    pub(crate) fn new(trace: &Trace) -> Self {
        trace.log("factory");
        Self {
            trace: trace.clone(),
            actions: BTreeMap::new(),
            after_eof: AfterEof::Close,
            transport: OnceCell::new(),
        }
    }

    /// Does something when it is told so.
    pub(crate) fn on(mut self, event: &'static str, action: impl Fn(&Self) + 'static) -> Self {
        self.actions.insert(event, Box::new(action));
        self
    }

    pub(crate) fn keeping_open(self) -> Self {
        Self {
            after_eof: AfterEof::KeepOpen,
            ..self
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        self.transport.get().expect("the connection was made")
    }

    fn told(&self, event: &'static str, what: impl Display) {
        let what = what.to_string();
        let separator = if what.is_empty() { "" } else { " " };
        self.trace.log(format_args!("{event}{separator}{what}"));
        let trace = self.trace.clone();
        let event_loop = get_running_loop().expect("a loop calls this");
        let soon = event_loop.call_soon(move || trace.log(format_args!("soon after {event}")));
        soon.expect("it is open");
        if let Some(action) = self.actions.get(event) {
            action(self);
        }
    }
}

impl BaseProtocol for Recorder {
    fn connection_lost(&self, exception: Option<&Exception>) {
        self.told("lost", exception.map_or("None".into(), kind_of));
    }

    fn pause_writing(&self) {
        self.told("pause", "");
    }

    fn resume_writing(&self) {
        self.told("resume", "");
    }
}

impl Protocol for Recorder {
    fn connection_made(&self, transport: Transport) {
        assert!(self.transport.set(transport).is_ok(), "it is made once");
        self.told("made", "");
    }

    fn data_received(&self, data: &[u8]) {
        match std::str::from_utf8(data) {
            Ok(text) if text.len() < 20 => self.told("data", text),
            _ => self.told("data", data.len()),
        }
    }

    fn eof_received(&self) -> AfterEof {
        self.told("eof", "");
        self.after_eof
    }
}

/// The kind of an I/O error, or the text of another.
pub(crate) fn kind_of(exception: &Exception) -> String {
    match exception.downcast_ref::<std::io::Error>() {
        Some(error) => format!("{:?}", error.kind()),
        None => exception.to_string(),
    }
}

/// How many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    let directory = std::fs::read_dir("/proc/self/fd").expect("this is Linux");
    // One of them is the directory itself.
    directory.count() - 1
}
