//! Runs both sides of a study: the ensembles of iterates of every rung, and the limit at their record times; or both on
//! coupled paths.

mod coupled;
mod descents;
mod limits;
mod refinement;
mod samples;

pub use coupled::{CoupledRun, run_coupled};
pub use descents::{LevelRun, plan_levels, run_levels};
pub use limits::{LimitRun, run_limits};
pub use refinement::{Refinement, TRIED_ERROR, refine_limits};
pub use samples::{Moments, Samples};

/// Is told how a long phase gets on. One phase at a time.
pub trait Monitor: Sync {
    /// A phase of `total` units begins.
    fn begin(&self, phase: &str, unit: &str, total: u64);
    /// `units` further units are done.
    fn advance(&self, units: u64);
    /// The phase has ended.
    fn end(&self);
}

/// Says nothing.
pub struct Silent;

impl Monitor for Silent {
    fn begin(&self, _: &str, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}
