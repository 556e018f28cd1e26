//! Inputs and targets of a regression: what it is trained on, what it is tested on, and the truth where it is known.

/// Rows of inputs with their targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// N.
    pub count: usize,
    /// x (N×features, row by row).
    pub inputs: Vec<f64>,
    /// y (N×targets, row by row).
    pub targets: Vec<f64>,
}

/// The data of a regression.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    /// The length of an input.
    pub features: usize,
    /// The length of a target.
    pub targets: usize,
    /// What the loss is made of.
    pub train: Samples,
    /// Held out; may be empty.
    pub test: Samples,
    /// The coefficients that generated the data, where there are such: β* (targets×features, row by row) of a
    /// sparse or dense truth, W* (targets×features, or as long as an input, row by row) of a low-rank truth; empty otherwise.
    pub truth: Vec<f64>,
}

impl Samples {
    /// Input and target of sample i.
    #[inline(always)]
    pub fn row(&self, i: usize, features: usize, targets: usize) -> (&[f64], &[f64]) {
        (
            &self.inputs[i * features..(i + 1) * features],
            &self.targets[i * targets..(i + 1) * targets],
        )
    }
}
