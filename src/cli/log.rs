//! The log on standard error that `-v` asks for.

use std::io::{self, IsTerminal, Write};

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::progress::{aside, has_colours};

/// Starts the log: `-v` says what is done, `-vv` in which phases, `-vvv` everything.
pub fn start(verbosity: u8) {
    let level = match verbosity {
        0 => return,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(has_colours(io::stderr().is_terminal()))
        .with_target(verbosity > 1)
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_writer(BesideBars)
        .finish();
    // Fails only if there is a log already.
    let _ = tracing::subscriber::set_global_default(log);
}

/// Writes lines to standard error without tearing the progress bar.
struct BesideBars;

impl<'a> MakeWriter<'a> for BesideBars {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::new())
    }
}

/// A line that is written when it is complete.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // There is nobody to tell if the log can't be written.
        let _ = aside(|| io::stderr().write_all(&self.0));
    }
}
