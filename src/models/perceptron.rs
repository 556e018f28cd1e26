//! The multilayer perceptron: affine layers with an activation after every hidden one.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::{Data, LARGEST_BLOCK, ModelCard, Network};
use crate::scalar::{Function, Scalar};

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

    /// Writes h = φ(W·`input` + b) and φ′ of the same to `values` and `slopes`; without biases `biases` is empty.
    #[inline(always)]
    fn layer<S: Scalar, const B: usize>(
        self,
        (weights, biases): (&[S], &[S]),
        input: &[[S; B]],
        values: &mut [[S; B]],
        slopes: &mut [[S; B]],
    ) {
        // A loop for each function: a macro, because a function that is passed as a value, also to `array::from_fn`, may be
        // left out of line, where there are no vectors.
        macro_rules! each {
            ($function:ident) => {
                let rows = weights.chunks_exact(input.len());
                let units = values.iter_mut().zip(slopes).zip(rows);
                for (i, ((value, slope), row)) in units.enumerate() {
                    (*value, *slope) = $function(affine(row, biases.get(i), input));
                    S::element_done();
                }
            };
        }
        match self {
            Self::Tanh => {
                each!(tanh);
            }
            Self::Gelu => {
                each!(gelu);
            }
            Self::Softplus => {
                each!(softplus);
            }
            Self::Relu => {
                each!(relu);
            }
        }
    }
}

/// φ and φ′ of some numbers.
type Activated<S, const B: usize> = ([S; B], [S; B]);

/// tanh and its derivative.
#[inline(always)]
fn tanh<S: Scalar, const B: usize>(a: [S; B]) -> Activated<S, B> {
    let values = S::each(Function::Tanh, a);
    let mut slopes = values;
    for slope in &mut slopes {
        *slope = (-*slope).mul_add(*slope, S::one());
    }
    (values, slopes)
}

/// a·Φ(a) and its derivative.
#[inline(always)]
fn gelu<S: Scalar, const B: usize>(a: [S; B]) -> Activated<S, B> {
    const DENSITY_AT_ZERO: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    let half = S::constant(0.5);
    let (mut scaled, mut exponents) = (a, a);
    for b in 0..B {
        scaled[b] = a[b] * S::constant(FRAC_1_SQRT_2);
        exponents[b] = -(half * a[b] * a[b]);
    }
    let mut values = S::each(Function::Erf, scaled);
    let mut slopes = S::each(Function::Exp, exponents);
    for b in 0..B {
        let below = half.mul_add(values[b], half);
        let density = S::constant(DENSITY_AT_ZERO) * slopes[b];
        values[b] = a[b] * below;
        slopes[b] = a[b].mul_add(density, below);
    }
    (values, slopes)
}

/// ln(1 + eᵃ) and its derivative.
#[inline(always)]
fn softplus<S: Scalar, const B: usize>(a: [S; B]) -> Activated<S, B> {
    let slopes = S::each(Function::Sigmoid, a);
    (S::each(Function::Softplus, a), slopes)
}

/// max(a, 0) and its derivative.
#[inline(always)]
fn relu<S: Scalar, const B: usize>(a: [S; B]) -> Activated<S, B> {
    let (mut values, mut slopes) = (a, a);
    for b in 0..B {
        slopes[b] = a[b].step();
        values[b] = a[b] * slopes[b];
    }
    (values, slopes)
}

/// ⟨row, h⟩ + bias of B samples, whose vectors h stand side by side.
#[inline(always)]
fn affine<S: Scalar, const B: usize>(row: &[S], bias: Option<&S>, input: &[[S; B]]) -> [S; B] {
    let mut sums = [bias.copied().unwrap_or_else(S::zero); B];
    for (&w, h) in row.iter().zip(input) {
        for b in 0..B {
            sums[b] = w.mul_add(h[b], sums[b]);
        }
    }
    sums
}

/// Adds the cotangents of the samples to the gradient in their bias.
#[inline(always)]
fn add_to_bias<S: Scalar, const B: usize>(place: &mut S, cotangent: &[S; B]) {
    let mut sum = *place;
    for &c in cotangent {
        sum = sum + c;
    }
    *place = sum;
    S::element_done();
}

/// Adds Σ_b `cotangent`·`input` of the samples to a place of the gradient.
#[inline(always)]
fn add_product<S: Scalar, const B: usize>(place: &mut S, cotangent: &[S; B], input: &[S; B]) {
    let mut sum = *place;
    for b in 0..B {
        sum = cotangent[b].mul_add(input[b], sum);
    }
    *place = sum;
    S::element_done();
}

/// Adds cotangent times input of the samples to the gradient in a row of weights; of two, without a loop where that pays.
#[inline(always)]
fn add_to_row<S: Scalar, const B: usize>(row: &mut [S], cotangent: &[S; B], input: &[[S; B]]) {
    if !S::ACROSS
        && let ([first, second], [x, y]) = (&mut *row, input)
    {
        add_product(first, cotangent, x);
        add_product(second, cotangent, y);
        return;
    }
    for (place, input) in row.iter_mut().zip(input) {
        add_product(place, cotangent, input);
    }
}

/// f(w, x) = W_L h_{L−1} + b_L with h_l = φ(W_l h_{l−1} + b_l)(1 + η), h₀ = x. Parameters: for every layer W (row by row),
/// then b.
///
/// Working space of a pass: x, and for every hidden layer h_l and (1 + η)φ′, which `backward` turns into the cotangent of
/// W_l h_{l−1} + b_l; the same entry of all samples side by side.
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
        LARGEST_BLOCK * (self.widths[0] + 2 * self.units())
    }

    #[inline(always)]
    fn begin<S: Scalar>(&self, _: &[S], _: &[S], _: &mut [S]) {}

    #[inline(always)]
    fn forward<S: Scalar, const B: usize>(
        &self,
        w: &[S],
        x: [&[f64]; B],
        units: [&[S]; B],
        scratch: &mut [S],
        output: &mut [[S; B]],
    ) {
        let (input, mut free) = scratch.as_chunks_mut().0.split_at_mut(self.widths[0]);
        for (j, entry) in input.iter_mut().enumerate() {
            for (entry, x) in entry.iter_mut().zip(x) {
                *entry = S::constant(x[j]);
            }
        }
        let (mut input, mut later, mut unit) = (&*input, w, 0);
        for &rows in self.hidden() {
            let (weights, rest) = later.split_at(rows * input.len());
            let (biases, rest) = rest.split_at(self.biases(rows));
            later = rest;
            let (values, rest) = free.split_at_mut(rows);
            let (slopes, rest) = rest.split_at_mut(rows);
            free = rest;
            self.activation
                .layer((weights, biases), input, values, slopes);
            for (b, units) in units.iter().enumerate() {
                let units = units.get(unit..unit + rows).unwrap_or_default();
                for ((value, slope), &eta) in values.iter_mut().zip(&mut *slopes).zip(units) {
                    let factor = S::one() + eta;
                    value[b] = value[b] * factor;
                    slope[b] = slope[b] * factor;
                    S::element_done();
                }
            }
            unit += rows;
            input = values;
        }
        let (weights, biases) = later.split_at(output.len() * input.len());
        let rows = weights.chunks_exact(input.len());
        for (i, (output, row)) in output.iter_mut().zip(rows).enumerate() {
            *output = affine(row, biases.get(i), input);
            S::element_done();
        }
    }

    #[inline(always)]
    fn backward<S: Scalar, const B: usize>(
        &self,
        w: &[S],
        _: [&[f64]; B],
        cotangent: &[[S; B]],
        scratch: &mut [S],
        gradient: &mut [S],
    ) {
        let (x, layers) = scratch.as_chunks_mut().0.split_at_mut(self.widths[0]);
        let mut layers = &mut layers[..2 * self.units()];
        let (mut weights, mut gradient, mut cotangent) = (w, gradient, cotangent);
        for (layer, &columns) in self.hidden().iter().enumerate().rev() {
            let rows = cotangent.len();
            let size = rows * columns + self.biases(rows);
            let (earlier, mine) = weights.split_at(weights.len() - size);
            let (gradient_earlier, gradient_mine) = gradient.split_at_mut(earlier.len());
            let (rest, slots) = layers.split_at_mut(layers.len() - 2 * columns);
            let (h, slopes) = slots.split_at_mut(columns);
            let (gradient_weights, gradient_biases) = gradient_mine.split_at_mut(rows * columns);
            for (place, c) in gradient_biases.iter_mut().zip(cotangent) {
                add_to_bias(place, c);
            }
            if !S::ACROSS
                && layer == 0
                && let [c] = cotangent
            {
                // One unit above and x below: the whole way back of each unit at once.
                let (to_units, biases) = gradient_earlier.split_at_mut(columns * x.len());
                let units = h.iter().zip(&*slopes).zip(mine).zip(gradient_weights);
                let rows = to_units.chunks_exact_mut(x.len());
                let mut biases = biases.iter_mut();
                for ((((h, slope), &w), place), row) in units.zip(rows) {
                    let mut pulled = *slope;
                    for b in 0..B {
                        pulled[b] = slope[b] * c[b].mul_add(w, S::zero());
                    }
                    add_product(place, c, h);
                    if let Some(place) = biases.next() {
                        add_to_bias(place, &pulled);
                    }
                    add_to_row(row, &pulled, x);
                    S::element_done();
                }
                return;
            }
            for (j, (h, slope)) in h.iter().zip(slopes.iter_mut()).enumerate() {
                let mut pulled = [S::zero(); B];
                for (i, c) in cotangent.iter().enumerate() {
                    let w = mine[i * columns + j];
                    let mut sum = gradient_weights[i * columns + j];
                    for b in 0..B {
                        sum = c[b].mul_add(h[b], sum);
                        pulled[b] = c[b].mul_add(w, pulled[b]);
                    }
                    gradient_weights[i * columns + j] = sum;
                    S::element_done();
                }
                for b in 0..B {
                    slope[b] = slope[b] * pulled[b];
                }
            }
            (layers, weights, gradient, cotangent) = (rest, earlier, gradient_earlier, slopes);
        }
        let (gradient_weights, gradient_biases) = gradient.split_at_mut(cotangent.len() * x.len());
        let mut biases = gradient_biases.iter_mut();
        let rows = gradient_weights.chunks_exact_mut(x.len());
        for (c, row) in cotangent.iter().zip(rows) {
            if let Some(place) = biases.next() {
                add_to_bias(place, c);
            }
            add_to_row(row, c, x);
        }
    }

    #[inline(always)]
    fn end<S: Scalar>(&self, _: &[S], _: &[S], _: &mut [S], gradient: &mut [S], fresh: bool) {
        if fresh {
            gradient.fill(S::zero());
        }
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, _: usize, _: &[f64], _: &Data) -> f64 {
        f64::NAN
    }
}
