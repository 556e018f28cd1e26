//! What the user asks for: the TOML file as typed (`spec`, `load`) and the study that it resolves to (`resolve`,
//! `study`).

pub mod data;
mod formula;
mod load;
mod model;
mod observable;
mod resolve;
mod schedule;
mod schema;
mod spec;
mod start;
mod stream;
mod study;
mod template;

pub use load::{Place, ScenarioError, Source, load, nearest, parse};
pub use observable::{GENERIC_OBSERVABLES, Observable};
pub use schedule::{Clock, LevelClock, Schedule};
pub use schema::schema;
pub use spec::*;
pub use start::{StartError, start};
pub use study::{Arm, Level, Study, integrators};
pub use template::template;
