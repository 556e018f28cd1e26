//! A scenario resolved: model, noise, levels and limits as values that are known to be valid.

use super::{Observable, ScenarioSpec, Schedule, Source};
use crate::limit::Faults;
use crate::models::AnyModel;
use crate::noise::NoisyLoss;

/// Which exponent a level serves to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// A rung of the ladder of step sizes, on which everything is compared.
    StepSizes,
    /// A further rung with another σ, for the exponent of σ and for error terms that the ladder can't make vanish.
    Sigmas,
}

/// One ensemble of iterates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Number, from 0 in the order of the step sizes; it names the random streams.
    pub number: u32,
    /// α.
    pub step_size: f64,
    /// σ.
    pub sigma: f64,
    /// Number of paths.
    pub paths: usize,
    /// What it is for.
    pub arm: Arm,
}

/// A resolved scenario.
#[derive(Clone, Debug)]
pub struct Study {
    /// The scenario as typed, after `--set`.
    pub spec: ScenarioSpec,
    /// Where it was read from.
    pub source: Source,
    /// Model and noise.
    pub noisy: NoisyLoss<AnyModel>,
    /// w₀.
    pub start: Vec<f64>,
    /// Names and functions looked at.
    pub observables: Vec<(String, Observable)>,
    /// The rungs: step sizes in descending order, then the further values of σ.
    pub levels: Vec<Level>,
    /// Record times in slow time at constant step size, increasing, the last one the horizon.
    pub record_times: Vec<f64>,
    /// Step-size schedule.
    pub schedule: Schedule,
    /// Faults planted in the limit.
    pub faults: Faults,
}

/// Names of the integrators with one line each, for `singlim list`.
pub fn integrators() -> [(&'static str, &'static str); 2] {
    [
        (
            "runge-kutta",
            "Dormand–Prince 5(4) with projection on Γ; deterministic limits (default there)",
        ),
        (
            "euler-maruyama",
            "Euler–Maruyama with projection on Γ; any limit (default for stochastic ones)",
        ),
    ]
}

impl Study {
    /// The rungs of the ladder of step sizes.
    pub fn ladder(&self) -> impl Iterator<Item = &Level> {
        self.levels
            .iter()
            .filter(|level| level.arm == Arm::StepSizes)
    }

    /// T, in slow time at constant step size.
    pub fn horizon(&self) -> f64 {
        self.spec.ladder.horizon
    }

    /// Paths of a stochastic limit.
    pub fn limit_paths(&self) -> usize {
        let most = self.ladder().map(|level| level.paths).max().unwrap_or(8);
        self.spec.limit.paths.unwrap_or(most)
    }

    /// The largest time step of a stochastic limit.
    pub fn limit_time_step(&self) -> f64 {
        self.spec.limit.time_step.unwrap_or(self.horizon() / 200.0)
    }

    /// The values of all observables at w; `rank` is that of H on Γ.
    pub fn observe(&self, w: &[f64], rank: usize, out: &mut [f64]) {
        for (value, (_, observable)) in out.iter_mut().zip(&self.observables) {
            *value = observable.value(&self.noisy, w, rank, self.faults.masks);
        }
    }
}
