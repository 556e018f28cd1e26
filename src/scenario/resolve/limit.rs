//! The limit's integrator, planted faults, and what they are about.

use super::{FEWEST_PATHS, Resolver, Result};
use crate::random::Law;
use crate::scenario::spec::{IntegratorKind, MasksSpec};

impl Resolver<'_> {
    pub(super) fn limit(&self) -> Result<()> {
        let limit = &self.spec.limit;
        self.within("limit.tolerance", limit.tolerance, (1e-13, 1e-2))?;
        for (key, scale) in [
            ("limit.drift_scale", limit.drift_scale),
            ("limit.diffusion_scale", limit.diffusion_scale),
        ] {
            if !scale.is_finite() || scale.abs() > 1e3 {
                return self.fail(
                    key,
                    format!("{key} must be finite and at most 1000, not {scale}"),
                    "1 is the theory",
                );
            }
        }
        if limit.paths.is_some_and(|paths| paths < FEWEST_PATHS) {
            return self.fail(
                "limit.paths",
                format!("limit.paths must be at least {FEWEST_PATHS}"),
                format!("the nearest valid value is {FEWEST_PATHS}"),
            );
        }
        if limit.integrator == Some(IntegratorKind::RungeKutta) {
            let message = |key| {
                format!(
                    "{key} is of the euler-maruyama integrator; runge-kutta has limit.tolerance"
                )
            };
            if limit.time_step.is_some() {
                return self.fail(
                    "limit.integrator",
                    message("limit.time_step"),
                    "remove one of them",
                );
            }
            if limit.paths.is_some() {
                return self.fail("limit.paths", message("limit.paths"), "remove one of them");
            }
        }
        if let Some(step) = limit.time_step {
            self.positive("limit.time_step", step)?;
            let steps = self.spec.ladder.horizon / step;
            if !(50.0..=1e7).contains(&steps) {
                let message =
                    format!("limit.time_step {step:e} makes {steps:.1e} steps to the horizon");
                return self.fail(
                    "limit.time_step",
                    message,
                    "between 50 and 10⁷ steps are sensible; 200 is the default",
                );
            }
        }
        let masks = self
            .spec
            .noise
            .iter()
            .any(|noise| noise.law == Law::Bernoulli);
        if limit.masks == MasksSpec::Local && !masks {
            let message = "limit.masks = \"local\" needs a noise with law = \"bernoulli\"";
            return self.fail("limit.masks", message, "remove it");
        }
        Ok(())
    }
}
