//! Renders what was found: the run folder, which other programs read, and the tables for the terminal.

mod atomic;
mod finished;
mod junit;
mod markdown;
mod plan;
mod run_folder;
mod sheet;
mod sheets;
mod side_by_side;
mod table;
mod unfinished;

pub use atomic::OutputFile;
pub use finished::{Finished, Judged, comparison_text, overall_table};
pub use junit::junit;
pub use markdown::markdown;
pub use plan::plan_text;
pub use run_folder::{Machine, Manifest, ReportError, RunFolder, RunRecord};
pub use sheet::{Format, Sheet, sheets_text};
pub use sheets::{overall_sheet, plan_sheets, prediction_sheets, sheet_of_csv};
pub use side_by_side::{TableError, side_by_side};
pub use table::{budget_table, checks_table, power_line, prediction_text, verdict_line};
