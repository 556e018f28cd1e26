//! Coupled paths: what a scenario must be for one noise to drive all rungs and the limit.

use super::{FEWEST_PATHS, Resolver, Result};
use crate::noise::Mechanism;
use crate::random::Law;
use crate::scenario::spec::ScheduleKind;
use crate::scenario::{Arm, Level};

/// Ratios of typed numbers that differ by less are the same.
const SAME_RATIO: f64 = 1e-9;

impl Resolver<'_> {
    /// One noise can drive all rungs and the limit only where sums of it have the law of each rung's own.
    pub(super) fn coupling(&self, levels: &[Level]) -> Result<()> {
        let Some(coupling) = &self.spec.coupling else {
            return Ok(());
        };
        if coupling.paths < FEWEST_PATHS {
            let message = format!("coupling.paths must be at least {FEWEST_PATHS}");
            return self.fail("coupling.paths", message, "256 is the default");
        }
        self.positive("coupling.margin", coupling.margin)?;
        const REMOVE: &str = "or remove [coupling]";
        for (i, noise) in self.spec.noise.iter().enumerate() {
            if noise.batch_size.is_some() {
                let message = "with [coupling] coarse steps take sums of the fine steps' noise, and sums of minibatches are no minibatches";
                let key = format!("noise.{i}.batch_size");
                return self.fail(&key, message, format!("remove batch_size, {REMOVE}"));
            }
            if noise.law != Law::Gaussian {
                let message = format!(
                    "with [coupling] coarse steps take sums of the fine steps' noise, whose law is {} again only for gaussian noise",
                    noise.law.name()
                );
                let help = format!("set law = \"gaussian\", {REMOVE}");
                return self.fail(&format!("noise.{i}.law"), message, help);
            }
        }
        if !self.spec.noise.iter().any(|n| n.kind == Mechanism::Sgld) {
            let message =
                "[coupling] needs a Brownian part in the limit, and only sgld noise has one";
            let help = format!("add a section [[noise]] with kind = \"sgld\", {REMOVE}");
            return self.fail("coupling", message, help);
        }
        if self.spec.ladder.sigma_exponent != 0.0 {
            let message = "with [coupling] σ must be the same on all rungs, or sums of fine noise have another σ than coarse noise";
            let help = format!("remove ladder.sigma_exponent, {REMOVE}");
            return self.fail("ladder.sigma_exponent", message, help);
        }
        if self.spec.schedule.kind != ScheduleKind::Constant {
            let message = "with [coupling] the step size of each rung must be constant, so that its steps fall together with those of the finer rungs";
            let help = format!("remove [schedule], {REMOVE}");
            return self.fail("schedule.kind", message, help);
        }
        if self.spec.limit.corrected {
            let message = "[coupling] compares with the plain limit, one for all rungs, not with a limit corrected for each";
            let help = format!("remove limit.corrected, {REMOVE}");
            return self.fail("limit.corrected", message, help);
        }
        let ladder: Vec<_> = levels.iter().filter(|l| l.arm == Arm::StepSizes).collect();
        for pair in ladder.windows(2) {
            let (coarse, fine) = (pair[0].step_size, pair[1].step_size);
            let ratio = coarse / fine;
            if ratio.round() < 2.0 || (ratio / ratio.round() - 1.0).abs() > SAME_RATIO {
                let message = format!(
                    "with [coupling] each step size must be a whole multiple of the next, but {coarse} / {fine} = {ratio:.4}"
                );
                let help = format!("halve the step size from rung to rung, {REMOVE}");
                return self.fail("ladder.step_sizes", message, help);
            }
        }
        let finest = ladder[ladder.len() - 1];
        if let Some(step) = coupling.time_step {
            self.positive("coupling.time_step", step)?;
            let least = (finest.step_size * finest.sigma).powi(2);
            let most = self.spec.ladder.horizon / 50.0;
            if step < least * (1.0 - SAME_RATIO) || step > most {
                let message = format!(
                    "coupling.time_step must lie between the slow time {least:.3e} of a step of the finest rung, where the common Brownian path is known, and a fiftieth {most:.3e} of the horizon, not be {step:e}"
                );
                return self.fail("coupling.time_step", message, "leave it out for a default");
            }
        }
        Ok(())
    }
}
