//! Are the two time scales separate on this ladder: how far does the limit move while the iterates relax to Γ, and have
//! they got there when they are first compared with it?

use nalgebra::DVector;

use super::{Check, Displacement, Evidence};
use crate::derive::Regime;
use crate::scenario::{Clock, LevelClock};
use crate::simulate::LevelRun;
use crate::statistics::Outcome;

/// Beyond this share of the way within one relaxation time, an error is no longer a power series in α of which the first
/// terms tell the rest.
const LARGEST_LAG: f64 = 0.3;

/// The lag on the coarsest rung: the share of an observable's way that the limit covers at its initial speed within
/// 1/(α λ_min) iterations, the relaxation time of the slowest mode of the fast phase.
pub(super) fn lag(evidence: &Evidence) -> Option<Check> {
    if evidence.prediction.regime() == Regime::Trivial || !evidence.is_deterministic() {
        return None;
    }
    let slowest = evidence.prediction.frame.smallest_eigenvalue();
    let level = evidence.ladder[0].level;
    let clock = evidence.prediction.clock;
    let schedule = &evidence.study.schedule;
    let unit = LevelClock::new(schedule, clock, level.step_size, level.sigma).unit();
    let iterations = 1.0 / (level.step_size * slowest);
    let (share, observable) = evidence
        .observables()
        .filter_map(|(observable, name)| {
            let displacement = Displacement::of(evidence, observable);
            let share = speed(evidence, observable) * iterations * unit / displacement.scale;
            displacement.moves.then_some((share, name))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let separate = share <= LARGEST_LAG;
    let mut check = Check::of(
        "separation",
        if separate {
            Outcome::Pass
        } else {
            Outcome::Inconclusive
        },
        format!(
            "while the slowest mode (λ = {slowest:.2e}) relaxes by a factor e in {iterations:.0} iterations at α = {}, the limit moves {observable} by {:.0} % of its way{}",
            level.step_size,
            100.0 * share,
            if separate {
                ""
            } else {
                ": the time scales are not separate there, and errors can't be extrapolated; take a smaller σ, or smaller step sizes"
            }
        ),
    );
    check.estimate = Some(share);
    Some(check)
}

/// Where the start is not on Γ: at the first compared record of each rung the way to Γ must be behind the iterates, its
/// slowest mode decayed below a tenth of the margin.
pub(super) fn fast_phase(evidence: &Evidence) -> Option<Check> {
    let start = DVector::from_column_slice(&evidence.study.start);
    let landing = &evidence.prediction.landing;
    let off = (&start - landing).norm() > 1e-6 * (1.0 + start.norm());
    if !off || evidence.prediction.regime() == Regime::Trivial {
        return None;
    }
    let slowest = evidence.prediction.frame.smallest_eigenvalue();
    let needed = (10.0 / evidence.margins().mean).ln();
    let decays = |run: &&LevelRun| {
        let (level, first) = (run.level, run.iterations[run.compared[0]]);
        let schedule = &evidence.study.schedule;
        // Σ α_k: slow time on the fast clock with σ = 1.
        let clock = LevelClock::new(
            schedule,
            evidence.prediction.clock,
            level.step_size,
            level.sigma,
        )
        .counting(Clock::Fast);
        let sum = clock.slow_times(&[first])[0] / level.sigma.powi(2);
        (sum * slowest, first, level.step_size)
    };
    let (least, first, step_size) = evidence
        .ladder
        .iter()
        .map(decays)
        .min_by(|a, b| a.0.total_cmp(&b.0))?;
    let over = least >= needed;
    let mut check = Check::of(
        "fast phase",
        if over {
            Outcome::Pass
        } else {
            Outcome::Inconclusive
        },
        format!(
            "at the first record compared, iteration {first} at α = {step_size}, the slowest mode (λ = {slowest:.2e}) has decayed by e^−{least:.1}; e^−{needed:.1} is asked for{}",
            if over {
                ""
            } else {
                ": the iterates are still on their way to Γ; take later records, a smaller σ or a start on Γ"
            }
        ),
    );
    check.estimate = Some(least);
    Some(check)
}

/// |d o(W(t))/dt| at t = 0, by a central difference along the drift.
fn speed(evidence: &Evidence, observable: usize) -> f64 {
    let (w, study) = (&evidence.prediction.landing, evidence.study);
    let drift = &evidence.prediction.coefficients.drift;
    let h = 1e-5 * (1.0 + w.norm()) / drift.norm().max(f64::MIN_POSITIVE);
    let (_, function) = &study.observables[observable];
    let at = |time: f64| {
        let moved = w + drift * time;
        let (rank, masks) = (evidence.prediction.rank, study.faults.masks);
        function.value(&study.noisy, moved.as_slice(), rank, masks)
    };
    ((at(h) - at(-h)) / (2.0 * h)).abs()
}
