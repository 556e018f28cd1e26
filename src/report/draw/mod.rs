//! Draws figures: as vector graphics, as pixels, and as interactive plots.

mod axis;
mod interactive;
mod look;
mod png;
mod svg;

pub use interactive::interactive;
pub use png::png;
pub use svg::{Setting, svg};
