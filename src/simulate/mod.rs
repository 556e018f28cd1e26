//! Runs both sides of a study: the ensembles of iterates of every rung, and the limit at their record times; or both on
//! coupled paths.

mod coupled;
mod descents;
mod limits;
mod refinement;
mod samples;
mod stages;

pub use crate::monitor::{Monitor, Silent};
pub use coupled::{CoupledRun, run_coupled};
pub use descents::{LevelRun, are_complete, plan_levels, run_levels};
pub use limits::{LimitRun, draw_limits, extend_limits, plan_limits, run_limits};
pub use refinement::{Refinement, TRIED_ERROR, refine_limits};
pub use samples::{Moments, Samples};
pub use stages::enlarged;

use crate::derive::GeometryError;
use crate::predict::Prediction;
use crate::scenario::Study;

/// All that a verdict rests on.
pub struct Simulation<'a> {
    /// The iterates of every rung.
    pub levels: &'a [LevelRun],
    /// The limits that they are compared with.
    pub limits: &'a [LimitRun],
    /// The limits under other settings.
    pub refined: Vec<Refinement>,
    /// Iterates and limit on the same Brownian paths, where the scenario asks for them.
    pub coupled: Option<CoupledRun>,
}

impl<'a> Simulation<'a> {
    /// Completes iterates and limits by what else a verdict needs.
    pub fn of(
        study: &Study,
        prediction: &Prediction,
        levels: &'a [LevelRun],
        limits: &'a [LimitRun],
        monitor: &dyn Monitor,
    ) -> Self {
        Self {
            levels,
            limits,
            refined: refine_limits(study, prediction, levels, limits, monitor),
            coupled: run_coupled(study, prediction, monitor),
        }
    }
}

/// Both sides of a study, as planned by its scenario.
///
/// # Errors
/// The limit can't be continued.
pub fn run_both(
    study: &Study,
    prediction: &Prediction,
    monitor: &dyn Monitor,
) -> Result<(Vec<LevelRun>, Vec<LimitRun>), GeometryError> {
    // The limit first: it is the shorter part, and the one that can fail.
    let planned = plan_levels(study, prediction);
    let limits = run_limits(study, prediction, &planned, monitor)?;
    Ok((run_levels(study, prediction, planned, monitor), limits))
}
