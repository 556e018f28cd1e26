//! How far an observable moves in the limit: the unit in which margins are declared.

use nalgebra::DVector;

use super::Evidence;
use crate::predict::Prediction;
use crate::scenario::Study;

/// The total displacement of an observable along the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Displacement {
    /// The unit of the margins; 0 where the observable can't tell anything.
    pub scale: f64,
    /// Whether the limit itself moves the observable; if not, the scale is that of a move by the length of W(0).
    pub moves: bool,
}

impl Displacement {
    /// Deterministic limit: max_t |o(W(t)) − o(W(0))|. Stochastic: max_t of the root mean square of the same.
    ///
    /// Where that is zero (the limit stands still), |P∇o|·|W(0)|: the change of o if W moved by its own length along
    /// Γ; and 0 where o is blind to such moves (`loss` and `distance`, say), so that nothing can be compared.
    pub(super) fn of(evidence: &Evidence, observable: usize) -> Self {
        let run = evidence.finest();
        let limit = evidence.limit_for(run);
        let start = limit.initial[observable];
        let squares = evidence.limit_records(run).into_iter().map(|record| {
            limit
                .samples
                .moments(record, observable, |x| (x - start).powi(2))
                .mean
        });
        let largest = squares.fold(0.0, f64::max);
        Self::from_square(
            evidence.study,
            evidence.prediction,
            observable,
            start,
            largest,
        )
    }

    /// The same from the largest mean square of o(W(t)) − o(W(0)) and o(W(0)).
    pub(crate) fn from_square(
        study: &Study,
        prediction: &Prediction,
        observable: usize,
        start: f64,
        largest_square: f64,
    ) -> Self {
        let scale = largest_square.sqrt();
        let rounding = (1e-7 * start.abs()).max(1e-12);
        if scale > 1e3 * rounding {
            return Self { scale, moves: true };
        }
        // Costly in many dimensions, and needed only where next to nothing moves.
        let landing = &prediction.landing;
        let slope = slope(study, prediction.rank, landing, observable);
        let along = prediction.frame.tangent_part(&slope);
        // The differences that make up the slope are good to about this share.
        let blind = along.norm() <= 1e-6 * (slope.norm() + start.abs());
        let if_moved = if blind {
            0.0
        } else {
            along.norm() * landing.norm()
        };
        if scale > rounding.max(1e-7 * if_moved) {
            return Self { scale, moves: true };
        }
        Self {
            scale: if_moved,
            moves: false,
        }
    }
}

/// ∇o at w by central differences.
pub(crate) fn slope(
    study: &Study,
    rank: usize,
    w: &DVector<f64>,
    observable: usize,
) -> DVector<f64> {
    let (_, function) = &study.observables[observable];
    let value =
        |w: &DVector<f64>| function.value(&study.noisy, w.as_slice(), rank, study.faults.masks);
    let h = 1e-5 * (1.0 + w.norm());
    DVector::from_fn(w.len(), |i, _| {
        let mut up = w.clone();
        let mut down = w.clone();
        up[i] += h;
        down[i] -= h;
        (value(&up) - value(&down)) / (2.0 * h)
    })
}
