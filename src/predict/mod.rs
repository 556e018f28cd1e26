//! What theory says of a study before any iterate is simulated: landing point, regime, clock, iterations needed.

use nalgebra::DVector;

use crate::derive::{
    Frame, GeometryError, Regime, RegimeEvidence, descent_limit, flow_map, is_affine_in_noise,
    rank_on_manifold, regime_near, regularizer_value,
};
use crate::limit::{Coefficients, LimitProcess};
use crate::models::AnyModel;
use crate::scenario::{Clock, Level, LevelClock, Study};

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
    /// Whether ∇L̂ is affine in η; if not, the degenerate limit needs σ² ≪ α.
    pub affine_in_noise: bool,
    /// One for each level of the study.
    pub levels: Vec<LevelPrediction>,
}

impl Prediction {
    /// The regime.
    pub fn regime(&self) -> Regime {
        self.evidence.regime
    }

    /// Whether the limit has no Brownian part.
    pub fn is_deterministic(&self) -> bool {
        !self.evidence.is_stochastic()
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

/// Derives the prediction; simulates nothing but the noise-free way to Γ.
///
/// # Errors
/// The start does not reach Γ, Γ is not a manifold there, or a step size of the ladder is unstable.
pub fn predict(study: &Study) -> Result<Prediction, GeometryError> {
    let noisy = &study.noisy;
    let start = DVector::from_column_slice(&study.start);
    let landing = flow_map(noisy, &start)?;
    let rank = rank_on_manifold(noisy, &landing)?;
    let frame = Frame::at(noisy, &landing, rank)?;
    for level in &study.levels {
        let product = level.step_size * frame.largest_eigenvalue();
        if product >= 2.0 {
            return Err(GeometryError::Unstable {
                step_size: level.step_size,
                product,
                largest: 2.0 / frame.largest_eigenvalue(),
                w: landing.as_slice().to_vec(),
            });
        }
    }
    let masks = study.faults.masks;
    let evidence = regime_near(noisy, &landing, rank, masks)?;
    let of_regime = match evidence.regime {
        Regime::NonDegenerate => Clock::Fast,
        Regime::Degenerate | Regime::Trivial => Clock::Slow,
    };
    let mut prediction = Prediction {
        rank,
        evidence,
        clock: study.spec.limit.clock.unwrap_or(of_regime),
        regularizer: regularizer_value(noisy, &landing, masks),
        coefficients: Coefficients {
            drift: DVector::zeros(landing.len()),
            diffusion: nalgebra::DMatrix::zeros(landing.len(), noisy.noise_dimension()),
        },
        affine_in_noise: is_affine_in_noise(noisy, &landing),
        levels: Vec::new(),
        landing,
        frame,
    };
    let process = prediction.process(study);
    prediction.coefficients = process.coefficients(&prediction.landing, &prediction.frame, 0.0);
    for level in &study.levels {
        let clock = prediction.level_clock(study, level);
        let iterations = clock.iterations(study.horizon());
        prediction.levels.push(LevelPrediction {
            level: *level,
            stability: level.step_size * prediction.frame.largest_eigenvalue(),
            iterations,
            slow_time: clock.slow_times(&[iterations])[0],
            freezing_time: clock.freezing_time(),
            landing: descent_limit(noisy, &start, level.step_size)?,
        });
    }
    Ok(prediction)
}
