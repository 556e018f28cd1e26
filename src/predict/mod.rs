//! What theory says of a study before any iterate is simulated: landing point, regime, clock, iterations needed.

mod meaning;

pub use meaning::meanings;

use nalgebra::{DMatrix, DVector};

use crate::derive::{
    Frame, GeometryError, NoiseOrder, Regime, RegimeEvidence, descent_limit, flow_map,
    minibatch_growth, noise_order, rank_at_minimum, regime_near, regularizer_value,
};
use crate::limit::{Coefficients, LimitProcess};
use crate::models::{AnyModel, Model};
use crate::monitor::{Monitor, Silent, phase};
use crate::noise::Source;
use crate::random::{Law, Sampling};
use crate::scenario::{Clock, IntegratorKind, Level, LevelClock, ScenarioError, Study};
use crate::warning::Warning;

/// The prediction for one rung.
#[derive(Clone, Debug)]
pub struct LevelPrediction {
    /// The rung.
    pub level: Level,
    /// α·λ_max at the landing point; 2 and more is unstable.
    pub stability: f64,
    /// Iterations to the horizon.
    pub iterations: u64,
    /// Slow time at the horizon.
    pub slow_time: f64,
    /// Slow time that is never exceeded, if the schedule freezes the evolution.
    pub freezing_time: Option<f64>,
    /// Where noise-free gradient descent of this step size lands on Γ.
    pub landing: DVector<f64>,
}

/// The prediction for a study.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Φ(w₀).
    pub landing: DVector<f64>,
    /// Normal directions and eigenvalues of H there.
    pub frame: Frame,
    /// rank H.
    pub rank: usize,
    /// The regime with what it was derived from.
    pub evidence: RegimeEvidence,
    /// The slow clock; in the trivial regime the slower one.
    pub clock: Clock,
    /// Reg(Φ(w₀)) in units of σ².
    pub regularizer: f64,
    /// Drift and diffusion of the limit at Φ(w₀).
    pub coefficients: Coefficients,
    /// How ∇L̂ depends on η; if curved, the degenerate limit needs σ² ≪ α.
    pub noise_order: NoiseOrder,
    /// One for each level of the study.
    pub levels: Vec<LevelPrediction>,
}

impl Prediction {
    /// The regime.
    pub fn regime(&self) -> Regime {
        self.evidence.regime
    }

    /// The clock that the derived regime runs on, whatever the scenario claims.
    pub fn clock_of_regime(&self) -> Clock {
        match self.regime() {
            Regime::NonDegenerate => Clock::Fast,
            Regime::Degenerate | Regime::Trivial => Clock::Slow,
        }
    }

    /// Whether the limit has no Brownian part.
    pub fn is_deterministic(&self) -> bool {
        !self.evidence.is_stochastic()
    }

    /// The integrator of the limit: the scenario's, or the one that fits.
    pub fn integrator(&self, study: &Study) -> IntegratorKind {
        study
            .spec
            .limit
            .integrator
            .unwrap_or(if self.is_deterministic() {
                IntegratorKind::RungeKutta
            } else {
                IntegratorKind::EulerMaruyama
            })
    }

    /// 2/λ_max at the landing point.
    pub fn largest_stable_step_size(&self) -> f64 {
        2.0 / self.frame.largest_eigenvalue()
    }

    /// The limit process of the study.
    pub fn process<'a>(&self, study: &'a Study) -> LimitProcess<'a, AnyModel> {
        LimitProcess {
            noisy: &study.noisy,
            regime: self.regime(),
            rank: self.rank,
            faults: study.faults,
        }
    }

    /// The clock of a level.
    pub fn level_clock<'a>(&self, study: &'a Study, level: &Level) -> LevelClock<'a> {
        LevelClock::new(&study.schedule, self.clock, level.step_size, level.sigma)
    }
}

/// More iterations than this can't be counted exactly in floating point, nor waited for.
const MOST_ITERATIONS: f64 = 1e15;
const MOST_PATH_STEPS: f64 = 1e18;

/// Derives the prediction; simulates nothing but the noise-free way to Γ.
///
/// # Errors
/// The start does not reach Γ, Γ is not a manifold there, a step size of the ladder is unstable, the horizon is out of
/// reach, or the integrator does not fit the limit. Errors point at the line of the scenario.
pub fn predict(study: &Study) -> Result<Prediction, ScenarioError> {
    predict_watched(study, &Silent)
}

/// As [`predict`]; the monitor is told how it gets on. How long the way to Γ is cannot be known before.
///
/// # Errors
/// As [`predict`].
pub fn predict_watched(study: &Study, monitor: &dyn Monitor) -> Result<Prediction, ScenarioError> {
    let mut prediction = phase(monitor, ("way to Γ", "", 0), || at_landing(study))?;
    let start = DVector::from_column_slice(&study.start);
    let rungs = ("landing points", "rungs", study.levels.len());
    let level = |level| {
        let predicted = predict_level(study, &prediction, level, &start);
        monitor.advance(1);
        predicted
    };
    prediction.levels = phase(monitor, rungs, || {
        study.levels.iter().map(level).collect::<Result<_, _>>()
    })?;
    Ok(prediction)
}

/// All but the rungs.
fn at_landing(study: &Study) -> Result<Prediction, ScenarioError> {
    let blame = |key: &'static str| {
        move |error: GeometryError| study.source.error(key, error.to_string(), "")
    };
    masks_fit_in_memory(study)?;
    let noisy = &study.noisy;
    let start = DVector::from_column_slice(&study.start);
    let landing = flow_map(noisy, &start).map_err(blame("model.start"))?;
    let rank = rank_at_minimum(noisy, &landing).map_err(blame("model.start"))?;
    let frame = Frame::at(noisy, &landing, rank).map_err(blame("model.start"))?;
    for level in &study.levels {
        let product = level.step_size * frame.largest_eigenvalue();
        if product >= 2.0 {
            let largest = 2.0 / frame.largest_eigenvalue();
            let message = format!(
                "step size {} is unstable: α·λ_max = {product:.3} ≥ 2 where the start lands on Γ",
                level.step_size
            );
            let help = format!("the largest stable step size there is {}", short(largest));
            return Err(study.source.error("ladder.step_sizes", message, help));
        }
    }
    let masks = study.faults.masks;
    let evidence = regime_near(noisy, &landing, rank, masks).map_err(blame("model.start"))?;
    let mut prediction = Prediction {
        rank,
        evidence,
        clock: Clock::Slow,
        regularizer: regularizer_value(noisy, &landing, masks),
        coefficients: Coefficients {
            drift: DVector::zeros(landing.len()),
            diffusion: DMatrix::zeros(landing.len(), 0),
            isotropic: 0.0,
        },
        noise_order: noise_order(noisy, &landing),
        levels: Vec::new(),
        landing,
        frame,
    };
    prediction.clock = study
        .spec
        .limit
        .clock
        .unwrap_or(prediction.clock_of_regime());
    let process = prediction.process(study);
    prediction.coefficients = process.coefficients(&prediction.landing, &prediction.frame, 0.0);
    minibatches_are_derived(study, &prediction)?;
    minibatches_are_stable(study, &prediction)?;
    correction_is_derived(study, &prediction)?;
    integrator_fits(study, &prediction)?;
    coupling_is_exact(study, &prediction)?;
    Ok(prediction)
}

fn predict_level(
    study: &Study,
    prediction: &Prediction,
    level: &Level,
    start: &DVector<f64>,
) -> Result<LevelPrediction, ScenarioError> {
    let clock = prediction.level_clock(study, level);
    let nominal = study.horizon() / clock.unit();
    if nominal > MOST_ITERATIONS || nominal * level.paths as f64 > MOST_PATH_STEPS {
        let message = format!(
            "the horizon {} takes {nominal:.1e} iterations at step size {} with σ = {:.1e}",
            study.horizon(),
            level.step_size,
            level.sigma
        );
        let help = "take a shorter horizon, larger step sizes or a larger σ";
        return Err(study.source.error("ladder.horizon", message, help));
    }
    let landing = descent_limit(&study.noisy, start, level.step_size).map_err(|error| {
        let message = format!(
            "without noise, gradient descent with step size {} fails: {error}",
            level.step_size
        );
        study.source.error(
            "ladder.step_sizes",
            message,
            "take smaller step sizes or start closer to the manifold",
        )
    })?;
    let iterations = clock.iterations(study.horizon());
    Ok(LevelPrediction {
        level: *level,
        stability: level.step_size * prediction.frame.largest_eigenvalue(),
        iterations,
        slow_time: clock.slow_times(&[iterations])[0],
        freezing_time: clock.freezing_time(),
        landing,
    })
}

/// Real minibatches are O(1) noise that multiplies the others: what that does to Σ is derived for noise of the residuals in
/// the plain limit.
fn minibatches_are_derived(study: &Study, prediction: &Prediction) -> Result<(), ScenarioError> {
    let noisy = &study.noisy;
    if noisy.batch().is_none() || noisy.sources().len() == 1 {
        return Ok(());
    }
    let fail = |key, message, help| Err(study.source.error(key, message, help));
    if study.spec.limit.corrected {
        let message = "the corrected limit is not derived for other noises with minibatches, which change the fluctuations at finite step size";
        let help = "remove limit.corrected, or batch_size";
        return fail("limit.corrected", message, help);
    }
    let masks = |source: &Source| {
        source.law == Law::Bernoulli && source.batch.is_none() && study.faults.masks.are_exact()
    };
    if prediction.regime() == Regime::Degenerate && noisy.sources().iter().any(masks) {
        let message =
            "the degenerate limit is not derived for Bernoulli masks with minibatches at once";
        return fail("noise", message, "remove batch_size, or take another law");
    }
    Ok(())
}

/// The correction for finite step sizes holds for small independent noise of the residuals or of the gradient in a
/// degenerate limit, and for a non-degenerate one without a Brownian part; masks that jump have no such correction.
fn correction_is_derived(study: &Study, prediction: &Prediction) -> Result<(), ScenarioError> {
    if !study.spec.limit.corrected {
        return Ok(());
    }
    let fail = |message| {
        let help = "remove limit.corrected";
        Err(study.source.error("limit.corrected", message, help))
    };
    let masks = |source: &Source| source.law == Law::Bernoulli && study.faults.masks.are_exact();
    if study.noisy.sources().iter().any(masks) {
        return fail("the corrected limit is not derived for Bernoulli masks, which jump");
    }
    let found = prediction.evidence;
    if prediction.regime() == Regime::NonDegenerate && found.largest.brownian > found.tolerance {
        return fail(
            "the corrected limit is not derived for a non-degenerate noise with a part along Γ: at finite step size it has a Brownian part of size √α",
        );
    }
    Ok(())
}

/// With real minibatches the mean square of the fluctuations must not grow, which asks for more than α·λ_max < 2.
fn minibatches_are_stable(study: &Study, prediction: &Prediction) -> Result<(), ScenarioError> {
    let (Some(batch), Some(rows)) = (study.noisy.batch(), &prediction.frame.rows) else {
        return Ok(());
    };
    // In epochs the steps are not independent, and the growth is another one.
    if batch.sampling == Sampling::Epochs {
        return Ok(());
    }
    for level in &study.levels {
        let growth = minibatch_growth(&rows.jacobian, batch, level.step_size);
        if growth > 1.0 {
            let message = format!(
                "step size {} is unstable with batches of {}: the mean square of the residuals grows by a factor {growth:.3} a step where the start lands on Γ, although α·λ_max = {:.3} < 2",
                level.step_size,
                batch.size,
                level.step_size * prediction.frame.largest_eigenvalue()
            );
            let help = "take smaller step sizes or larger batches";
            return Err(study.source.error("ladder.step_sizes", message, help));
        }
    }
    Ok(())
}

/// One column of length m is kept for each mask that jumps.
const MOST_MASK_VALUES: usize = 200_000_000;

fn masks_fit_in_memory(study: &Study) -> Result<(), ScenarioError> {
    let m = study.noisy.dimension();
    for (i, (source, part)) in study.noisy.parts().enumerate() {
        let masks = source.law == Law::Bernoulli && study.faults.masks.are_exact();
        if masks && part.len().saturating_mul(m) > MOST_MASK_VALUES {
            let message = format!(
                "{} Bernoulli masks on {m} parameters would keep {:.1e} numbers",
                part.len(),
                part.len() as f64 * m as f64
            );
            let help = "take a smaller network or law = \"gaussian\"";
            let key = format!("noise.{i}.law");
            return Err(study.source.error(&key, message, help));
        }
    }
    Ok(())
}

/// What a reader should know before trusting the comparison; nothing for most studies.
pub fn warnings(study: &Study, prediction: &Prediction) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if !study.noisy.model().is_smooth() {
        warnings.push(Warning::PiecewiseSmooth);
    }
    if prediction.noise_order == NoiseOrder::Curved && prediction.regime() == Regime::Degenerate {
        let ratio = |level: &Level| level.sigma.powi(2) / level.step_size;
        let ratio = study.levels.iter().map(ratio).fold(0.0, f64::max);
        warnings.push(Warning::BiasedGradient { ratio });
    }
    warnings
}

/// Other Brownian parts than that of sgld noise, beyond this share of it, would not be coupled.
const UNCOUPLED_SHARE: f64 = 1e-6;

/// The sums of η are the Brownian motion of the degenerate limit on its own clock, and of no other.
fn coupling_is_exact(study: &Study, prediction: &Prediction) -> Result<(), ScenarioError> {
    if study.spec.coupling.is_none() {
        return Ok(());
    }
    let fail = |key, message: String, help| Err(study.source.error(key, message, help));
    if prediction.regime() != Regime::Degenerate || prediction.is_deterministic() {
        let message = format!(
            "[coupling] drives iterates and limit by one Brownian path, but the {} limit here has none",
            prediction.regime()
        );
        return fail("coupling", message, "remove [coupling]");
    }
    if prediction.clock != Clock::Slow {
        let message = "[coupling] is exact on the clock t = kα²σ² only, on which sums of η are a Brownian motion";
        return fail(
            "limit.clock",
            message.into(),
            "remove limit.clock, or [coupling]",
        );
    }
    let found = &prediction.coefficients;
    if found.diffusion.norm() > UNCOUPLED_SHARE * found.isotropic.abs() {
        let message =
            "[coupling] couples the Brownian part of sgld noise, but another noise has one too";
        return fail(
            "coupling",
            message.into(),
            "remove the other noise, or [coupling]",
        );
    }
    Ok(())
}

fn integrator_fits(study: &Study, prediction: &Prediction) -> Result<(), ScenarioError> {
    let limit = &study.spec.limit;
    let euler = prediction.integrator(study) == IntegratorKind::EulerMaruyama;
    if !euler && !prediction.is_deterministic() {
        let message = "the limit has a Brownian part, which runge-kutta can't integrate";
        let help = "set limit.integrator = \"euler-maruyama\" or leave it out";
        return Err(study.source.error("limit.integrator", message, help));
    }
    let faults = study.faults;
    for (key, planted, holds, needs) in [
        (
            "limit.diffusion_scale",
            faults.diffusion_scale != 1.0,
            !prediction.is_deterministic(),
            "a stochastic limit",
        ),
        (
            "limit.ito_correction",
            !faults.ito_correction,
            prediction.regime() == Regime::Degenerate,
            "a degenerate noise",
        ),
        (
            "limit.lyapunov",
            faults.lyapunov,
            limit.corrected,
            "limit.corrected = true",
        ),
    ] {
        if planted && !holds {
            let message = format!("the fault {key} has no effect here: it needs {needs}");
            return Err(study.source.error(key, message, "remove it"));
        }
    }
    for (key, given) in [
        ("limit.time_step", limit.time_step.is_some()),
        ("limit.paths", limit.paths.is_some()),
    ] {
        if given && !euler {
            let message = format!(
                "{key} is of the euler-maruyama integrator, but this limit is deterministic"
            );
            let help = "remove it, or set limit.integrator = \"euler-maruyama\"";
            return Err(study.source.error(key, message, help));
        }
    }
    Ok(())
}

fn short(x: f64) -> String {
    if x >= 1e-3 {
        format!("{x:.4}")
    } else {
        format!("{x:.3e}")
    }
}
