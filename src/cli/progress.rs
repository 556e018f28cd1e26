//! Progress bars with rate and time left, on the terminal only; and whether to stop.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use singlim::simulate::Monitor;

use super::interrupt;

/// The bar that is on the screen: one at a time.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);
/// Whether bars are shown at all.
static SHOWN: OnceLock<bool> = OnceLock::new();

/// Bars are shown on a terminal, unless output is not wanted.
pub fn start(quiet: bool) {
    let able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let _ = SHOWN.set(!quiet && able && std::io::stderr().is_terminal());
}

fn is_shown() -> bool {
    SHOWN.get().copied().unwrap_or(false)
}

/// Colours are for terminals whose user has not said no.
pub fn has_colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn replace(bar: Option<ProgressBar>) {
    if let Ok(mut slot) = BAR.lock()
        && let Some(old) = std::mem::replace(&mut *slot, bar)
    {
        old.finish_and_clear();
    }
}

/// Takes the bar off the screen.
pub fn clear() {
    replace(None);
}

/// Does something to standard error or output without a bar in its way.
pub fn aside<T>(action: impl FnOnce() -> T) -> T {
    match BAR.lock() {
        Ok(slot) => match &*slot {
            Some(bar) => bar.suspend(action),
            None => action(),
        },
        Err(_) => action(),
    }
}

/// Does something long of unknown length, with a spinner and the time that has passed.
pub fn waiting<T>(what: &str, action: impl FnOnce() -> T) -> T {
    if is_shown() {
        replace(Some(spinner(what)));
    }
    let result = action();
    replace(None);
    result
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Shows phases as bars, those of unknown length as spinners, and stops a simulation when Ctrl-C is pressed.
pub struct Bars;

impl Monitor for Bars {
    fn begin(&self, phase: &str, unit: &str, total: u64) {
        tracing::debug!(phase, unit, total, "begins");
        if !is_shown() {
            return;
        }
        if total == 0 {
            return replace(Some(spinner(phase)));
        }
        let bar = ProgressBar::new(total).with_message(phase.to_owned());
        // In grey scale unless colours are welcome.
        let line = if has_colours(true) {
            "{wide_bar:.cyan/dim}"
        } else {
            "{wide_bar}"
        };
        let template =
            format!("{{msg:13}} {line} {{percent:>3}} %  {{rate}} {unit}/s  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                let rate = state.per_sec();
                let _ = match rate {
                    rate if rate < 1e4 => write!(out, "{rate:.1}"),
                    rate => write!(out, "{rate:.1e}"),
                };
            };
            bar.set_style(style.with_key("rate", rate));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        replace(Some(bar));
    }

    fn advance(&self, units: u64) {
        if is_shown()
            && let Ok(slot) = BAR.lock()
            && let Some(bar) = &*slot
        {
            bar.inc(units);
        }
    }

    fn end(&self) {
        replace(None);
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_requested()
    }
}
