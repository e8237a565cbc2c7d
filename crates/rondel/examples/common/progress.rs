//! How far a program has come, on stderr.

use indicatif::{ProgressBar, ProgressStyle};

/// When progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Show {
    /// As a bar, on a terminal only.
    #[default]
    OnTerminal,
    /// Where there is no terminal, as a line for each step.
    Always,
}

/// So many steps, of which some are done.
pub(crate) struct Progress {
    bar: ProgressBar,
    show: Show,
}

impl Progress {
    pub(crate) fn new(steps: usize, show: Show) -> Self {
        let style = ProgressStyle::with_template("[{bar:40}] {pos}/{len} {wide_msg}");
        let style = style.expect("the template is right").progress_chars("#>.");
        let bar = ProgressBar::new(steps as u64).with_style(style);
        Self { bar, show }
    }

    /// One more step is done.
    pub(crate) fn step(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.inc(1);
        if self.bar.is_hidden() && self.show == Show::Always {
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("{done}/{all} {what}");
        }
    }

    /// The bar goes away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
