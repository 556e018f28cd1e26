//! What a network has to state: its output, and the pullback of a cotangent to the parameters, each written once.

use super::{Data, ModelCard};
use crate::scalar::{Scalar, add_scaled_constants, dot_constants};

/// How many samples are taken together: parameters are loaded once, and gradients stored once, for all of them.
pub const BLOCK: usize = 4;

/// The same for a path alone ([`Scalar::ACROSS`]), whose numbers take less room.
pub const LARGEST_BLOCK: usize = 8;

/// A function f(w, x) ∈ R^q with U hidden units; [`super::Regression`] makes a least-squares loss of it.
///
/// It is evaluated in *passes*. One pass is `begin`, then for any of the samples, B at a time, `forward` and at once
/// `backward`, then `end`. What does not depend on the sample is done in `begin` (a network that is linear in x computes its end-to-end
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

    /// How many numbers a pass keeps in `scratch`, with up to [`LARGEST_BLOCK`] samples at a time.
    fn scratch(&self) -> usize;

    /// Begins a pass at w (length m).
    fn begin<S: Scalar>(&self, w: &[S], units: &[S], scratch: &mut [S]);

    /// For a network that is linear in x, f = E x: E and Σᵢ cᵢxᵢᵀ (q×n₀ each, row by row), the cotangents c being those
    /// pulled back so far, as they stand in the `scratch` of a pass. `forward` and `backward` are made of these two.
    fn linear<'a, S: Scalar>(&self, _scratch: &'a mut [S]) -> Option<(&'a mut [S], &'a mut [S])> {
        None
    }

    /// Writes f(w, x) of B samples to `output` (length q).
    #[inline(always)]
    fn forward<S: Scalar, const B: usize>(
        &self,
        _w: &[S],
        x: [&[f64]; B],
        _units: [&[S]; B],
        scratch: &mut [S],
        output: &mut [[S; B]],
    ) {
        if let Some((end_to_end, _)) = self.linear(scratch) {
            for (b, x) in x.iter().enumerate() {
                for (output, row) in output.iter_mut().zip(end_to_end.chunks_exact(x.len())) {
                    output[b] = dot_constants(row, x);
                    S::element_done();
                }
            }
        }
    }

    /// Adds Σ_b (∂f/∂w)ᵀ `cotangent` to `gradient` (length m), or keeps it in `scratch` for `end`. Called right after the
    /// `forward` of the same samples.
    #[inline(always)]
    fn backward<S: Scalar, const B: usize>(
        &self,
        _w: &[S],
        x: [&[f64]; B],
        cotangent: &[[S; B]],
        scratch: &mut [S],
        _gradient: &mut [S],
    ) {
        if let Some((_, pulled)) = self.linear(scratch) {
            for (b, x) in x.iter().enumerate() {
                for (cotangent, row) in cotangent.iter().zip(pulled.chunks_exact_mut(x.len())) {
                    add_scaled_constants(row, cotangent[b], x);
                }
            }
        }
    }

    /// Ends a pass: adds what `backward` kept to `gradient`. A `fresh` gradient has arbitrary content, and counts as 0.
    fn end<S: Scalar>(
        &self,
        w: &[S],
        units: &[S],
        scratch: &mut [S],
        gradient: &mut [S],
        fresh: bool,
    );

    /// Name, formula, options and observables (those beyond what every network has).
    fn card(&self) -> &'static ModelCard;

    /// The value at `w` of the network's own observable number `index` of its card.
    fn observe(&self, index: usize, w: &[f64], data: &Data) -> f64;
}
