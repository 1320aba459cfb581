//! A progress bar on a terminal: one line on stderr that disappears when the work is done.

use std::time::{Duration, Instant};

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::width::visible;
use crate::progress::{Progress, Task, Unit};

/// Displays work that takes longer than a moment. Use it only if stderr is a terminal.
pub struct TerminalProgress;

/// Shorter work shows nothing, so that nothing flickers.
const PATIENCE: Duration = Duration::from_millis(250);

impl Progress for TerminalProgress {
    fn start(&self, what: &str, total: u64, unit: Unit) -> Box<dyn Task> {
        Box::new(Bar {
            what: visible(what).replace('\n', "\u{240a}"),
            total,
            unit,
            started: Instant::now(),
            state: Mutex::new(State::default()),
        })
    }
}

struct Bar {
    what: String,
    total: u64,
    unit: Unit,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: u64,
    bar: Option<ProgressBar>,
}

impl Task for Bar {
    fn advance(&self, amount: u64) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        state.done += amount;
        if state.bar.is_none() && self.started.elapsed() >= PATIENCE {
            state.bar = Some(self.bar());
        }
        if let Some(bar) = &state.bar {
            bar.set_position(state.done);
        }
    }
}

impl Bar {
    fn bar(&self) -> ProgressBar {
        let counts = match self.unit {
            Unit::Bytes => "{decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
            Unit::Tokens => "{pos}/{len} tokens {per_sec}",
            Unit::Tensors => "{pos}/{len}",
        };
        let template = format!("{{msg}} [{{bar:24}}] {counts} {{eta}}");
        let bar = ProgressBar::with_draw_target(Some(self.total), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.with_elapsed(self.started.elapsed())
            .with_message(self.what.clone())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Ok(state) = self.state.lock()
            && let Some(bar) = &state.bar
        {
            bar.finish_and_clear();
        }
    }
}
