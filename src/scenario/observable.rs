//! The scalar functions of w that a study looks at, found by name.

use nalgebra::DVector;

use crate::derive::{Frame, Jacobian, Masks, derivatives, project, regularizer_value};
use crate::models::Model;
use crate::noise::NoisyLoss;

/// The observables that every model has, with their formulas.
pub const GENERIC_OBSERVABLES: &[(&str, &str)] = &[
    ("norm", "‖w‖₂"),
    ("loss", "L(w)"),
    (
        "distance",
        "distance to Γ, |w − π(w)|; NaN where w is too far for π",
    ),
    (
        "sharpness",
        "tr H(w); for networks |J|²/N, which is the same on Γ",
    ),
    (
        "lambda_max",
        "λ_max of H(w); for networks of JᵀJ/N, which is the same on Γ",
    ),
    (
        "regularizer",
        "Reg(w), in units of σ²; for networks as if all residuals were zero",
    ),
    (
        "test_loss",
        "1/(2N) Σ |f − y|² over the N test samples, for models with data that are held out",
    ),
];

/// A scalar function of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observable {
    /// A coordinate.
    Parameter(usize),
    /// One of the model's own.
    OfModel(usize),
    /// ‖w‖.
    Norm,
    /// L(w).
    Loss,
    /// |w − π(w)|.
    Distance,
    /// tr H(w).
    Sharpness,
    /// λ_max of H(w).
    LargestEigenvalue,
    /// Reg(w).
    Regularizer,
    /// L on the test samples.
    TestLoss,
}

impl Observable {
    /// Finds an observable of this model by name.
    pub fn find(name: &str, model: &impl Model) -> Option<Self> {
        if let Some(i) = model.parameter_names().iter().position(|n| n == name) {
            return Some(Self::Parameter(i));
        }
        if let Some(i) = model.own_observables().iter().position(|n| n == name) {
            return Some(Self::OfModel(i));
        }
        match name {
            "norm" => Some(Self::Norm),
            "loss" => Some(Self::Loss),
            "distance" => Some(Self::Distance),
            "sharpness" => Some(Self::Sharpness),
            "lambda_max" => Some(Self::LargestEigenvalue),
            "regularizer" => Some(Self::Regularizer),
            "test_loss" => {
                let start = vec![0.0; model.dimension()];
                model.test_loss(&start).map(|_| Self::TestLoss)
            }
            _ => None,
        }
    }

    /// All names that [`Observable::find`] knows for this model.
    pub fn names(model: &impl Model) -> Vec<String> {
        let generic = GENERIC_OBSERVABLES
            .iter()
            .map(|(name, _)| (*name).to_owned());
        let mut names = model.parameter_names();
        names.extend(model.own_observables());
        names.extend(generic.filter(|name| Self::find(name, model).is_some()));
        names
    }

    /// The value at w; `rank` is that of H on Γ.
    pub fn value<M: Model>(
        self,
        noisy: &NoisyLoss<M>,
        w: &[f64],
        rank: usize,
        masks: Masks,
    ) -> f64 {
        let vector = || DVector::from_column_slice(w);
        match self {
            Self::Parameter(i) => w[i],
            Self::OfModel(i) => noisy.model().observe(i, w),
            Self::Norm => crate::scalar::sum_of_squares(w).sqrt(),
            Self::Loss => noisy.loss(w, &[]),
            Self::Distance => {
                project(noisy, &vector(), rank).map_or(f64::NAN, |(on, _)| (on - vector()).norm())
            }
            Self::Sharpness => match Jacobian::at(noisy.model(), &vector()) {
                Some(jacobian) => jacobian.trace(),
                None => derivatives::hessian(noisy, &vector()).trace(),
            },
            Self::LargestEigenvalue => {
                Frame::at(noisy, &vector(), 1).map_or(f64::NAN, |f| f.largest_eigenvalue())
            }
            Self::TestLoss => noisy.model().test_loss(w).unwrap_or(f64::NAN),
            Self::Regularizer => regularizer_value(noisy, &vector(), masks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Product;
    use crate::noise::{Mechanism, Source};
    use crate::random::Law;

    #[test]
    fn every_name_is_found_and_has_the_value_of_its_formula() {
        let source = Source::new(Mechanism::AntiPgd, Law::Gaussian);
        let noisy = NoisyLoss::new(Product, vec![source]).unwrap();
        let w = [2.0, 0.5];
        let expected = [
            2.0,
            0.5,
            3.75,
            4.25,
            4.25f64.sqrt(),
            0.0,
            0.0,
            4.25,
            4.25,
            2.125,
        ];
        let names = Observable::names(&Product);
        assert_eq!(names.len(), expected.len());
        for (name, expected) in names.iter().zip(expected) {
            let found = Observable::find(name, &Product).unwrap();
            let value = found.value(&noisy, &w, 1, Masks::NonLocal);
            assert!(
                (value - expected).abs() < 1e-12,
                "{name}: {value} against {expected}"
            );
        }
        assert_eq!(Observable::find("nothing", &Product), None);
    }

    #[test]
    fn the_distance_is_that_to_the_closest_point() {
        let source = Source::new(Mechanism::Sgld, Law::Gaussian);
        let noisy = NoisyLoss::new(crate::models::Circle, vec![source]).unwrap();
        let distance = Observable::Distance.value(&noisy, &[0.9, 1.2], 1, Masks::NonLocal);
        assert!((distance - 0.5).abs() < 1e-12);
    }
}
