//! Progress bars with rate and time left, on the terminal only.

use std::fmt::Write;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use singlim::simulate::Monitor;

/// One bar at a time, on standard error.
#[derive(Default)]
pub struct Bars {
    bar: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn with(&self, f: impl FnOnce(&mut Option<ProgressBar>)) {
        if let Ok(mut bar) = self.bar.lock() {
            f(&mut bar);
        }
    }
}

impl Monitor for Bars {
    fn begin(&self, phase: &str, unit: &str, total: u64) {
        let bar = ProgressBar::new(total).with_message(phase.to_owned());
        let template =
            format!("{{msg:9}} {{wide_bar}} {{percent:>3}} %  {{rate}} {unit}/s  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{:.1e}", state.per_sec());
            };
            bar.set_style(style.with_key("rate", rate));
        }
        self.with(|slot| *slot = Some(bar));
    }

    fn advance(&self, units: u64) {
        self.with(|slot| {
            if let Some(bar) = slot {
                bar.inc(units);
            }
        });
    }

    fn end(&self) {
        self.with(|slot| {
            if let Some(bar) = slot.take() {
                bar.finish_and_clear();
            }
        });
    }
}
