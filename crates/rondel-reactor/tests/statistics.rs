//! Statistics: what a loop has to do and has done.

mod common;

use std::{rc::Rc, time::Duration};

use common::{TestResult, stop, virtual_loop};
use rondel_reactor::Extension;
use rondel_sched::Token;

#[test]
fn they_count_what_is_there_and_what_was_done() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let (reader, _writer) = std::io::pipe()?;
    event_loop.call_soon(|| ())?;
    event_loop.call_soon(stop)?;
    let timer = event_loop.call_later(Duration::from_secs(1), || ())?;
    event_loop.add_reader(reader, || ())?;
    let before = event_loop.statistics();
    assert_eq!((before.ready, before.timers, before.descriptors), (2, 1, 1));
    assert_eq!((before.iterations, before.callbacks), (0, 0));
    assert_eq!(before.tasks, None, "there is no layer above");

    event_loop.run_forever()?;
    timer.cancel();
    let after = event_loop.statistics();
    assert_eq!((after.ready, after.timers), (0, 0), "it has left at once");
    assert_eq!((after.iterations, after.callbacks), (1, 2));
    event_loop.close()?;
    assert_eq!(event_loop.statistics().descriptors, 0);
    Ok(())
}

#[test]
fn a_layer_above_says_how_many_tasks_there_are() -> TestResult {
    struct Three;

    impl Extension for Three {
        fn wake(&self, _: Token) {}
        fn started(&self) {}
        fn stopped(&self) {}
        fn closing(&self) {}
        fn tasks(&self) -> Option<usize> {
            Some(3)
        }
    }

    let (event_loop, _) = virtual_loop();
    let layer: Rc<dyn Extension> = Rc::new(Three);
    event_loop.set_extension(Rc::downgrade(&layer));
    assert_eq!(event_loop.statistics().tasks, Some(3));
    Ok(event_loop.close()?)
}
