//! The multilayer perceptron: affine layers with an activation after every hidden one.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::{Data, ModelCard, Network};
use crate::scalar::{Scalar, add_scaled, add_scaled_constants, dot, dot_constants};

/// The function φ applied to every hidden unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// tanh a.
    Tanh,
    /// a·Φ(a), Φ the normal distribution function.
    Gelu,
    /// ln(1 + eᵃ).
    Softplus,
    /// max(a, 0), with derivative 0 at 0.
    Relu,
}

impl Activation {
    /// Every activation under its name in a scenario.
    pub const ALL: [(&'static str, Self); 4] = [
        ("tanh", Self::Tanh),
        ("gelu", Self::Gelu),
        ("softplus", Self::Softplus),
        ("relu", Self::Relu),
    ];

    /// Whether φ has derivatives of every order everywhere.
    pub fn is_smooth(self) -> bool {
        self != Self::Relu
    }

    /// Replaces every a in `values` by φ(a), and writes φ′(a) to `slopes`.
    #[inline(always)]
    fn apply<S: Scalar>(self, values: &mut [S], slopes: &mut [S]) {
        // A macro, because a function that is passed as a value may be left out of line, where there are no vectors.
        macro_rules! each {
            ($function:ident) => {
                for (value, slope) in values.iter_mut().zip(slopes) {
                    (*value, *slope) = $function(*value);
                    S::element_done();
                }
            };
        }
        match self {
            Self::Tanh => each!(tanh),
            Self::Gelu => each!(gelu),
            Self::Softplus => each!(softplus),
            Self::Relu => each!(relu),
        }
    }
}

/// tanh and its derivative.
#[inline(always)]
fn tanh<S: Scalar>(a: S) -> (S, S) {
    let value = a.tanh();
    (value, (-value).mul_add(value, S::one()))
}

/// a·Φ(a) and its derivative.
#[inline(always)]
fn gelu<S: Scalar>(a: S) -> (S, S) {
    const DENSITY_AT_ZERO: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    let half = S::constant(0.5);
    let below = half.mul_add((a * S::constant(FRAC_1_SQRT_2)).erf(), half);
    let density = S::constant(DENSITY_AT_ZERO) * (-(half * a * a)).exp();
    (a * below, a.mul_add(density, below))
}

/// ln(1 + eᵃ) and its derivative.
#[inline(always)]
fn softplus<S: Scalar>(a: S) -> (S, S) {
    (a.softplus(), a.sigmoid())
}

/// max(a, 0) and its derivative.
#[inline(always)]
fn relu<S: Scalar>(a: S) -> (S, S) {
    let slope = a.step();
    (a * slope, slope)
}

/// What a layer is applied to.
#[derive(Clone, Copy)]
enum Input<'a, S> {
    Data(&'a [f64]),
    Units(&'a [S]),
}

/// Writes W h + b to `sums`; without biases `biases` is empty.
#[inline(always)]
fn affine<S: Scalar>(weights: &[S], biases: &[S], input: Input<S>, sums: &mut [S]) {
    match input {
        Input::Data(x) => {
            for (sum, row) in sums.iter_mut().zip(weights.chunks_exact(x.len())) {
                *sum = dot_constants(row, x);
                S::element_done();
            }
        }
        Input::Units(h) => {
            for (sum, row) in sums.iter_mut().zip(weights.chunks_exact(h.len())) {
                *sum = dot(row, h);
                S::element_done();
            }
        }
    }
    add_biases(sums, biases);
}

/// Adds one slice to another, unless there are no biases and one of them is empty.
#[inline(always)]
fn add_biases<S: Scalar>(sums: &mut [S], addends: &[S]) {
    for (sum, &addend) in sums.iter_mut().zip(addends) {
        *sum = *sum + addend;
        S::element_done();
    }
}

/// f(w, x) = W_L h_{L−1} + b_L with h_l = φ(W_l h_{l−1} + b_l)(1 + η), h₀ = x. Parameters: for every layer W (row by row),
/// then b.
///
/// Working space of a pass: for every hidden layer h_l and (1 + η)φ′, which `backward` turns into the cotangent of
/// W_l h_{l−1} + b_l; then one vector as long as the widest hidden layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Perceptron {
    widths: Vec<usize>,
    activation: Activation,
    biases: bool,
}

impl Perceptron {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "perceptron",
        takes_data: true,
        formula: "f = W_L·h_{L−1} + b_L, h_l = φ(W_l·h_{l−1} + b_l), h_0 = x, L = 1/(2N) Σ |f − y|²; hidden units: the entries of every h_l",
        options: &[
            ("widths", "n_0, …, n_L: lengths of x, h_1, …, f"),
            (
                "activation",
                "φ: tanh, gelu, softplus or relu; default tanh",
            ),
            ("biases", "whether there are b_1, …, b_L; default true"),
        ],
        observables: &[],
    };

    /// Layers n₀, …, n_L; at least two widths, none 0.
    pub fn new(widths: Vec<usize>, activation: Activation, biases: bool) -> Self {
        debug_assert!(widths.len() >= 2 && widths.iter().all(|&n| n >= 1));
        Self {
            widths,
            activation,
            biases,
        }
    }

    /// φ.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    #[inline(always)]
    fn hidden(&self) -> &[usize] {
        &self.widths[1..self.widths.len() - 1]
    }

    /// How many biases a layer of `rows` units has.
    #[inline(always)]
    fn biases(&self, rows: usize) -> usize {
        if self.biases { rows } else { 0 }
    }

    /// Rows, columns and number of biases of every layer.
    fn shapes(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        self.widths
            .windows(2)
            .map(|pair| (pair[1], pair[0], self.biases(pair[1])))
    }
}

impl Network for Perceptron {
    fn inputs(&self) -> usize {
        self.widths[0]
    }

    #[inline(always)]
    fn outputs(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    fn parameter_names(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.dimension());
        for (layer, (rows, columns, biases)) in self.shapes().enumerate() {
            let layer = layer + 1;
            for row in 1..=rows {
                names.extend((1..=columns).map(|column| format!("w{layer}_{row}_{column}")));
            }
            names.extend((1..=biases).map(|row| format!("b{layer}_{row}")));
        }
        names
    }

    fn dimension(&self) -> usize {
        self.shapes()
            .map(|(rows, columns, biases)| rows * columns + biases)
            .sum()
    }

    fn fan_in(&self) -> Vec<usize> {
        self.shapes()
            .flat_map(|(rows, columns, biases)| {
                std::iter::repeat_n(columns, rows * columns + biases)
            })
            .collect()
    }

    fn is_smooth(&self) -> bool {
        self.activation.is_smooth()
    }

    #[inline(always)]
    fn units(&self) -> usize {
        self.hidden().iter().sum()
    }

    /// Column j of W_{l+1} scales unit j of layer l.
    fn scaled_units(&self) -> (Vec<Option<usize>>, usize) {
        let mut units = Vec::new();
        let mut before = None;
        for (rows, columns, biases) in self.shapes() {
            for _ in 0..rows {
                units.extend((0..columns).map(|column| before.map(|first: usize| first + column)));
            }
            units.extend(std::iter::repeat_n(None, biases));
            before = Some(before.map_or(0, |first| first + columns));
        }
        (units, 1)
    }

    fn scratch(&self) -> usize {
        2 * self.units() + self.hidden().iter().max().copied().unwrap_or(0)
    }

    #[inline(always)]
    fn begin<S: Scalar>(&self, _: &[S], _: &[S], _: &mut [S]) {}

    #[inline(always)]
    fn forward<S: Scalar>(
        &self,
        w: &[S],
        x: &[f64],
        units: &[S],
        scratch: &mut [S],
        output: &mut [S],
    ) {
        let (mut later, mut units, mut free) = (w, units, scratch);
        let mut input = Input::Data(x);
        let mut columns = x.len();
        for &rows in self.hidden() {
            let (weights, rest) = later.split_at(rows * columns);
            let (biases, rest) = rest.split_at(self.biases(rows));
            later = rest;
            let (values, rest) = free.split_at_mut(rows);
            let (slopes, rest) = rest.split_at_mut(rows);
            free = rest;
            affine(weights, biases, input, values);
            self.activation.apply(values, slopes);
            let (mine, others) = units.split_at(rows.min(units.len()));
            units = others;
            for ((value, slope), &eta) in values.iter_mut().zip(slopes).zip(mine) {
                let factor = S::one() + eta;
                *value = *value * factor;
                *slope = *slope * factor;
                S::element_done();
            }
            input = Input::Units(values);
            columns = rows;
        }
        let (weights, biases) = later.split_at(output.len() * columns);
        affine(weights, biases, input, output);
    }

    #[inline(always)]
    fn backward<S: Scalar>(
        &self,
        w: &[S],
        x: &[f64],
        _: &[S],
        cotangent: &[S],
        scratch: &mut [S],
        gradient: &mut [S],
    ) {
        let (mut layers, pulled) = scratch.split_at_mut(2 * self.units());
        let (mut weights, mut gradient, mut cotangent) = (w, gradient, cotangent);
        for &columns in self.hidden().iter().rev() {
            let rows = cotangent.len();
            let size = rows * columns + self.biases(rows);
            let (earlier, mine) = weights.split_at(weights.len() - size);
            let (gradient_earlier, gradient_mine) = gradient.split_at_mut(earlier.len());
            let (rest, slots) = layers.split_at_mut(layers.len() - 2 * columns);
            let (h, slopes) = slots.split_at_mut(columns);
            let (gradient_weights, gradient_biases) = gradient_mine.split_at_mut(rows * columns);
            let pulled = &mut pulled[..columns];
            pulled.fill(S::zero());
            let matrix = gradient_weights
                .chunks_exact_mut(columns)
                .zip(mine.chunks_exact(columns));
            for (&c, (gradient_row, row)) in cotangent.iter().zip(matrix) {
                add_scaled(gradient_row, c, h);
                add_scaled(pulled, c, row);
            }
            add_biases(gradient_biases, cotangent);
            for (slope, &pulled) in slopes.iter_mut().zip(pulled.iter()) {
                *slope = *slope * pulled;
                S::element_done();
            }
            (layers, weights, gradient, cotangent) = (rest, earlier, gradient_earlier, slopes);
        }
        let (gradient_weights, gradient_biases) = gradient.split_at_mut(cotangent.len() * x.len());
        for (&c, row) in cotangent
            .iter()
            .zip(gradient_weights.chunks_exact_mut(x.len()))
        {
            add_scaled_constants(row, c, x);
        }
        add_biases(gradient_biases, cotangent);
    }

    #[inline(always)]
    fn end<S: Scalar>(&self, _: &[S], _: &[S], _: &mut [S], _: &mut [S]) {}

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, _: usize, _: &[f64], _: &Data) -> f64 {
        f64::NAN
    }
}
