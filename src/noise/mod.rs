//! Which random vector is plugged into which socket of a model: the noise-injected loss L̂(w, η) as a whole.

mod mechanism;

pub use mechanism::{Mechanism, Socket};

use pulp::NullaryFnOnce;
use serde::{Deserialize, Serialize};

use crate::models::{Injection, Model};
use crate::random::{Batch, Law};
use crate::scalar::{Scalar, run_narrow};

/// One random vector: its mechanism, its law and its size relative to the σ of the step-size ladder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Where the noise enters.
    pub mechanism: Mechanism,
    /// The law of each coordinate.
    pub law: Law,
    /// The standard deviation of each coordinate is `scale`·σ.
    pub scale: f64,
    /// Real minibatches: the weights are those of a random choice of samples, whatever σ is; law and scale are not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// Dropout: one mask for each sample rather than one that the samples of a step share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_sample: bool,
}

impl Source {
    /// Independent coordinates of standard deviation σ, shared by the samples.
    pub fn new(mechanism: Mechanism, law: Law) -> Self {
        Self {
            mechanism,
            law,
            scale: 1.0,
            batch: None,
            per_sample: false,
        }
    }

    /// The number of noise coordinates on this model; 0 if it has no such socket.
    pub fn size(&self, model: &impl Model) -> usize {
        let size = self.mechanism.socket().size(model);
        if self.per_sample {
            size * model.sockets().weights
        } else {
            size
        }
    }
}

/// Why a model can't take a noise.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoiseError {
    /// The model has no such socket.
    #[error("model '{model}' has no {socket} for '{mechanism}' noise; it takes: {available}")]
    NoSocket {
        /// Name of the model.
        model: &'static str,
        /// What is missing.
        socket: Socket,
        /// The noise that was asked for.
        mechanism: Mechanism,
        /// The mechanisms that the model has sockets for.
        available: String,
    },
    /// Two sources in the same socket.
    #[error(
        "two noises enter by the {0}; give each socket at most one noise and use `scale` for its size"
    )]
    SocketTwice(Socket),
    /// A mask where nothing is multiplied.
    #[error(
        "the Bernoulli law is a mask 1 + η = B/p, but '{0}' noise is added, not multiplied; use gaussian, rademacher or uniform"
    )]
    MaskOnAddedNoise(Mechanism),
    /// Batches larger than the data, empty, or of a model without data.
    #[error(
        "a batch of {size} can't be chosen from the {samples} samples of model '{model}'; batch_size must be at least 1, at most N unless drawn with replacement, and needs a model with data"
    )]
    Batch {
        /// B.
        size: usize,
        /// N.
        samples: usize,
        /// Name of the model.
        model: &'static str,
    },
    /// Masks for each sample where there is but one sample, or where the noise is no mask of units.
    #[error("'{0}' noise can't be drawn per sample; only dropout on a model with data can")]
    NotPerSample(Mechanism),
    /// No noise at all.
    #[error("there is no noise; add a [[noise]] section")]
    NoNoise,
}

/// A model together with its noise: L̂(w, η) = L(w ⊙ (1+η_c) + η_a; η_weights, η_labels, η_units) + ⟨w, η_g⟩.
///
/// η is the concatenation of the sources' vectors in their order; its length is [`NoisyLoss::noise_dimension`].
/// The same value is used to simulate the iterates and to derive the limit: it is what both sides share.
#[derive(Clone, Debug)]
pub struct NoisyLoss<M> {
    model: M,
    sources: Vec<Source>,
    /// Where source s begins in η; one more entry than sources.
    offsets: Vec<usize>,
}

impl<M: Model> NoisyLoss<M> {
    /// Joins a model and its noise sources.
    ///
    /// # Errors
    /// A source without a socket in the model, two sources in one socket, a mask on added noise, no source.
    pub fn new(model: M, sources: Vec<Source>) -> Result<Self, NoiseError> {
        if sources.is_empty() {
            return Err(NoiseError::NoNoise);
        }
        let mut offsets = vec![0];
        for (i, source) in sources.iter().enumerate() {
            let socket = source.mechanism.socket();
            let size = source.size(&model);
            let has_data = model.least_squares().is_some();
            if size == 0 {
                let available: Vec<_> = Mechanism::EVERY
                    .iter()
                    .filter(|m| m.socket().size(&model) > 0)
                    .map(|m| m.to_string())
                    .collect();
                return Err(NoiseError::NoSocket {
                    model: model.card().name,
                    socket,
                    mechanism: source.mechanism,
                    available: available.join(", "),
                });
            }
            if sources[..i].iter().any(|s| s.mechanism.socket() == socket) {
                return Err(NoiseError::SocketTwice(socket));
            }
            if source.law == Law::Bernoulli && !socket.is_multiplied() {
                return Err(NoiseError::MaskOnAddedNoise(source.mechanism));
            }
            if let Some(batch) = source.batch
                && !(has_data && socket == Socket::SampleWeights && batch.fits(size))
            {
                return Err(NoiseError::Batch {
                    size: batch.size,
                    samples: size,
                    model: model.card().name,
                });
            }
            if source.per_sample && !(has_data && socket == Socket::Units) {
                return Err(NoiseError::NotPerSample(source.mechanism));
            }
            offsets.push(offsets[i] + size);
        }
        Ok(Self {
            model,
            sources,
            offsets,
        })
    }

    /// The model without its noise.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The sources in the order in which η concatenates them.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The number m of parameters.
    pub fn dimension(&self) -> usize {
        self.model.dimension()
    }

    /// The length d of η.
    pub fn noise_dimension(&self) -> usize {
        self.offsets[self.sources.len()]
    }

    /// Each source with its part of η, as a range of coordinates.
    pub fn parts(&self) -> impl Iterator<Item = (Source, std::ops::Range<usize>)> {
        let ranges = self.offsets.windows(2).map(|pair| pair[0]..pair[1]);
        self.sources.iter().copied().zip(ranges)
    }

    /// The real minibatches among the noises, if there are.
    pub fn batch(&self) -> Option<Batch> {
        self.sources.iter().find_map(|source| source.batch)
    }

    /// The source of each coordinate of η; length d.
    pub fn source_of_coordinates(&self) -> Vec<Source> {
        let mut of = Vec::with_capacity(self.noise_dimension());
        for (i, &source) in self.sources.iter().enumerate() {
            of.resize(self.offsets[i + 1], source);
        }
        of
    }

    /// L̂(w, η); an empty `eta` is η = 0.
    pub fn loss<S: Scalar>(&self, w: &[S], eta: &[S]) -> S {
        let plugs = Plugs::of(&self.sources, &self.offsets, eta);
        let moved = plugs.perturbed(w);
        let mut loss = self.model.loss(&moved, &plugs.injection);
        for (&x, &e) in w.iter().zip(plugs.gradient_added) {
            loss = loss + x * e;
        }
        loss
    }

    /// Writes ∇_w L̂(w, η) to `gradient`; an empty `eta` is η = 0.
    pub fn gradient<S: Scalar>(&self, w: &[S], eta: &[S], gradient: &mut [S]) {
        let plugs = Plugs::of(&self.sources, &self.offsets, eta);
        let moved = plugs.perturbed(w);
        let mut scratch = vec![S::zero(); self.model.scratch()];
        run_narrow(Gradient {
            model: &self.model,
            w: &moved,
            injection: &plugs.injection,
            scratch: &mut scratch,
            gradient,
        });
        plugs.finish(gradient);
    }
}

/// A gradient compiled for the instruction set of the machine.
struct Gradient<'a, M, S> {
    model: &'a M,
    w: &'a [S],
    injection: &'a Injection<'a, S>,
    scratch: &'a mut [S],
    gradient: &'a mut [S],
}

impl<M: Model, S: Scalar> NullaryFnOnce for Gradient<'_, M, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.model
            .gradient(self.w, self.injection, self.scratch, self.gradient);
    }
}

/// One step's noise, sorted by socket.
#[derive(Clone, Copy, Debug)]
pub struct Plugs<'a, S> {
    /// The noise in the model's own sockets.
    pub injection: Injection<'a, S>,
    /// η_c of the factors 1 + η_c on the parameters; length m or 0.
    pub parameters_multiplied: &'a [S],
    /// η_a added to the parameters; length m or 0.
    pub parameters_added: &'a [S],
    /// η_g added to the gradient; length m or 0.
    pub gradient_added: &'a [S],
}

impl<'a, S: Scalar> Plugs<'a, S> {
    /// Nothing plugged in.
    pub const NONE: Plugs<'static, S> = Plugs {
        injection: Injection::NONE,
        parameters_multiplied: &[],
        parameters_added: &[],
        gradient_added: &[],
    };

    fn of(sources: &[Source], offsets: &[usize], eta: &'a [S]) -> Self {
        let mut plugs = Plugs::NONE;
        if !eta.is_empty() {
            for (i, source) in sources.iter().enumerate() {
                plugs.plug(source.mechanism.socket(), &eta[offsets[i]..offsets[i + 1]]);
            }
        }
        plugs
    }

    /// Plugs `eta` into `socket`.
    #[inline(always)]
    pub fn plug(&mut self, socket: Socket, eta: &'a [S]) {
        match socket {
            Socket::SampleWeights => self.injection.weights = eta,
            Socket::Labels => self.injection.labels = eta,
            Socket::Units => self.injection.units = eta,
            Socket::ParametersMultiplied => self.parameters_multiplied = eta,
            Socket::ParametersAdded => self.parameters_added = eta,
            Socket::GradientAdded => self.gradient_added = eta,
            Socket::Formula => self.injection.formula = eta,
        }
    }

    fn perturbed(&self, w: &[S]) -> Vec<S> {
        let mut moved = w.to_vec();
        self.perturb(&mut moved);
        moved
    }

    /// Whether the model's gradient is taken at another point than w.
    #[inline(always)]
    pub fn moves_parameters(&self) -> bool {
        !(self.parameters_multiplied.is_empty() && self.parameters_added.is_empty())
    }

    /// w ← w ⊙ (1 + η_c) + η_a: the point at which the model's gradient is taken.
    #[inline(always)]
    pub fn perturb(&self, w: &mut [S]) {
        multiply(w, self.parameters_multiplied);
        add(w, self.parameters_added);
    }

    /// g ← g ⊙ (1 + η_c) + η_g: from the model's gradient at the perturbed point to ∇_w L̂.
    #[inline(always)]
    pub fn finish(&self, gradient: &mut [S]) {
        multiply(gradient, self.parameters_multiplied);
        add(gradient, self.gradient_added);
    }
}

/// x ← x ⊙ (1 + η) where there is an η. The length of x is the one that the compiler may know.
#[inline(always)]
fn multiply<S: Scalar>(x: &mut [S], eta: &[S]) {
    if !eta.is_empty() {
        let eta = &eta[..x.len()];
        for (x, &eta) in x.iter_mut().zip(eta) {
            *x = x.mul_add(eta, *x);
            S::element_done();
        }
    }
}

/// x ← x + η where there is an η.
#[inline(always)]
fn add<S: Scalar>(x: &mut [S], eta: &[S]) {
    if !eta.is_empty() {
        let eta = &eta[..x.len()];
        for (x, &eta) in x.iter_mut().zip(eta) {
            *x = *x + eta;
            S::element_done();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Product, Sphere};
    use crate::scalar::Dual64;
    use proptest::prelude::*;

    fn source(mechanism: Mechanism) -> Source {
        Source::new(mechanism, Law::Gaussian)
    }

    proptest! {
        #[test]
        fn with_all_sockets_at_once_the_gradient_is_the_derivative_of_the_loss(
            w in prop::collection::vec(-1.5..1.5f64, 2),
            eta in prop::collection::vec(-0.9..0.9f64, 9),
        ) {
            let noisy = NoisyLoss::new(Product, Mechanism::ALL.map(source).to_vec()).unwrap();
            prop_assert_eq!(noisy.noise_dimension(), 9);
            let mut gradient = vec![0.0; 2];
            noisy.gradient(&w, &eta, &mut gradient);
            let eta: Vec<_> = eta.iter().map(|&x| Dual64::from(x)).collect();
            for i in 0..2 {
                let mut point: Vec<_> = w.iter().map(|&x| Dual64::from(x)).collect();
                point[i].eps = 1.0;
                let derivative = noisy.loss(&point, &eta).eps;
                prop_assert!((derivative - gradient[i]).abs() < 1e-12 * (1.0 + derivative.abs()));
            }
        }
    }

    #[test]
    fn a_noise_without_socket_names_what_the_model_takes() {
        let error = NoisyLoss::new(Sphere::new(3), vec![source(Mechanism::Dropout)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "model 'sphere' has no hidden units for 'dropout' noise; it takes: minibatch, label, dropconnect, anti-pgd, sgld"
        );
    }

    #[test]
    fn masks_on_added_noise_and_double_sockets_are_refused() {
        let mut label = source(Mechanism::Label);
        assert_eq!(
            NoisyLoss::new(Product, vec![label, label]).unwrap_err(),
            NoiseError::SocketTwice(Socket::Labels)
        );
        label.law = Law::Bernoulli;
        assert!(NoisyLoss::new(Product, vec![label]).is_err());
        assert!(NoisyLoss::new(Product, vec![]).is_err());
    }
}
