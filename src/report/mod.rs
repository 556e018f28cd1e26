//! Renders what was found: the run folder, which other programs read, the tables for the terminal, and from the run folder
//! alone the figures and the report.

mod atomic;
mod draw;
mod figures;
mod finished;
mod junit;
mod markdown;
mod page;
mod pages;
mod plan;
mod run_folder;
mod sheet;
mod sheets;
mod side_by_side;
mod stored;
mod table;
mod unfinished;

pub use atomic::OutputFile;
pub use figures::names as figure_names;
pub use finished::{Finished, Judged, comparison_text, overall_table};
pub use junit::junit;
pub use markdown::markdown;
pub use pages::{PictureFormat, plot, write_comparison, write_plot, write_report};
pub use plan::plan_text;
pub use run_folder::{Machine, Manifest, ReportError, RunFolder, RunRecord};
pub use sheet::{Format, Sheet, sheets_text};
pub use sheets::{overall_sheet, plan_sheets, prediction_sheets, sheet_of_csv};
pub use side_by_side::{TableError, side_by_side};
pub use stored::StoredError;
pub use table::{budget_table, checks_table, power_line, prediction_text, verdict_line};
