//! What a network has to state: its output, and the pullback of a cotangent to the parameters, each written once.

use super::{Data, ModelCard};
use crate::scalar::Scalar;

/// A function f(w, x) ∈ R^q with U hidden units; [`super::Regression`] makes a least-squares loss of it.
///
/// It is evaluated in *passes*. One pass is `begin`, then for any of the samples `forward` and at once `backward`, then
/// `end`. What does not depend on the sample is done in `begin` (a network that is linear in x computes its end-to-end
/// coefficients there), and what can be pulled back for all samples together is done in `end`.
///
/// `units` is empty (no noise) or holds the η of the U unit factors 1 + η of this pass. `scratch` keeps what the calls of
/// one pass hand to each other; its content is arbitrary before `begin`.
pub trait Network: Clone + Send + Sync + PartialEq + std::fmt::Debug {
    /// The length of x.
    fn inputs(&self) -> usize;

    /// The length q of f.
    fn outputs(&self) -> usize;

    /// The names of the m parameters, in order.
    fn parameter_names(&self) -> Vec<String>;

    /// The number m of parameters.
    fn dimension(&self) -> usize;

    /// For each parameter, how many parameters feed the same unit (its fan-in), for random starts; length m.
    fn fan_in(&self) -> Vec<usize>;

    /// The number U of hidden units that Dropout can mask.
    fn units(&self) -> usize;

    /// For each parameter the unit whose output it scales, if any (length m), and a degree L: the unit factor 1 + η_u acts
    /// as a factor (1 + η_u)^{1/L} on these parameters, so that ∂f/∂η_u = (1/L) Σᵢ wᵢ ∂f/∂wᵢ over them.
    fn scaled_units(&self) -> (Vec<Option<usize>>, usize);

    /// Whether f has two derivatives in w everywhere.
    fn is_smooth(&self) -> bool {
        true
    }

    /// How many numbers a pass keeps in `scratch`.
    fn scratch(&self) -> usize;

    /// Begins a pass at w (length m).
    fn begin<S: Scalar>(&self, w: &[S], units: &[S], scratch: &mut [S]);

    /// Writes f(w, x) to `output` (length q).
    fn forward<S: Scalar>(
        &self,
        w: &[S],
        x: &[f64],
        units: &[S],
        scratch: &mut [S],
        output: &mut [S],
    );

    /// Adds (∂f/∂w)ᵀ `cotangent` to `gradient` (length m), or keeps it in `scratch` for `end`. Called right after the
    /// `forward` of the same x.
    fn backward<S: Scalar>(
        &self,
        w: &[S],
        x: &[f64],
        units: &[S],
        cotangent: &[S],
        scratch: &mut [S],
        gradient: &mut [S],
    );

    /// Ends a pass: adds what `backward` kept to `gradient`.
    fn end<S: Scalar>(&self, w: &[S], units: &[S], scratch: &mut [S], gradient: &mut [S]);

    /// Name, formula, options and observables (those beyond what every network has).
    fn card(&self) -> &'static ModelCard;

    /// The value at `w` of the network's own observable number `index` of its card.
    fn observe(&self, index: usize, w: &[f64], data: &Data) -> f64;
}
