//! The diagonal linear network f = Σⱼ xⱼ(uⱼᴸ − vⱼᴸ): sparse regression by overparametrisation.

use super::{Data, ModelCard, Network};
use crate::scalar::Scalar;

/// f(w, x) = ⟨β, x⟩ with βⱼ = uⱼᴸ(1+ηⱼ) − vⱼᴸ(1+η_{d+j}). Parameter order u₁…u_d, v₁…v_d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagonalNetwork {
    features: usize,
    depth: usize,
}

impl DiagonalNetwork {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "diagonal-network",
        takes_data: true,
        formula: "f = Σ x_j·(u_j^L − v_j^L), L = 1/(2N) Σ (f − y)²; hidden units: the d paths of u, then those of v",
        options: &[
            (
                "dimension",
                "the length d of x; that of data.features if these are given",
            ),
            ("depth", "L ≥ 2, the exponent; default 2"),
        ],
        observables: &[
            ("l1", "‖β‖₁ with β = u^L − v^L"),
            (
                "support",
                "share of the true nonzeros among as many largest |β_j|",
            ),
            ("parameter_error", "‖β − β*‖₂"),
        ],
    };

    /// d `features` and exponent L = `depth` ≥ 2.
    pub fn new(features: usize, depth: usize) -> Self {
        debug_assert!(features >= 1 && depth >= 2);
        Self { features, depth }
    }

    /// βⱼ = uⱼᴸ − vⱼᴸ.
    fn coefficients(&self, w: &[f64]) -> Vec<f64> {
        let mut scratch = vec![0.0; self.scratch()];
        self.begin(w, &[], &mut scratch);
        scratch.truncate(self.features);
        scratch
    }

    /// xᴸ⁻¹. L is `DEPTH` where that is known at compile time, and 0 where it is not.
    #[inline(always)]
    fn power_below<S: Scalar, const DEPTH: usize>(&self, x: S) -> S {
        let mut power = x;
        if DEPTH != 2 {
            for _ in 2..self.depth {
                power = power * x;
            }
        }
        power
    }

    #[inline(always)]
    fn begin_at<S: Scalar, const DEPTH: usize>(&self, w: &[S], units: &[S], scratch: &mut [S]) {
        let (u, v) = w.split_at(self.features);
        let (beta, pulled) = scratch.split_at_mut(self.features);
        pulled.fill(S::zero());
        if units.is_empty() {
            for ((beta, &u), &v) in beta.iter_mut().zip(u).zip(v) {
                *beta = self
                    .power_below::<S, DEPTH>(u)
                    .mul_add(u, -(self.power_below::<S, DEPTH>(v) * v));
                S::element_done();
            }
        } else {
            let (eta_u, eta_v) = units.split_at(self.features);
            let paths = u.iter().zip(eta_u).zip(v.iter().zip(eta_v));
            for (beta, ((&u, &eta_u), (&v, &eta_v))) in beta.iter_mut().zip(paths) {
                *beta = self.power_below::<S, DEPTH>(u) * u * (S::one() + eta_u)
                    - self.power_below::<S, DEPTH>(v) * v * (S::one() + eta_v);
                S::element_done();
            }
        }
    }

    #[inline(always)]
    fn end_at<S: Scalar, const DEPTH: usize>(
        &self,
        w: &[S],
        units: &[S],
        scratch: &mut [S],
        gradient: &mut [S],
        fresh: bool,
    ) {
        let (u, v) = w.split_at(self.features);
        let (gradient_u, gradient_v) = gradient.split_at_mut(self.features);
        let (eta_u, eta_v) = units.split_at(self.features.min(units.len()));
        let pulled = &scratch[self.features..2 * self.features];
        let depth = S::constant(self.depth as f64);
        for (w, eta, sign, gradient) in [
            (u, eta_u, depth, gradient_u),
            (v, eta_v, -depth, gradient_v),
        ] {
            let paths = gradient.iter_mut().zip(w).zip(pulled);
            if eta.is_empty() {
                for ((gradient, &w), &pulled) in paths {
                    let before = if fresh { S::zero() } else { *gradient };
                    *gradient = (sign * pulled).mul_add(self.power_below::<S, DEPTH>(w), before);
                    S::element_done();
                }
            } else {
                for (((gradient, &w), &pulled), &eta) in paths.zip(eta) {
                    let before = if fresh { S::zero() } else { *gradient };
                    *gradient =
                        before + sign * pulled * self.power_below::<S, DEPTH>(w) * (S::one() + eta);
                    S::element_done();
                }
            }
        }
    }
}

impl Network for DiagonalNetwork {
    fn inputs(&self) -> usize {
        self.features
    }

    fn outputs(&self) -> usize {
        1
    }

    fn parameter_names(&self) -> Vec<String> {
        ["u", "v"]
            .iter()
            .flat_map(|name| (1..=self.features).map(move |j| format!("{name}{j}")))
            .collect()
    }

    fn dimension(&self) -> usize {
        2 * self.features
    }

    fn fan_in(&self) -> Vec<usize> {
        vec![1; self.dimension()]
    }

    fn units(&self) -> usize {
        2 * self.features
    }

    fn scaled_units(&self) -> (Vec<Option<usize>>, usize) {
        ((0..self.units()).map(Some).collect(), self.depth)
    }

    /// β, then Σᵢ cᵢxᵢ over the samples i with their cotangents c.
    fn scratch(&self) -> usize {
        2 * self.features
    }

    #[inline(always)]
    fn begin<S: Scalar>(&self, w: &[S], units: &[S], scratch: &mut [S]) {
        if self.depth == 2 {
            self.begin_at::<S, 2>(w, units, scratch);
        } else {
            self.begin_at::<S, 0>(w, units, scratch);
        }
    }

    #[inline(always)]
    fn linear<'a, S: Scalar>(&self, scratch: &'a mut [S]) -> Option<(&'a mut [S], &'a mut [S])> {
        Some(scratch.split_at_mut(self.features))
    }

    #[inline(always)]
    fn end<S: Scalar>(
        &self,
        w: &[S],
        units: &[S],
        scratch: &mut [S],
        gradient: &mut [S],
        fresh: bool,
    ) {
        if self.depth == 2 {
            self.end_at::<S, 2>(w, units, scratch, gradient, fresh);
        } else {
            self.end_at::<S, 0>(w, units, scratch, gradient, fresh);
        }
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, index: usize, w: &[f64], data: &Data) -> f64 {
        let beta = self.coefficients(w);
        if index == 0 {
            return beta.iter().map(|b| b.abs()).sum();
        }
        if data.truth.len() != beta.len() {
            return f64::NAN;
        }
        if index == 1 {
            let nonzeros = data.truth.iter().filter(|&&b| b != 0.0).count();
            let mut order: Vec<usize> = (0..beta.len()).collect();
            order.sort_by(|&i, &j| beta[j].abs().total_cmp(&beta[i].abs()));
            let found = order[..nonzeros]
                .iter()
                .filter(|&&j| data.truth[j] != 0.0)
                .count();
            return found as f64 / nonzeros as f64;
        }
        let squares = beta.iter().zip(&data.truth).map(|(b, t)| (b - t).powi(2));
        squares.sum::<f64>().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(depth: usize, w: &[f64], truth: &[f64]) -> [f64; 3] {
        let network = DiagonalNetwork::new(w.len() / 2, depth);
        let data = Data {
            features: w.len() / 2,
            targets: 1,
            truth: truth.to_vec(),
            ..Data::default()
        };
        [0, 1, 2].map(|index| network.observe(index, w, &data))
    }

    #[test]
    fn observables_are_those_of_the_coefficients() {
        // β = (4 − 1, −9, 0.25).
        let w = [2.0, 0.0, 0.5, 1.0, 3.0, 0.0];
        let [l1, support, error] = observed(2, &w, &[3.0, 0.0, 1.0]);
        assert_eq!(l1, 12.25);
        assert_eq!(support, 0.5);
        assert!((error - 81.5625f64.sqrt()).abs() < 1e-15);
        // β = (8 − 1, −27).
        assert_eq!(
            observed(3, &[2.0, 0.0, 1.0, 3.0], &[0.0, 1.0])[..2],
            [34.0, 1.0]
        );
    }

    #[test]
    fn without_a_truth_there_is_nothing_to_compare_with() {
        let [l1, support, error] = observed(2, &[1.0, 0.0], &[]);
        assert_eq!(l1, 1.0);
        assert!(support.is_nan() && error.is_nan());
        assert!(observed(2, &[1.0, 0.0], &[0.0])[1].is_nan());
    }
}
