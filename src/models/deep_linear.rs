//! Products of matrices as networks: the deep linear network W_L···W₁x and matrix sensing ⟨A, W_L···W₁⟩.

use nalgebra::DMatrix;

use super::{Data, ModelCard, Network};
use crate::scalar::{Scalar, add_scaled, dot};

const OPTIONS: &[(&str, &str)] = &[(
    "widths",
    "n_0, …, n_L: columns of W_1, then the rows of every matrix",
)];

const OBSERVABLES: &[(&str, &str)] = &[
    (
        "rank",
        "effective rank exp(−Σ p_i·ln p_i) of W_L···W_1, p_i = s_i/Σ s_j of the singular values s",
    ),
    ("nuclear_norm", "Σ s_i of W_L···W_1"),
    ("truth_error", "‖W_L···W_1 − W*‖_F"),
];

/// The chain E = W_L D_{L−1} W_{L−1} ··· D₁ W₁ with D_l = diag(1 + η) over the hidden units of layer l.
///
/// Working space of a pass: A_l = D_l W_l A_{l−1} for l = 1 … L−1 (n_l×n₀), then E (n_L×n₀), then ∂L/∂E (n_L×n₀); all
/// row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chain {
    widths: Vec<usize>,
}

/// Multiplies row i by 1 + ηᵢ; no η, no noise.
#[inline(always)]
fn mask_rows<S: Scalar>(matrix: &mut [S], columns: usize, units: &[S]) {
    for (row, &eta) in matrix.chunks_exact_mut(columns).zip(units) {
        let factor = S::one() + eta;
        for x in row {
            *x = *x * factor;
            S::element_done();
        }
    }
}

impl Chain {
    fn new(widths: Vec<usize>) -> Self {
        debug_assert!(widths.len() >= 2 && widths.iter().all(|&n| n >= 1));
        Self { widths }
    }

    #[inline(always)]
    fn columns(&self) -> usize {
        self.widths[0]
    }

    #[inline(always)]
    fn rows(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// Rows and columns of every W_l.
    fn shapes(&self) -> impl DoubleEndedIterator<Item = (usize, usize)> + '_ {
        self.widths.windows(2).map(|pair| (pair[1], pair[0]))
    }

    #[inline(always)]
    fn hidden(&self) -> &[usize] {
        &self.widths[1..self.widths.len() - 1]
    }

    fn dimension(&self) -> usize {
        self.shapes().map(|(rows, columns)| rows * columns).sum()
    }

    fn parameter_names(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.dimension());
        for (layer, (rows, columns)) in self.shapes().enumerate() {
            for row in 1..=rows {
                names.extend((1..=columns).map(|column| format!("w{}_{row}_{column}", layer + 1)));
            }
        }
        names
    }

    fn fan_in(&self) -> Vec<usize> {
        self.shapes()
            .flat_map(|(rows, columns)| std::iter::repeat_n(columns, rows * columns))
            .collect()
    }

    #[inline(always)]
    fn units(&self) -> usize {
        self.hidden().iter().sum()
    }

    /// Column j of W_{l+1} scales unit j of layer l.
    fn scaled_units(&self) -> Vec<Option<usize>> {
        let mut units = Vec::new();
        let mut before = None;
        for (rows, columns) in self.shapes() {
            for _ in 0..rows {
                units.extend((0..columns).map(|column| before.map(|first: usize| first + column)));
            }
            before = Some(before.map_or(0, |first| first + columns));
        }
        units
    }

    fn scratch(&self) -> usize {
        self.columns() * (self.units() + 2 * self.rows())
    }

    /// E and ∂L/∂E.
    #[inline(always)]
    fn ends<'a, S>(&self, scratch: &'a mut [S]) -> (&'a mut [S], &'a mut [S]) {
        let size = self.rows() * self.columns();
        let from = self.columns() * self.units();
        scratch[from..from + 2 * size].split_at_mut(size)
    }

    #[inline(always)]
    fn begin<S: Scalar>(&self, w: &[S], mut units: &[S], scratch: &mut [S]) {
        let columns = self.columns();
        self.ends(scratch).1.fill(S::zero());
        let (mut weights, mut later) = w.split_at(columns * self.widths[1]);
        let (mut below, mut above) = scratch.split_at_mut(weights.len());
        below.copy_from_slice(weights);
        for pair in self.widths[1..].windows(2) {
            let (mine, others) = units.split_at(pair[0].min(units.len()));
            mask_rows(below, columns, mine);
            units = others;
            (weights, later) = later.split_at(pair[0] * pair[1]);
            let (product, rest) = above.split_at_mut(pair[1] * columns);
            product.fill(S::zero());
            for (row, weights) in product
                .chunks_exact_mut(columns)
                .zip(weights.chunks_exact(pair[0]))
            {
                for (&weight, below) in weights.iter().zip(below.chunks_exact(columns)) {
                    add_scaled(row, weight, below);
                }
            }
            (below, above) = (product, rest);
        }
    }

    #[inline(always)]
    fn end<S: Scalar>(&self, w: &[S], units: &[S], scratch: &mut [S], gradient: &mut [S]) {
        let columns = self.columns();
        let (products, ends) = scratch.split_at_mut(columns * self.units());
        let size = self.rows() * columns;
        // The cotangent of W_l A_{l−1}; that of the layer below takes the place of A_{l−1}, which is needed no more.
        let mut cotangent = &ends[size..2 * size];
        let (mut products, mut weights, mut gradient, mut units) = (products, w, gradient, units);
        for pair in self.widths[1..].windows(2).rev() {
            let (earlier, matrix) = weights.split_at(weights.len() - pair[0] * pair[1]);
            let (gradient_earlier, pulled) = gradient.split_at_mut(earlier.len());
            let (rest, product) = products.split_at_mut(products.len() - pair[0] * columns);
            for (pulled, cotangent) in pulled
                .chunks_exact_mut(pair[0])
                .zip(cotangent.chunks_exact(columns))
            {
                for (pulled, product) in pulled.iter_mut().zip(product.chunks_exact(columns)) {
                    *pulled = *pulled + dot(cotangent, product);
                    S::element_done();
                }
            }
            for (k, row) in product.chunks_exact_mut(columns).enumerate() {
                row.fill(S::zero());
                let column = matrix.iter().skip(k).step_by(pair[0]);
                for (&weight, cotangent) in column.zip(cotangent.chunks_exact(columns)) {
                    add_scaled(row, weight, cotangent);
                }
            }
            let (others, mine) = units.split_at(units.len().saturating_sub(pair[0]));
            mask_rows(product, columns, mine);
            (products, weights, gradient, units) = (rest, earlier, gradient_earlier, others);
            cotangent = product;
        }
        add_scaled(gradient, S::one(), cotangent);
    }

    /// W_L···W₁ (n_L×n₀, row by row).
    fn product(&self, w: &[f64]) -> Vec<f64> {
        let mut scratch = vec![0.0; self.scratch()];
        self.begin(w, &[], &mut scratch);
        self.ends(&mut scratch).0.to_vec()
    }

    fn observe(&self, index: usize, w: &[f64], data: &Data) -> f64 {
        let product = self.product(w);
        if index == 2 {
            if data.truth.len() != product.len() {
                return f64::NAN;
            }
            let squares = product
                .iter()
                .zip(&data.truth)
                .map(|(e, t)| (e - t).powi(2));
            return squares.sum::<f64>().sqrt();
        }
        if product.iter().any(|x| !x.is_finite()) {
            return f64::NAN;
        }
        let singular =
            DMatrix::from_row_slice(self.rows(), self.columns(), &product).singular_values();
        let total = singular.sum();
        if index == 1 {
            return total;
        }
        effective_rank(singular.as_slice(), total)
    }
}

/// exp of the entropy of the singular values divided by their sum; 0 for the zero matrix.
fn effective_rank(singular: &[f64], total: f64) -> f64 {
    if total == 0.0 {
        return 0.0;
    }
    let shares = singular.iter().map(|s| s / total).filter(|&p| p > 0.0);
    libm::exp(-shares.map(|p| p * libm::log(p)).sum::<f64>())
}

/// What the two networks take from their chain.
macro_rules! of_chain {
    () => {
        fn parameter_names(&self) -> Vec<String> {
            self.chain.parameter_names()
        }

        fn dimension(&self) -> usize {
            self.chain.dimension()
        }

        fn fan_in(&self) -> Vec<usize> {
            self.chain.fan_in()
        }

        #[inline(always)]
        fn units(&self) -> usize {
            self.chain.units()
        }

        fn scaled_units(&self) -> (Vec<Option<usize>>, usize) {
            (self.chain.scaled_units(), 1)
        }

        fn scratch(&self) -> usize {
            self.chain.scratch()
        }

        #[inline(always)]
        fn begin<S: Scalar>(&self, w: &[S], units: &[S], scratch: &mut [S]) {
            self.chain.begin(w, units, scratch);
        }

        #[inline(always)]
        fn linear<'a, S: Scalar>(
            &self,
            scratch: &'a mut [S],
        ) -> Option<(&'a mut [S], &'a mut [S])> {
            Some(self.chain.ends(scratch))
        }

        #[inline(always)]
        fn end<S: Scalar>(
            &self,
            w: &[S],
            units: &[S],
            scratch: &mut [S],
            gradient: &mut [S],
            fresh: bool,
        ) {
            if fresh {
                gradient.fill(S::zero());
            }
            self.chain.end(w, units, scratch, gradient);
        }

        fn card(&self) -> &'static ModelCard {
            Self::CARD
        }

        fn observe(&self, index: usize, w: &[f64], data: &Data) -> f64 {
            self.chain.observe(index, w, data)
        }
    };
}

/// f(w, x) = W_L D_{L−1} W_{L−1} ··· D₁ W₁ x, D_l = diag(1 + η). Parameters: W₁, …, W_L, each row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeepLinear {
    chain: Chain,
}

impl DeepLinear {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "deep-linear",
        takes_data: true,
        formula: "f = W_L···W_1·x, L = 1/(2N) Σ |f − y|²; hidden units: the rows of W_1, …, W_{L−1}",
        options: OPTIONS,
        observables: OBSERVABLES,
    };

    /// Layers n₀, …, n_L; at least two widths, none 0.
    pub fn new(widths: Vec<usize>) -> Self {
        Self {
            chain: Chain::new(widths),
        }
    }
}

impl Network for DeepLinear {
    fn inputs(&self) -> usize {
        self.chain.columns()
    }

    #[inline(always)]
    fn outputs(&self) -> usize {
        self.chain.rows()
    }

    of_chain!();
}

/// f(w, A) = ⟨A, W_L D_{L−1} W_{L−1} ··· D₁ W₁⟩_F, D_l = diag(1 + η); the input is A (n_L×n₀, row by row), the output
/// one number. Parameters: W₁, …, W_L, each row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixSensing {
    chain: Chain,
}

impl MatrixSensing {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "matrix-sensing",
        takes_data: true,
        formula: "f = ⟨A, W_L···W_1⟩_F, L = 1/(2N) Σ (f − y)²; hidden units: the rows of W_1, …, W_{L−1}",
        options: OPTIONS,
        observables: OBSERVABLES,
    };

    /// Layers n₀, …, n_L; at least two widths, none 0.
    pub fn new(widths: Vec<usize>) -> Self {
        Self {
            chain: Chain::new(widths),
        }
    }
}

impl Network for MatrixSensing {
    fn inputs(&self) -> usize {
        self.chain.rows() * self.chain.columns()
    }

    #[inline(always)]
    fn outputs(&self) -> usize {
        1
    }

    of_chain!();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(truth: &[f64]) -> Data {
        Data {
            truth: truth.to_vec(),
            ..Data::default()
        }
    }

    #[test]
    fn the_product_multiplies_from_the_right() {
        // W₁ = (1 2; 3 4; 5 6), W₂ = (1 0 1; 0 1 −1).
        let w = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 0.0, 1.0, 0.0, 1.0, -1.0];
        let network = DeepLinear::new(vec![2, 3, 2]);
        assert_eq!(network.chain.product(&w), [6.0, 8.0, -2.0, -2.0]);
        assert_eq!(network.observe(2, &w, &data(&[6.0, 8.0, 1.0, 2.0])), 5.0);
        assert!(network.observe(2, &w, &data(&[])).is_nan());
    }

    #[test]
    fn the_effective_rank_counts_equal_singular_values() {
        let network = MatrixSensing::new(vec![3, 3]);
        let observe = |index, diagonal: [f64; 3]| {
            let mut w = [0.0; 9];
            for (i, x) in diagonal.into_iter().enumerate() {
                w[4 * i] = x;
            }
            network.observe(index, &w, &data(&[]))
        };
        for (diagonal, rank, norm) in [
            ([2.0, 0.0, 0.0], 1.0, 2.0),
            ([3.0, -3.0, 0.0], 2.0, 6.0),
            ([1.0, 1.0, 1.0], 3.0, 3.0),
            ([0.0, 0.0, 0.0], 0.0, 0.0),
        ] {
            assert!((observe(0, diagonal) - rank).abs() < 1e-12);
            assert!((observe(1, diagonal) - norm).abs() < 1e-12);
        }
        assert!(observe(0, [f64::INFINITY, 0.0, 0.0]).is_nan());
    }

    #[test]
    fn parameters_are_named_by_layer_row_and_column() {
        let network = DeepLinear::new(vec![2, 1, 2]);
        assert_eq!(
            network.parameter_names(),
            ["w1_1_1", "w1_1_2", "w2_1_1", "w2_2_1"]
        );
        assert_eq!(network.fan_in(), [2, 2, 1, 1]);
    }
}
