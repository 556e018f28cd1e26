//! Tests the derived limit alone, without iterates: every closed form of the theory, the finite-step correction, and
//! the weak order of the projected Euler–Maruyama scheme.
//!
//! Deterministic limits are compared to a relative error of 1e-7. Statistical assertions use 5.3 standard errors (false
//! alarm 1.2e-7 each) or the Kolmogorov–Smirnov distance 2.85/√n (1.8e-7 each), so that each test has a false alarm below
//! 1e-6. Each test also shows that a planted error is rejected by its own criterion.

mod deterministic;
mod diffusions;
mod weak_order;

use nalgebra::DVector;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use singlim::derive::{Frame, Masks, Regime, flow_map, rank_on_manifold, regime_near};
use singlim::limit::{EnsemblePlan, Faults, LimitProcess, run_ensemble, run_flow};
use singlim::models::{
    AnyModel, Circle, Product, Profile, Sphere, TwoProducts, Valley, WideningValley,
};
use singlim::noise::{Mechanism, NoisyLoss, Source};
use singlim::random::Law;
use statrs::distribution::{ChiSquared, ContinuousCDF, Discrete, Poisson};

/// Largest relative error of a deterministic limit; the integrator runs at 1e-11 and the landing point is good to 1e-9.
const FLOW_ERROR: f64 = 1e-7;
/// Two-sided false alarm 1.2e-7 for a normal mean.
const SIGMAS: f64 = 5.3;
/// √n times the Kolmogorov distance exceeds this with probability below 2e^{−2·2.85²} = 1.8e-7.
const KOLMOGOROV: f64 = 2.85;

/// A noisy loss with the point of Γ on which its start lands.
struct Landed {
    noisy: NoisyLoss<AnyModel>,
    regime: Regime,
    start: DVector<f64>,
    rank: usize,
}

/// Finds landing point and rank, and asserts the regime and the rank.
fn land(model: AnyModel, (mechanism, law): (Mechanism, Law), w0: &[f64], regime: Regime) -> Landed {
    let source = Source::new(mechanism, law);
    let noisy = NoisyLoss::new(model, vec![source]).unwrap();
    let start = flow_map(&noisy, &DVector::from_column_slice(w0)).unwrap();
    let rank = rank_on_manifold(&noisy, &start).unwrap();
    assert_eq!(rank, 1);
    let found = regime_near(&noisy, &start, rank, Masks::NonLocal).unwrap();
    assert_eq!(found.regime, regime, "{found:?}");
    Landed {
        noisy,
        regime,
        start,
        rank,
    }
}

impl Landed {
    fn process(&self, faults: Faults) -> LimitProcess<'_, AnyModel> {
        LimitProcess {
            noisy: &self.noisy,
            regime: self.regime,
            rank: self.rank,
            faults,
        }
    }

    /// The largest relative error of `observe` along the deterministic limit against `exact`.
    fn worst(
        &self,
        faults: Faults,
        step_size: f64,
        times: &[f64],
        observe: impl Fn(&DVector<f64>) -> f64,
        exact: impl Fn(f64) -> f64,
    ) -> f64 {
        let process = self.process(faults);
        let found = regime_near(&self.noisy, &self.start, self.rank, faults.masks).unwrap();
        assert!(!found.is_stochastic());
        let points =
            run_flow(&process, &self.start, times, 1e-11, |_| step_size, |_| true).unwrap();
        assert_eq!(points.len(), times.len());
        points
            .iter()
            .map(|p| (observe(&p.w) / exact(p.time) - 1.0).abs())
            .fold(0.0, f64::max)
    }

    /// `observe` follows `exact` along the limit, and a drift of 1.2 times the size does not.
    fn assert_follows(
        &self,
        times: &[f64],
        observe: impl Fn(&DVector<f64>) -> f64,
        exact: impl Fn(f64) -> f64,
    ) {
        let error = self.worst(Faults::default(), 0.0, times, &observe, &exact);
        assert!(error < FLOW_ERROR, "relative error {error:.1e}");
        let faster = Faults {
            drift_scale: 1.2,
            ..Faults::default()
        };
        let error = self.worst(faster, 0.0, times, &observe, &exact);
        assert!(error > 1e-2, "a rate of 1.2 times the size: {error:.1e}");
    }

    /// `observe` of an ensemble of the stochastic limit: one row of `times.len()` values a path.
    fn sample<T: Send>(
        &self,
        faults: Faults,
        (paths, time_step, seed): (usize, f64, u64),
        times: &[f64],
        observe: impl Fn(&DVector<f64>) -> T + Sync,
    ) -> Vec<Vec<T>> {
        let plan = EnsemblePlan {
            paths,
            first_path: 0,
            times,
            time_step,
            merged: 1,
            seed,
            level: 0,
        };
        run_ensemble(
            &self.process(faults),
            &self.start,
            &plan,
            |_| 0.0,
            |_, w, _| observe(w),
            || true,
        )
        .into_iter()
        .map(|row| row.unwrap())
        .collect()
    }
}

fn column(rows: &[Vec<f64>], index: usize) -> Vec<f64> {
    rows.iter().map(|row| row[index]).collect()
}

/// Mean and its standard error.
fn mean_of(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Whether a mean agrees with `expected` within 5.3 standard errors and the declared `bias` of the scheme.
fn agrees(values: &[f64], expected: f64, bias: f64) -> bool {
    let (mean, se) = mean_of(values);
    (mean - expected).abs() < SIGMAS * se + bias
}

/// sup |F_n − F|.
fn kolmogorov_distance(values: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    sorted.iter().enumerate().fold(0.0, |worst: f64, (i, &x)| {
        let f = cdf(x);
        worst.max(f - i as f64 / n).max((i + 1) as f64 / n - f)
    })
}

/// Whether a sample has the law `cdf`, up to a declared `bias` of the scheme's distribution function.
fn has_law(values: &[f64], cdf: impl Fn(f64) -> f64, bias: f64) -> bool {
    kolmogorov_distance(values, cdf) < KOLMOGOROV / (values.len() as f64).sqrt() + bias
}

fn imbalance(w: &DVector<f64>) -> f64 {
    w[0] * w[0] - w[1] * w[1]
}

fn excess(w: &DVector<f64>) -> f64 {
    w.norm_squared().powi(2) - 4.0
}

/// tan ψ, ψ = 2·angle(u).
fn tan_psi(w: &DVector<f64>) -> f64 {
    2.0 * w[0] * w[1] / (w[0] * w[0] - w[1] * w[1])
}

/// r = 4p(1 − p), p = a₁b₁.
fn mixing(w: &DVector<f64>) -> f64 {
    let p = w[0] * w[1];
    4.0 * p * (1.0 - p)
}

/// The solution of ṙ = rate·r(1 − r).
fn logistic(r0: f64, exponent: f64) -> f64 {
    let odds = r0 / (1.0 - r0) * exponent.exp();
    odds / (1.0 + odds)
}
