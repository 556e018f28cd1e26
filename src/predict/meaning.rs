//! What each noise regularises, in words and numbers: the words are checked against the derived drift before they are said.

use nalgebra::{DMatrix, DVector};

use super::Prediction;
use crate::derive::{
    Covariance, Frame, Regime, contracted_third_derivative, regime_near, regularizer_value,
};
use crate::limit::{Faults, LimitProcess};
use crate::models::{AnyModel, Model};
use crate::noise::{Mechanism, NoisyLoss, Source};
use crate::random::Law;
use crate::scenario::Study;

/// Two vectors that differ by less than this share are taken for the same.
const SAME: f64 = 1e-6;

/// One line for each noise of a study, at the point where it lands on Γ. Real minibatches act on the other noises as well
/// as by themselves.
pub fn meanings(study: &Study, prediction: &Prediction) -> Vec<String> {
    let noisy = &study.noisy;
    let minibatches: Vec<Source> = noisy
        .sources()
        .iter()
        .copied()
        .filter(|source| source.batch.is_some())
        .collect();
    let line = |&source: &Source| {
        let mut alone = vec![source];
        if source.batch.is_none() {
            alone.extend(&minibatches);
        }
        let words = NoisyLoss::new(noisy.model().clone(), alone)
            .map_err(|error| error.to_string())
            .and_then(|alone| meaning(&alone, source, prediction));
        let words = words.unwrap_or_else(|error| format!("not derived: {error}"));
        let batched = if source.batch.is_none() && !minibatches.is_empty() {
            " with minibatches"
        } else {
            ""
        };
        let scaled = if source.batch.is_none() && source.scale != 1.0 {
            format!(", times scale² = {}", source.scale.powi(2))
        } else {
            String::new()
        };
        format!("{}{batched}: {words}{scaled}", name(source))
    };
    noisy.sources().iter().map(line).collect()
}

fn name(source: Source) -> &'static str {
    match source.mechanism {
        Mechanism::Label => "label noise",
        Mechanism::Minibatch => "minibatch noise",
        Mechanism::Dropconnect => "DropConnect",
        Mechanism::Dropout => "Dropout",
        Mechanism::AntiPgd => "anti-correlated PGD",
        Mechanism::Sgld => "SGLD",
        Mechanism::Formula => "the formula's noise",
    }
}

fn meaning(
    noisy: &NoisyLoss<AnyModel>,
    source: Source,
    prediction: &Prediction,
) -> Result<String, String> {
    let (w, frame, rank) = (&prediction.landing, &prediction.frame, prediction.rank);
    let faults = Faults::default();
    let masks = faults.masks;
    let found = regime_near(noisy, w, rank, masks).map_err(|error| error.to_string())?;
    let process = LimitProcess {
        noisy,
        regime: found.regime,
        rank,
        faults,
    };
    let drift = process.coefficients(w, frame, 0.0).drift;
    let brownian = if found.is_stochastic() {
        let size = Covariance::at(noisy, w, frame, masks).tangential_norm(frame);
        format!("Brownian part of size {size:.4}")
    } else {
        "no Brownian part".to_owned()
    };
    if found.regime == Regime::Trivial {
        return Ok("nothing: its gradient vanishes on Γ, where nothing moves".into());
    }
    if let Some(multiple) = of_trace(noisy, w, frame, &drift)
        && let Some(words) = trace_in_words(noisy, source, multiple)
    {
        let value = multiple / source.scale.powi(2) * frame.eigenvalues.sum();
        return Ok(format!("flow of −{words} = −{value:.6} here; {brownian}"));
    }
    let value = regularizer_value(noisy, w, masks) / source.scale.powi(2);
    Ok(match found.regime {
        Regime::NonDegenerate => {
            format!(
                "flow of −Reg, Reg = {} = {value:.6} here",
                reg_in_words(source)
            )
        }
        _ if source.mechanism == Mechanism::Sgld => format!(
            "drift −¼∇ log det H over the nonzero eigenvalues, of size {:.4} here; {brownian}",
            drift.norm() / source.scale.powi(2)
        ),
        _ => format!(
            "Reg = {} is constant on Γ; a drift ½∂²Φ[Σ] of size {:.4} remains; {brownian}",
            reg_in_words(source),
            drift.norm() / source.scale.powi(2)
        ),
    })
}

/// c, if the drift is −c P∇tr H. On Γ, P∇tr H = P`∂³L[Q]`.
fn of_trace(
    noisy: &NoisyLoss<AnyModel>,
    w: &DVector<f64>,
    frame: &Frame,
    drift: &DVector<f64>,
) -> Option<f64> {
    let normal = DMatrix::identity(frame.eigenvalues.len(), frame.eigenvalues.len());
    let slope = contracted_third_derivative(noisy, w, frame, &normal);
    let multiple = -drift.dot(&slope) / slope.norm_squared();
    let rest = (drift + &slope * multiple).norm();
    (slope.norm() > 0.0 && rest <= SAME * drift.norm()).then_some(multiple)
}

fn trace_in_words(
    noisy: &NoisyLoss<AnyModel>,
    source: Source,
    multiple: f64,
) -> Option<&'static str> {
    let samples = noisy.model().least_squares().map_or(1, |l| l.samples) as f64;
    let unit = source.scale.powi(2);
    let weights = noisy
        .batch()
        .map_or(0.0, |batch| batch.variance(samples as usize));
    let known = [
        ("½ tr H", 0.5),
        ("(1/4N) tr H", 0.25 / samples),
        (
            "(1/4N)(1 + Var) tr H, Var that of the samples' weights,",
            0.25 * (1.0 + weights) / samples,
        ),
    ];
    let same = |value: f64| (multiple - unit * value).abs() <= SAME * multiple;
    let found = known.into_iter().find(|(_, value)| same(*value));
    found.map(|(words, _)| words)
}

fn reg_in_words(source: Source) -> &'static str {
    let masks = source.law == Law::Bernoulli;
    match (source.mechanism, masks) {
        (Mechanism::Dropconnect, false) => "½ Σ_j w_j² H_jj",
        (Mechanism::Dropconnect, true) => "Σ_j [L(w without w_j) − L(w)]",
        (Mechanism::Dropout, false) => "1/(2N) Σ_i Σ_u (effect of unit u on f(x_i))²",
        (Mechanism::Dropout, true) => "Σ_u [L(w without unit u) − L(w)]",
        (Mechanism::AntiPgd, _) => "½ tr H",
        (Mechanism::Formula, true) => "Σ_c [L̂(w, −e_c) − L(w)]",
        _ => "½ tr ∂²_η L̂",
    }
}
