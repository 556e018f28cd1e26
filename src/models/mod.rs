//! Losses L(w) ≥ 0 with a manifold of zeros, each with the sockets into which noise can be plugged.
//!
//! A model states its noise-injected loss and the gradient of it once, generic over the scalar; everything else
//! (Hessian, regulariser, diffusion, limit) is derived from these two. The sockets that no model needs to know of
//! (parameters multiplied, parameters added, gradient added) are served in [`crate::noise`].

mod aligned;
mod circle;
mod data;
mod deep_linear;
mod diagonal_network;
mod formula;
mod network;
#[cfg(test)]
mod network_tests;
mod noisy_samples;
mod perceptron;
mod product;
mod regression;
mod sphere;
mod two_products;
mod valley;
mod widening_valley;

pub use circle::Circle;
pub use data::{Data, Samples};
pub use deep_linear::{DeepLinear, MatrixSensing};
pub use diagonal_network::DiagonalNetwork;
pub use formula::{FormulaModel, Formulas};
pub use network::{BLOCK, LARGEST_BLOCK, Network};
use noisy_samples::NoisySamples;
pub use perceptron::{Activation, Perceptron};
pub use product::Product;
pub use regression::Regression;
pub use sphere::Sphere;
pub use two_products::TwoProducts;
pub use valley::{Profile, Valley};
pub use widening_valley::WideningValley;

use crate::scalar::{self, Scalar};

/// The noise that reaches a model's own sockets; an empty slice is an unused socket.
#[derive(Clone, Copy, Debug)]
pub struct Injection<'a, S> {
    /// ηᵢ of the sample weights 1 + ηᵢ; length N or 0.
    pub weights: &'a [S],
    /// ηᵢ added to the labels; length N or 0.
    pub labels: &'a [S],
    /// ηⱼ of the unit factors 1 + ηⱼ; length = number U of hidden units (shared by the samples), N·U (one mask for each
    /// sample), or 0.
    pub units: &'a [S],
    /// η of the noises that a formula names; length d or 0.
    pub formula: &'a [S],
}

impl<S: Scalar> Injection<'_, S> {
    /// No noise in any socket.
    pub const NONE: Injection<'static, S> = Injection {
        weights: &[],
        labels: &[],
        units: &[],
        formula: &[],
    };

    /// The weight 1 + ηᵢ of sample i.
    #[inline(always)]
    pub fn weight(&self, sample: usize) -> S {
        self.weights
            .get(sample)
            .map_or(S::one(), |&eta| S::one() + eta)
    }

    /// The residual f − y − ηᵢ of sample i, given f − y.
    #[inline(always)]
    pub fn residual(&self, sample: usize, residual: S) -> S {
        self.labels
            .get(sample)
            .map_or(residual, |&eta| residual - eta)
    }

    /// The label y + ηᵢ of sample i, given y.
    #[inline(always)]
    pub fn label(&self, sample: usize, label: S) -> S {
        self.labels.get(sample).map_or(label, |&eta| label + eta)
    }

    /// The activation z(1 + ηⱼ) of unit j, given z.
    #[inline(always)]
    pub fn unit(&self, unit: usize, activation: S) -> S {
        self.units
            .get(unit)
            .map_or(activation, |&eta| activation.mul_add(eta, activation))
    }
}

/// Storage for one parameter vector.
pub trait Parameters<S: Scalar>: AsRef<[S]> + AsMut<[S]> + Clone + Send {
    /// Whether the length is known at compile time, and a copy takes no memory of its own.
    const FIXED: bool = false;

    /// w ← w + factor·g.
    fn add_scaled(&mut self, factor: S, gradient: &Self);

    /// Each number so many times, one after another; an array has room for one time only.
    fn side_by_side(self, _times: usize) -> Self {
        self
    }
}

impl<S: Scalar, const M: usize> Parameters<S> for [S; M] {
    const FIXED: bool = true;

    #[inline(always)]
    fn add_scaled(&mut self, factor: S, gradient: &Self) {
        *self = std::array::from_fn(|i| gradient[i].mul_add(factor, self[i]));
        S::element_done();
    }
}

impl<S: Scalar> Parameters<S> for Vec<S> {
    #[inline(always)]
    fn add_scaled(&mut self, factor: S, gradient: &Self) {
        scalar::add_scaled(self, factor, gradient);
    }

    fn side_by_side(self, times: usize) -> Self {
        let each = self.into_iter();
        each.flat_map(|x| std::iter::repeat_n(x, times)).collect()
    }
}

/// How many noise coordinates each of a model's own sockets takes; 0 where the model has no such socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketSizes {
    /// Samples whose weight can be perturbed.
    pub weights: usize,
    /// Labels that can be perturbed.
    pub labels: usize,
    /// Hidden units whose activation can be multiplied.
    pub units: usize,
    /// Noises that the formula of the loss names.
    pub formula: usize,
}

/// The shape of L = 1/(2N) Σ_j r_j²: the residuals j = i·q + o of sample i and output o.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastSquares {
    /// N.
    pub samples: usize,
    /// q.
    pub outputs: usize,
}

impl LeastSquares {
    /// N·q.
    pub fn residuals(self) -> usize {
        self.samples * self.outputs
    }
}

/// What a reader needs to know of a model: shown by `singlim list` and `singlim new`.
#[derive(Clone, Copy, Debug)]
pub struct ModelCard {
    /// The name in a scenario, `model.kind`.
    pub name: &'static str,
    /// Whether it is a network, which is trained on the data of a section `[data]`.
    pub takes_data: bool,
    /// The loss and its zero-loss manifold, in Unicode.
    pub formula: &'static str,
    /// Options beside `kind` and `start`: name and meaning with default.
    pub options: &'static [(&'static str, &'static str)],
    /// The model's own observables: name and formula.
    pub observables: &'static [(&'static str, &'static str)],
}

/// A loss L̂(w, η) with the noise sockets that are the model's own, and its gradient in w.
pub trait Model: Send + Sync {
    /// Whether a step takes nanoseconds. Then each socket gets a hot loop of its own, and several blocks of paths are advanced together. A
    /// network's time goes into its gradient: one loop for all sockets serves as well and compiles sooner.
    const SHORT_STEPS: bool = true;

    /// Storage for one parameter vector; a fixed-size array lets the compiler keep it in registers.
    type Vector<S: Scalar>: Parameters<S>;

    /// A zero vector of length m.
    fn zeros<S: Scalar>(&self) -> Self::Vector<S>;

    /// The names of the m parameters, in order.
    fn parameter_names(&self) -> Vec<String>;

    /// The number m of parameters.
    #[inline(always)]
    fn dimension(&self) -> usize {
        self.zeros::<f64>().as_ref().len()
    }

    /// For each parameter, how many parameters feed the same unit, for random starts; length m.
    fn fan_in(&self) -> Vec<usize> {
        vec![1; self.dimension()]
    }

    /// How many noise coordinates each socket takes.
    fn sockets(&self) -> SocketSizes;

    /// L̂(w, η). `w` has length m.
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S;

    /// How many blocks of paths [`Model::gradient`] can take at once, at most: w, the noises and the gradient then have that many
    /// numbers for each one, one after another, and the working space is so much larger. For models with `Vec`s of
    /// parameters and without [`Model::SHORT_STEPS`] only.
    fn side_by_side(&self) -> usize {
        1
    }

    /// How many numbers of working space a gradient needs.
    fn scratch(&self) -> usize {
        0
    }

    /// Writes ∇_w L̂(w, η) to `gradient`; `w` and `gradient` have length m, `scratch` that of [`Model::scratch`] with any
    /// content.
    fn gradient<S: Scalar>(
        &self,
        w: &[S],
        noise: &Injection<S>,
        scratch: &mut [S],
        gradient: &mut [S],
    );

    /// How L is a sum of squares; none where it is not one, or where nothing is gained by knowing.
    fn least_squares(&self) -> Option<LeastSquares> {
        None
    }

    /// The residual r_j(w) = f − y of a sum of squares; writes ∇r_j to `gradient` (length m). `units` is empty, or holds
    /// the η of the unit factors for the sample that j belongs to, or of the noises of a formula. Called for a loss with [`Model::least_squares`] only.
    fn residual<S: Scalar>(
        &self,
        _index: usize,
        _w: &[S],
        _units: &[S],
        _scratch: &mut [S],
        gradient: &mut [S],
    ) -> S {
        gradient.fill(S::constant(f64::NAN));
        S::constant(f64::NAN)
    }

    /// Writes ∂r_j/∂η of the noises that a formula names, at η = 0, to `slopes` (length [`SocketSizes::formula`]).
    fn residual_noise(&self, _index: usize, _w: &[f64], slopes: &mut [f64]) {
        slopes.fill(f64::NAN);
    }

    /// As [`Network::scaled_units`]; nothing where there are no unit factors, or no least squares.
    fn scaled_units(&self) -> (Vec<Option<usize>>, usize) {
        (vec![None; self.dimension()], 1)
    }

    /// Whether L has two derivatives everywhere.
    fn is_smooth(&self) -> bool {
        true
    }

    /// The loss on samples that were held out, if there are any.
    fn test_loss(&self, _w: &[f64]) -> Option<f64> {
        None
    }

    /// Name, formula, options and observables.
    fn card(&self) -> &'static ModelCard;

    /// The names of the model's own observables; those of its card unless the scenario defines them.
    fn own_observables(&self) -> Vec<String> {
        let own = self.card().observables.iter();
        own.map(|(name, _)| (*name).to_owned()).collect()
    }

    /// The value at `w` of the model's own observable number `index` of [`Model::own_observables`].
    fn observe(&self, index: usize, w: &[f64]) -> f64;
}

macro_rules! any_model {
    ($($kind:ident($type:ty) as $card:expr),+ $(,)?) => {
        /// One of the built-in models, chosen at run time.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyModel {
            $(#[doc = concat!("The kind `", stringify!($kind), "`.")] $kind($type)),+
        }

        /// The cards of all built-in models, in the order in which they are listed.
        pub const CARDS: &[&ModelCard] = &[$($card),+];

        /// Runs an expression with the concrete model, so that its loops are compiled for it.
        macro_rules! with_model {
            ($any:expr, $model:ident => $body:expr) => {
                match $any {
                    $($crate::models::AnyModel::$kind($model) => $body),+
                }
            };
        }

        impl Model for AnyModel {
            const SHORT_STEPS: bool = false;
            type Vector<S: Scalar> = Vec<S>;

            fn zeros<S: Scalar>(&self) -> Vec<S> {
                match self { $(Self::$kind(model) => AsRef::<[S]>::as_ref(&model.zeros::<S>()).to_vec()),+ }
            }

            fn parameter_names(&self) -> Vec<String> {
                match self { $(Self::$kind(model) => model.parameter_names()),+ }
            }

            fn fan_in(&self) -> Vec<usize> {
                match self { $(Self::$kind(model) => model.fan_in()),+ }
            }

            fn sockets(&self) -> SocketSizes {
                match self { $(Self::$kind(model) => model.sockets()),+ }
            }

            #[inline]
            fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
                match self { $(Self::$kind(model) => model.loss(w, noise)),+ }
            }

            fn side_by_side(&self) -> usize {
                match self { $(Self::$kind(model) => model.side_by_side()),+ }
            }

            fn scratch(&self) -> usize {
                match self { $(Self::$kind(model) => model.scratch()),+ }
            }

            #[inline(always)]
            fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, scratch: &mut [S], gradient: &mut [S]) {
                match self { $(Self::$kind(model) => model.gradient(w, noise, scratch, gradient)),+ }
            }

            fn least_squares(&self) -> Option<LeastSquares> {
                match self { $(Self::$kind(model) => model.least_squares()),+ }
            }

            #[inline(always)]
            fn residual<S: Scalar>(&self, index: usize, w: &[S], units: &[S], scratch: &mut [S], gradient: &mut [S]) -> S {
                match self { $(Self::$kind(model) => model.residual(index, w, units, scratch, gradient)),+ }
            }

            fn residual_noise(&self, index: usize, w: &[f64], slopes: &mut [f64]) {
                match self { $(Self::$kind(model) => model.residual_noise(index, w, slopes)),+ }
            }

            fn own_observables(&self) -> Vec<String> {
                match self { $(Self::$kind(model) => model.own_observables()),+ }
            }

            fn scaled_units(&self) -> (Vec<Option<usize>>, usize) {
                match self { $(Self::$kind(model) => model.scaled_units()),+ }
            }

            fn is_smooth(&self) -> bool {
                match self { $(Self::$kind(model) => model.is_smooth()),+ }
            }

            fn test_loss(&self, w: &[f64]) -> Option<f64> {
                match self { $(Self::$kind(model) => model.test_loss(w)),+ }
            }

            fn card(&self) -> &'static ModelCard {
                match self { $(Self::$kind(model) => model.card()),+ }
            }

            fn observe(&self, index: usize, w: &[f64]) -> f64 {
                match self { $(Self::$kind(model) => model.observe(index, w)),+ }
            }
        }
    };
}

any_model!(
    Product(Product) as Product::CARD,
    TwoProducts(TwoProducts) as TwoProducts::CARD,
    Circle(Circle) as Circle::CARD,
    Sphere(Sphere) as Sphere::CARD,
    Valley(Valley) as Valley::CARD,
    WideningValley(WideningValley) as WideningValley::CARD,
    DiagonalNetwork(Regression<DiagonalNetwork>) as DiagonalNetwork::CARD,
    DeepLinear(Regression<DeepLinear>) as DeepLinear::CARD,
    MatrixSensing(Regression<MatrixSensing>) as MatrixSensing::CARD,
    Perceptron(Regression<Perceptron>) as Perceptron::CARD,
    Formula(FormulaModel) as FormulaModel::CARD,
);

pub(crate) use with_model;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Dual64;
    use proptest::prelude::*;

    pub(super) fn all() -> Vec<AnyModel> {
        vec![
            AnyModel::Product(Product),
            AnyModel::TwoProducts(TwoProducts),
            AnyModel::Circle(Circle),
            AnyModel::Sphere(Sphere::new(4)),
            AnyModel::Valley(Valley::new(Profile::ExpSine, 1.3)),
            AnyModel::Valley(Valley::new(Profile::Quadratic, 0.7)),
            AnyModel::Valley(Valley::new(Profile::Cosh, 0.9)),
            AnyModel::WideningValley(WideningValley::new(3)),
        ]
    }

    fn take(values: &[f64], from: &mut usize, count: usize) -> Vec<f64> {
        *from += count;
        values[*from - count..*from].to_vec()
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_derivative_of_the_noisy_loss(values in prop::collection::vec(-1.5..1.5f64, 64)) {
            for model in all() {
                let sizes = model.sockets();
                let mut from = 0;
                let w = take(&values, &mut from, model.dimension());
                let weights = take(&values, &mut from, sizes.weights);
                let labels = take(&values, &mut from, sizes.labels);
                let units = take(&values, &mut from, sizes.units);
                let noise = Injection { weights: &weights, labels: &labels, units: &units, ..Injection::NONE };
                let mut gradient = vec![0.0; w.len()];
                model.gradient(&w, &noise, &mut vec![0.0; model.scratch()], &mut gradient);
                let dual = |x: &[f64]| x.iter().map(|&x| Dual64::from(x)).collect::<Vec<_>>();
                let (weights, labels, units) = (dual(&weights), dual(&labels), dual(&units));
                let noise = Injection { weights: &weights, labels: &labels, units: &units, ..Injection::NONE };
                for i in 0..w.len() {
                    let mut point = dual(&w);
                    point[i].eps = 1.0;
                    let derivative = model.loss(&point, &noise).eps;
                    prop_assert!((derivative - gradient[i]).abs() < 1e-12 * (1.0 + derivative.abs()),
                        "{} ∂{}: {} against {}", model.card().name, i, gradient[i], derivative);
                }
            }
        }

        #[test]
        fn a_loss_that_is_a_square_is_never_negative(values in prop::collection::vec(-3.0..3.0f64, 8)) {
            for model in all() {
                prop_assert!(model.loss(&values[..model.dimension()], &Injection::NONE) >= 0.0);
            }
        }
    }

    #[test]
    fn names_are_unique_and_match_the_dimension() {
        for model in all() {
            assert_eq!(
                model.parameter_names().len(),
                model.dimension(),
                "{}",
                model.card().name
            );
        }
        let mut names: Vec<_> = CARDS.iter().map(|card| card.name).collect();
        names.dedup();
        assert_eq!(names.len(), 11);
    }
}
