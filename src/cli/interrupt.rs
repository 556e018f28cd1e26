//! Ctrl-C: the first asks for a clean end, the second ends at once.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use super::progress;

/// Exit code of a run that was interrupted: 128 + SIGINT, as shells have it.
pub const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
/// Whether something is under way that looks at the request.
static LISTENING: AtomicBool = AtomicBool::new(false);

/// Listens to Ctrl-C and to signals to terminate.
pub fn start(quiet: bool) {
    let handler = move || {
        let first = !REQUESTED.swap(true, Ordering::SeqCst);
        if !(first && LISTENING.load(Ordering::SeqCst)) {
            progress::clear();
            // No destructors: files are whole at any time.
            std::process::exit(i32::from(EXIT_CODE));
        }
        if !quiet {
            let note = "stopping: what is done will be kept; Ctrl-C again ends at once";
            progress::aside(|| eprintln!("{note}"));
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!(%error, "can't listen to Ctrl-C");
    }
}

/// Whether to stop.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// While it does this, Ctrl-C is a request.
pub fn listening<T>(action: impl FnOnce() -> T) -> T {
    LISTENING.store(true, Ordering::SeqCst);
    let result = action();
    LISTENING.store(false, Ordering::SeqCst);
    result
}

/// The end of a run that was interrupted.
pub fn exit_code() -> ExitCode {
    ExitCode::from(EXIT_CODE)
}
