//! Renders what was found: the run folder, which other programs read, and the tables for the terminal.

mod run_folder;
mod table;

pub use run_folder::{Machine, Manifest, ReportError, RunFolder, RunRecord};
pub use table::{checks_table, prediction_text, verdict_line};
