//! From a noisy loss to what the theory is made of: Γ and its projectors, Reg, G, Σ, the regime, the limit's drift.
//!
//! Nothing here knows a particular model: gradients over dual and hyper-dual numbers and linear algebra on
//! range(H). Sums of squares are served in the row space of their Jacobian (`least_squares`), other losses by dense m×m
//! linear algebra; the two are tested against each other.

mod covariance;
pub mod derivatives;
mod drift;
mod duals;
mod flow_map;
mod frame;
mod least_squares;
mod noise_order;
mod regime;
mod regularizer;

pub use covariance::Covariance;
pub(crate) use covariance::TANGENTIAL;
pub use drift::{
    contracted_third_derivative, normal_covariance, normal_regularization, tangential_drift,
};
pub(crate) use duals::{Duals, HyperDual};
pub use flow_map::{descent_limit, flow_map};
pub use frame::{Frame, RowSpace, project, rank_at_minimum, rank_on_manifold, retract};
pub(crate) use frame::{PROJECTION_ITERATIONS, PROJECTION_TOLERANCE, RANK_TOLERANCE, ZERO_LOSS};
pub use least_squares::{Jacobian, minibatch_growth};
pub use noise_order::{NoiseOrder, noise_order};
pub use regime::{
    PointEvidence, REGIME_TOLERANCE, Regime, RegimeEvidence, evidence_at, regime_near,
};
pub use regularizer::{Masks, Regularizer, regularizer_gradient, regularizer_value};

/// Why the manifold, or something on it, could not be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GeometryError {
    /// The gradient flow stops where the loss is positive.
    #[error(
        "the loss does not reach zero from this start: it stops at L = {loss:.3e} (w = {}); the theory needs a zero-loss manifold, so change the start or the model",
        short(w)
    )]
    NoZero {
        /// The smallest loss reached.
        loss: f64,
        /// Where.
        w: Vec<f64>,
    },
    /// The loss is negative.
    #[error(
        "the loss is negative on the way to its minimum: L = {loss:.3e} (w = {}); the theory is about losses L ≥ 0 with a manifold of zeros, so add to the loss what it lacks",
        short(w)
    )]
    Negative {
        /// The loss.
        loss: f64,
        /// Where.
        w: Vec<f64>,
    },
    /// A number became infinite or NaN.
    #[error(
        "{what} is not finite at w = {}; is the start in the model's domain?",
        short(w)
    )]
    NotFinite {
        /// What was computed.
        what: &'static str,
        /// Where.
        w: Vec<f64>,
    },
    /// An iteration did not converge.
    #[error(
        "{what} did not converge in {iterations} iterations from w = {}: it got to L = {loss:.3e} with a gradient of {gradient:.1e}; start closer to the manifold",
        short(w)
    )]
    NoConvergence {
        /// Which iteration.
        what: &'static str,
        /// How many iterations were made.
        iterations: usize,
        /// |∇L| at the end.
        gradient: f64,
        /// L at the end.
        loss: f64,
        /// Where it began.
        w: Vec<f64>,
    },
    /// H lost rank: Γ is not a smooth manifold here.
    #[error(
        "the rank of H drops below {rank} at w = {} (eigenvalue {smallest:.1e} of {largest:.1e}): the manifold is not smooth there, and the theory does not reach it",
        short(w)
    )]
    RankChange {
        /// The rank at the start.
        rank: usize,
        /// The smallest eigenvalue on range(H).
        smallest: f64,
        /// λ_max.
        largest: f64,
        /// Where.
        w: Vec<f64>,
    },
    /// H has a negative eigenvalue at a zero of the loss.
    #[error(
        "H has the negative eigenvalue {smallest:.3e} (the largest is {largest:.3e}) at w = {}: near this zero the loss is negative, and nothing is held there; the theory is about losses L ≥ 0",
        short(w)
    )]
    Saddle {
        /// The negative eigenvalue.
        smallest: f64,
        /// λ_max.
        largest: f64,
        /// Where.
        w: Vec<f64>,
    },
    /// Γ is a point.
    #[error(
        "H has full rank {rank} at w = {}: the zero-loss set is a single point, along which nothing can move",
        short(w)
    )]
    IsolatedPoint {
        /// m.
        rank: usize,
        /// Where.
        w: Vec<f64>,
    },
    /// Something went wrong on the way of the limit.
    #[error("at slow time {time:.4} of the limit: {error}")]
    OnTheWay {
        /// Slow time.
        time: f64,
        /// What went wrong.
        error: Box<GeometryError>,
    },
    /// It was asked to stop on the way.
    #[error("stopped on request")]
    Cancelled,
}

impl GeometryError {
    /// The same error, at a slow time of the limit.
    pub fn at_time(self, time: f64) -> Self {
        let error = Box::new(self);
        Self::OnTheWay { time, error }
    }
}

/// The numbers of w, or the first six of many.
fn short(w: &[f64]) -> String {
    const SHOWN: usize = 6;
    if w.len() <= SHOWN {
        return format!("{w:?}");
    }
    let first: Vec<_> = w[..SHOWN].iter().map(|x| format!("{x:?}")).collect();
    format!("[{}, … ({} numbers)]", first.join(", "), w.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_six_numbers_at_most() {
        let message = |m: usize| {
            let w = (0..m).map(|i| i as f64).collect();
            GeometryError::NoZero { loss: 1.0, w }.to_string()
        };
        assert!(message(6).contains("(w = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])"));
        assert!(message(5000).contains("(w = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, … (5000 numbers)])"));
    }
}
