//! The schedule of the step size, with the options of its kind and no others.

use super::{Resolver, Result};
use crate::scenario::Schedule;
use crate::scenario::spec::ScheduleKind;

impl Resolver<'_> {
    pub(super) fn schedule(&self) -> Result<Schedule> {
        let spec = &self.spec.schedule;
        let kind = spec.kind;
        for (option, given, of, name) in [
            (
                "gamma",
                spec.gamma.is_some(),
                ScheduleKind::Polynomial,
                "polynomial",
            ),
            (
                "decay_time",
                spec.decay_time.is_some(),
                ScheduleKind::Polynomial,
                "polynomial",
            ),
            (
                "decay_steps",
                spec.decay_steps.is_some(),
                ScheduleKind::Polynomial,
                "polynomial",
            ),
            (
                "pieces",
                spec.pieces.is_some(),
                ScheduleKind::Piecewise,
                "piecewise",
            ),
            (
                "floor",
                spec.floor.is_some(),
                ScheduleKind::Cosine,
                "cosine",
            ),
        ] {
            if given && of != kind {
                let message = format!("`{option}` belongs to the {name} schedule");
                let help = format!("set schedule.kind = \"{name}\" or remove it");
                return self.fail(&format!("schedule.{option}"), message, help);
            }
        }
        match kind {
            ScheduleKind::Constant => Ok(Schedule::Constant),
            ScheduleKind::Polynomial => self.polynomial(),
            ScheduleKind::Piecewise => self.piecewise(),
            ScheduleKind::Cosine => {
                let floor = spec.floor.unwrap_or(0.0);
                if (0.0..1.0).contains(&floor) {
                    let horizon = self.spec.ladder.horizon;
                    return Ok(Schedule::Cosine { floor, horizon });
                }
                self.fail(
                    "schedule.floor",
                    format!("schedule.floor must lie in [0, 1), not {floor}"),
                    "0 is the default",
                )
            }
        }
    }

    fn polynomial(&self) -> Result<Schedule> {
        let spec = &self.spec.schedule;
        let Some(gamma) = spec.gamma else {
            return self.fail(
                "schedule",
                "the polynomial schedule needs schedule.gamma",
                "add gamma = 0.75, say: α_k = α (1 + k/k₀)^−γ",
            );
        };
        self.positive("schedule.gamma", gamma)?;
        match (spec.decay_time, spec.decay_steps) {
            (Some(decay_time), None) => {
                self.positive("schedule.decay_time", decay_time)?;
                Ok(Schedule::Polynomial { gamma, decay_time })
            }
            (None, Some(decay_steps)) => {
                self.positive("schedule.decay_steps", decay_steps)?;
                Ok(Schedule::PolynomialInSteps { gamma, decay_steps })
            }
            _ => self.fail(
                "schedule",
                "the polynomial schedule needs one of schedule.decay_time and schedule.decay_steps",
                "k₀ is given as a slow time or as a number of steps",
            ),
        }
    }

    fn piecewise(&self) -> Result<Schedule> {
        let Some(given) = &self.spec.schedule.pieces else {
            let message = "the piecewise schedule needs schedule.pieces = [[from, factor], …]";
            return self.fail("schedule", message, "example: [[0.0, 1.0], [0.5, 0.1]]");
        };
        let pieces: Vec<[f64; 2]> = given
            .iter()
            .filter_map(|p| p.as_slice().try_into().ok())
            .collect();
        let good = pieces.len() == given.len()
            && pieces.first().is_some_and(|piece| piece[0] == 0.0)
            && pieces.windows(2).all(|p| p[0][0] < p[1][0])
            && pieces
                .iter()
                .all(|p| p[0].is_finite() && p[1] > 0.0 && p[1] <= 1.0);
        if good {
            return Ok(Schedule::Piecewise(pieces));
        }
        self.fail(
            "schedule.pieces",
            "pieces are pairs [from, factor] that begin at 0, increase in time and have factors in (0, 1]",
            "example: [[0.0, 1.0], [0.5, 0.1]]",
        )
    }
}
