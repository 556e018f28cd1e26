//! Losses written as formulas: text → tree → graph → derivatives → tape.
//!
//! | step | module |
//! |---|---|
//! | text to a tree with the place of every part | `token`, `parse` |
//! | names looked up, indices and sums written out | `names`, `elaborate` |
//! | common parts shared, constants folded | `graph` |
//! | gradients, as further nodes of the graph | `differentiate` |
//! | a flat list of vector instructions over any [`crate::scalar::Scalar`] | `tape`, `compile` |
//! | back to text, expanded or factored, plain or LaTeX | `print` |
//!
//! A formula is data: it can do nothing but arithmetic, and everything it is turned into is bounded in size and depth.

mod compile;
mod differentiate;
mod elaborate;
mod error;
mod function;
mod graph;
mod names;
mod parse;
mod print;
mod tape;
#[cfg(test)]
mod tests;
mod token;

pub use differentiate::gradient;
pub use elaborate::{Algebra, Elaborator, Numbers};
pub use error::{FormulaError, Problem};
pub use function::Function;
pub use graph::{Graph, Id};
pub use names::{Declaration, Names, Symbol, declarations};
pub use parse::{Formula, MOST_CHARACTERS};
pub use print::{Printer, Style};
pub use tape::Tape;
