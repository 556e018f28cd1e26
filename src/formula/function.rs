//! The functions that a formula may call.

use crate::scalar::Scalar;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// eˣ.
    Exp,
    /// Natural logarithm.
    Log,
    /// √x.
    Sqrt,
    /// sin x.
    Sin,
    /// cos x.
    Cos,
    /// tan x.
    Tan,
    /// tanh x.
    Tanh,
    /// sinh x.
    Sinh,
    /// cosh x.
    Cosh,
    /// arctan x.
    Atan,
    /// The error function.
    Erf,
    /// |x|.
    Abs,
    /// ln(1 + eˣ).
    Softplus,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// 1 for x > 0, otherwise 0: only in derivatives of `abs`.
    Step,
}

impl Function {
    /// Those that can be written, with their names.
    pub const NAMED: [(&'static str, Self); 14] = [
        ("exp", Self::Exp),
        ("log", Self::Log),
        ("sqrt", Self::Sqrt),
        ("sin", Self::Sin),
        ("cos", Self::Cos),
        ("tan", Self::Tan),
        ("tanh", Self::Tanh),
        ("sinh", Self::Sinh),
        ("cosh", Self::Cosh),
        ("atan", Self::Atan),
        ("erf", Self::Erf),
        ("abs", Self::Abs),
        ("softplus", Self::Softplus),
        ("sigmoid", Self::Sigmoid),
    ];

    /// The name in a formula.
    pub fn name(self) -> &'static str {
        let named = Self::NAMED.into_iter().find(|(_, f)| *f == self);
        named.map_or("step", |(name, _)| name)
    }

    /// f(x).
    #[inline(always)]
    pub fn of<S: Scalar>(self, x: S) -> S {
        match self {
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tan => x.tan(),
            Self::Tanh => x.tanh(),
            Self::Sinh => x.sinh(),
            Self::Cosh => x.cosh(),
            Self::Atan => x.atan(),
            Self::Erf => x.erf(),
            Self::Abs => x.abs(),
            Self::Softplus => x.softplus(),
            Self::Sigmoid => x.sigmoid(),
            Self::Step => x.step(),
        }
    }

    /// Why f is not defined at x, if it is not.
    pub fn refuses(self, x: f64) -> Option<&'static str> {
        match self {
            Self::Log if x <= 0.0 => Some("the logarithm of a number that is not positive"),
            Self::Sqrt if x < 0.0 => Some("the square root of a negative number"),
            _ => None,
        }
    }
}
