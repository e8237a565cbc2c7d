//! Processes under a virtual clock: it stands still while one runs.

use std::time::Duration;

use rondel_process::{ChildWatcher, PIPE, create_subprocess_exec};
use rondel_task::{run_virtual, wait_for};

#[test]
fn the_clock_stands_still_while_a_process_runs() {
    for watcher in [ChildWatcher::Default, ChildWatcher::Thread] {
        let done = run_virtual(async move {
            let process = create_subprocess_exec("cat", [""; 0]).watcher(watcher);
            let process = process.stdin(PIPE).stdout(PIPE).await?;
            let hour = Duration::from_secs(3600);
            let (stdout, _) = wait_for(process.communicate("quick"), hour).await?;
            assert_eq!(stdout, "quick");
            let process = create_subprocess_exec("sleep", ["0.01"])
                .watcher(watcher)
                .await?;
            wait_for(process.wait(), hour).await
        });
        assert_eq!(done.expect("no hour has passed"), 0);
    }
}
