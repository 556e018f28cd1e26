//! Elementary functions of f64.

pub(super) fn exp(x: f64) -> f64 {
    libm::exp(x)
}

pub(super) fn tanh(x: f64) -> f64 {
    libm::tanh(x)
}

pub(super) fn erf(x: f64) -> f64 {
    libm::erf(x)
}

pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

pub(super) fn sigmoid(x: f64) -> f64 {
    let e = libm::exp(-x.abs());
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

pub(super) fn step(x: f64) -> f64 {
    if x > 0.0 { 1.0 } else { 0.0 }
}
