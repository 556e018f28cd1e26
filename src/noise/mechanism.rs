//! The noise mechanisms and the sockets by which they enter a loss.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::models::Model;

/// A way to inject noise into training (theory: README, "Where noise enters").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// Random sample weights.
    Minibatch,
    /// Random labels.
    Label,
    /// Random masks on the parameters.
    Dropconnect,
    /// Random masks on the hidden units.
    Dropout,
    /// Noise added to the parameters before the gradient is taken.
    AntiPgd,
    /// Noise added to the gradient (stochastic gradient Langevin dynamics).
    Sgld,
    /// The noises that a loss written as a formula names.
    Formula,
}

impl Mechanism {
    /// Those that need no formula, in the order in which they are listed.
    pub const ALL: [Self; 6] = [
        Self::Minibatch,
        Self::Label,
        Self::Dropconnect,
        Self::Dropout,
        Self::AntiPgd,
        Self::Sgld,
    ];

    /// All mechanisms.
    pub const EVERY: [Self; 7] = [
        Self::Minibatch,
        Self::Label,
        Self::Dropconnect,
        Self::Dropout,
        Self::AntiPgd,
        Self::Sgld,
        Self::Formula,
    ];

    /// The socket by which it enters.
    pub fn socket(self) -> Socket {
        match self {
            Self::Minibatch => Socket::SampleWeights,
            Self::Label => Socket::Labels,
            Self::Dropconnect => Socket::ParametersMultiplied,
            Self::Dropout => Socket::Units,
            Self::AntiPgd => Socket::ParametersAdded,
            Self::Sgld => Socket::GradientAdded,
            Self::Formula => Socket::Formula,
        }
    }

    /// The name in a scenario, `noise.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minibatch => "minibatch",
            Self::Label => "label",
            Self::Dropconnect => "dropconnect",
            Self::Dropout => "dropout",
            Self::AntiPgd => "anti-pgd",
            Self::Sgld => "sgld",
            Self::Formula => "formula",
        }
    }

    /// L̂(w, η) in Unicode.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Minibatch => "L̂ = 1/(2N) Σᵢ (1+ηᵢ)(fᵢ − yᵢ)²",
            Self::Label => "L̂ = 1/(2N) Σᵢ (fᵢ − yᵢ − ηᵢ)²",
            Self::Dropconnect => "L̂ = L(w ⊙ (1+η))",
            Self::Dropout => "each hidden activation is multiplied by 1 + η",
            Self::AntiPgd => "L̂ = L(w + η)",
            Self::Sgld => "L̂ = L(w) + ⟨w, η⟩",
            Self::Formula => "L̂ = the formula, with its noises η",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A place where a random vector enters the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// 1 + ηᵢ multiplies the loss of sample i.
    SampleWeights,
    /// ηᵢ is added to label i.
    Labels,
    /// 1 + ηⱼ multiplies hidden unit j.
    Units,
    /// 1 + ηᵢ multiplies parameter i.
    ParametersMultiplied,
    /// ηᵢ is added to parameter i.
    ParametersAdded,
    /// ηᵢ is added to component i of the gradient.
    GradientAdded,
    /// ηᵢ is noise i of a formula, wherever it stands.
    Formula,
}

impl Socket {
    /// Whether its noise moves the point at which the model's gradient is taken.
    #[inline(always)]
    pub fn moves_parameters(self) -> bool {
        matches!(self, Self::ParametersMultiplied | Self::ParametersAdded)
    }

    /// The number of noise coordinates that the socket takes on this model; 0 if it has none.
    #[inline(always)]
    pub fn size(self, model: &impl Model) -> usize {
        match self {
            Self::SampleWeights => model.sockets().weights,
            Self::Labels => model.sockets().labels,
            Self::Units => model.sockets().units,
            Self::Formula => model.sockets().formula,
            Self::ParametersMultiplied | Self::ParametersAdded | Self::GradientAdded => {
                model.dimension()
            }
        }
    }

    /// Whether the noise multiplies something, so that a mask makes sense; a formula can say 1 + η.
    pub fn is_multiplied(self) -> bool {
        matches!(
            self,
            Self::SampleWeights | Self::Units | Self::ParametersMultiplied | Self::Formula
        )
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::SampleWeights => "sample weights",
            Self::Labels => "labels",
            Self::Units => "hidden units",
            Self::ParametersMultiplied => "parameters (multiplied)",
            Self::ParametersAdded => "parameters (added)",
            Self::GradientAdded => "gradient (added)",
            Self::Formula => "noises of a formula",
        })
    }
}
