//! The scenario file as typed: every key, its meaning and its default.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::derive::Regime;
use crate::noise::Mechanism;
use crate::random::{Law, Sampling};

/// A whole scenario file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A singlim scenario")]
pub struct ScenarioSpec {
    /// One line that says what is claimed.
    #[serde(default)]
    pub title: String,
    /// Names every random stream of the run together with level and path.
    #[serde(default = "one")]
    pub seed: u64,
    /// What is looked at; the first one is also the one whose time scale is measured.
    #[schemars(schema_with = "super::schema::observables")]
    pub observables: ObservablesSpec,
    /// The loss and where the descent starts.
    pub model: ModelSpec,
    /// What a network is trained on; for models that take data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSpec>,
    /// The noise sources; each enters by a socket of its own.
    #[serde(default)]
    pub noise: Vec<NoiseSpec>,
    /// Step sizes, σ, horizon, records and paths.
    pub ladder: LadderSpec,
    /// How the step size changes along the iterations; constant by default.
    #[serde(default)]
    pub schedule: ScheduleSpec,
    /// How the limit is computed.
    #[serde(default)]
    pub limit: LimitSpec,
    /// Drive all rungs and a stochastic limit by one Brownian path; not done unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupling: Option<CouplingSpec>,
    /// What is expected.
    #[serde(default)]
    pub expect: ExpectSpec,
    /// The margins of the checks, declared before the run.
    #[serde(default)]
    pub margins: MarginsSpec,
}

fn one() -> u64 {
    1
}

/// Observables in either form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "observables must be a list of names or, for a model of kind \"formula\", a section of formulas"
)]
pub enum ObservablesSpec {
    /// By name.
    Names(Vec<String>),
    /// With the formula of each, or the name of a general observable.
    Formulas(BTreeMap<String, String>),
}

/// `[model]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a section [model]")]
pub struct ModelSpec {
    /// The name of a built-in model.
    #[schemars(extend("enum" = super::schema::models()))]
    pub kind: String,
    /// w₀: a list in the order of the parameters, a table by name, random or constant.
    pub start: StartSpec,
    /// sphere, widening-valley, diagonal-network: how many coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// valley: h(x); exp-sine by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = super::schema::profiles()))]
    pub profile: Option<String>,
    /// valley: c in h(x); default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// diagonal-network: L ≥ 2; default 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// deep-linear, matrix-sensing, perceptron: lengths of the layers, from the input to the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widths: Option<Vec<usize>>,
    /// perceptron: tanh by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = super::schema::activations()))]
    pub activation: Option<String>,
    /// perceptron: whether there are any; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biases: Option<bool>,
    /// formula: names of the parameters, `u` or `x[1..20]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<String>>,
    /// formula: names of the η of `formula` noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<Vec<String>>,
    /// formula: L̂(w, η).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// formula: the r_j of L̂ = 1/(2N) Σ r_j².
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residuals: Option<Vec<String>>,
    /// formula: numbers, vectors and matrices by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constants: Option<BTreeMap<String, ConstantSpec>>,
    /// formula: tables of numbers from CSV files by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeMap<String, TableSpec>>,
    /// formula: named parts, `f` or `f[i=1..20]`.
    #[serde(rename = "let", skip_serializing_if = "Option::is_none")]
    pub parts: Option<BTreeMap<String, String>>,
}

/// A constant of a formula; indices count from 1.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a constant must be a number, a list of numbers or a list of lists of numbers"
)]
pub enum ConstantSpec {
    /// One number.
    Number(f64),
    /// `a[i]`
    Vector(Vec<f64>),
    /// `A[i,j]`, row by row.
    Matrix(Vec<Vec<f64>>),
}

/// A table of a formula: `X[i,j]` is row i and column j of the file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table { file = \"…\", columns = […] }"
)]
pub struct TableSpec {
    /// A CSV with a header, by its path from the folder of the scenario.
    pub file: String,
    /// The columns, in order; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// In their place, one column that makes a vector `y[i]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// w₀ in any of its forms. Where a table fits several, the first of them counts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "the start must be a list of numbers, a table { name = number, … }, { random = number, seed = number } or { constant = number }"
)]
pub enum StartSpec {
    /// All parameters in order.
    List(Vec<f64>),
    /// Gaussian.
    Random(RandomStart),
    /// The same for all parameters.
    Constant(ConstantStart),
    /// By the names of parameters, or of groups of them: `u` stands for `u1`, `u2`, …
    Named(BTreeMap<String, f64>),
}

/// `start = { random = s, seed = n }`: w₀ᵢ ~ N(0, s²/fan-inᵢ), independent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomStart {
    /// s > 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub random: f64,
    /// Names the random stream; the run's seed does not change the start.
    #[serde(default = "one")]
    pub seed: u64,
}

/// `start = { constant = c }`: w₀ᵢ = c.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstantStart {
    /// c.
    pub constant: f64,
}

/// `[data]`: either generated (`samples`, `truth`, …) or read from a file (`file`, `features`, `targets`, …).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a section [data]")]
pub struct DataSpec {
    /// Names the random streams of generation or split; the run's seed does not change the data.
    #[serde(default = "one")]
    pub seed: u64,
    /// generated: N ≥ 1, the number of training samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// generated: the number of held-out samples; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_samples: Option<usize>,
    /// generated: the function that the targets follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<TruthSpec>,
    /// sparse: how many coefficients of each target are not 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<usize>,
    /// low-rank: the rank of W*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// teacher: its widths; those of the model by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher_widths: Option<Vec<usize>>,
    /// generated: the law of the inputs; gaussian by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub design: Option<DesignSpec>,
    /// sparse, dense and low-rank: the size of the coefficients; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<f64>,
    /// generated: standard deviation of the noise on the training labels, drawn once; default 0. The labels held out have
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_noise: Option<f64>,
    /// from a file: a CSV with a header, by its path from the folder of the scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// from a file: the columns that make x, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// from a file: the columns that make y, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// from a file: shift and scale each column so that its training rows have mean 0 and standard deviation 1; default
    /// false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardise: Option<bool>,
    /// from a file: how many rows, chosen at random, to train on; all by default. The others are held out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
}

/// What generated targets follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TruthSpec {
    /// y = β* x, few coefficients ±signal and the others 0.
    Sparse,
    /// y = β* x, coefficients N(0, signal²).
    Dense,
    /// y = W* x or ⟨X, W*⟩, W* of low rank with ‖W*‖_F = signal·√rank.
    LowRank,
    /// y = the output of a network of the model's kind.
    Teacher,
}

/// The law of generated inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DesignSpec {
    /// Coordinates N(0, 1), independent.
    #[default]
    Gaussian,
    /// x = e_a e_bᵀ: each sample reads another entry (a, b) of a matrix, chosen at random.
    Entries,
}

/// `[[noise]]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a section [[noise]]")]
pub struct NoiseSpec {
    /// The mechanism.
    pub kind: Mechanism,
    /// The law of each coordinate.
    #[serde(default = "gaussian")]
    pub law: Law,
    /// Standard deviation in units of the ladder's σ.
    #[serde(default = "unit_number")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub scale: f64,
    /// minibatch: B, for real minibatches in place of independent weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// minibatch: how the samples of a step are chosen; fresh and without replacement by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// dropout: whether each sample has its own mask; by default the samples of a step share one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_sample: bool,
}

fn gaussian() -> Law {
    Law::Gaussian
}

/// `[ladder]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a section [ladder]")]
pub struct LadderSpec {
    /// α of each rung: at least four, geometric.
    #[schemars(length(min = 4), inner(range(min = 0)))]
    pub step_sizes: Vec<f64>,
    /// σ at the largest step size.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub sigma: f64,
    /// q in σ ∝ α^q along the ladder; 0 keeps σ fixed.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub sigma_exponent: f64,
    /// Further rungs at one step size with σ multiplied by these factors, to measure the exponent of σ; where the ladder
    /// leaves an error term in σ that does not vanish, they take the errors of a deterministic limit to σ → 0.
    #[serde(default)]
    pub sigma_factors: Vec<f64>,
    /// The step size of those rungs (one of `step_sizes`); the second largest by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_step_size: Option<f64>,
    /// Whether those rungs are run at every step size: a design in two factors, which measures both exponents jointly.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sigma_grid: bool,
    /// T: how long, in slow time at constant step size.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub horizon: f64,
    /// How many equally spaced record times, or the times themselves.
    #[serde(default = "eight")]
    pub records: RecordsSpec,
    /// Paths per rung: one number for all, or one per step size.
    pub paths: PathsSpec,
    /// Declared fault where true: every eight paths are driven by the random numbers of the first eight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared_streams: bool,
    /// Declared fault where true: labels what is compared at a record with the time of the next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late_labels: bool,
}

fn eight() -> RecordsSpec {
    RecordsSpec::Count(8)
}

/// Record times in either form.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "records must be a whole number of equally spaced times, or a list of times"
)]
pub enum RecordsSpec {
    /// T/n, 2T/n, …, T.
    Count(usize),
    /// As given, in slow time at constant step size.
    Times(Vec<f64>),
}

/// Numbers of paths in either form.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "paths must be a whole number of paths, or a list with one for each step size"
)]
pub enum PathsSpec {
    /// The same for every rung.
    Same(usize),
    /// One for each step size.
    Each(Vec<usize>),
}

/// `[schedule]`: α_k = α·f(k). Times are in slow time at constant step size.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a section [schedule]")]
pub struct ScheduleSpec {
    /// The shape f.
    #[serde(default)]
    pub kind: ScheduleKind,
    /// polynomial: γ in f = (1 + k/k₀)^−γ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// polynomial: k₀ as a slow time, so that all rungs share one curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_time: Option<f64>,
    /// polynomial: k₀ as a number of steps, in place of `decay_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<f64>,
    /// piecewise: pairs [from time, factor], the first from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<Vec<Vec<f64>>>,
    /// cosine: f falls from 1 to this value at the horizon; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
}

/// The shapes of a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// f = 1.
    #[default]
    Constant,
    /// f = (1 + k/k₀)^−γ.
    Polynomial,
    /// f constant on pieces.
    Piecewise,
    /// f = floor + (1 − floor)·½(1 + cos πk/K).
    Cosine,
}

/// `[limit]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a section [limit]")]
pub struct LimitSpec {
    /// Chosen by the program unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrator: Option<IntegratorKind>,
    /// Euler–Maruyama: the largest time step; horizon/200 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_step: Option<f64>,
    /// Runge–Kutta: local error relative to 1 + |W|.
    #[serde(default = "tolerance")]
    pub tolerance: f64,
    /// Euler–Maruyama: number of paths; as many as the largest rung by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<usize>,
    /// Correct the limit for each finite step size.
    #[serde(default)]
    pub corrected: bool,
    /// Declared fault: multiplies the drift.
    #[serde(default = "unit_number")]
    pub drift_scale: f64,
    /// Declared fault: multiplies the Brownian part.
    #[serde(default = "unit_number")]
    pub diffusion_scale: f64,
    /// Declared fault where false: leaves out the Itô correction.
    #[serde(default = "yes")]
    pub ito_correction: bool,
    /// Declared fault where false: does not project on Γ.
    #[serde(default = "yes")]
    pub projection: bool,
    /// Declared fault where "local": ½Δ_η in place of the non-local regulariser of masks.
    #[serde(default)]
    pub masks: MasksSpec,
    /// Declared fault where true: Lyapunov in place of Stein in the corrected limit.
    #[serde(default)]
    pub lyapunov: bool,
    /// Declared fault: claims this clock whatever the regime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<super::Clock>,
}

impl Default for LimitSpec {
    fn default() -> Self {
        Self {
            integrator: None,
            time_step: None,
            tolerance: tolerance(),
            paths: None,
            corrected: false,
            drift_scale: 1.0,
            diffusion_scale: 1.0,
            ito_correction: true,
            projection: true,
            masks: MasksSpec::NonLocal,
            lyapunov: false,
            clock: None,
        }
    }
}

fn tolerance() -> f64 {
    1e-9
}

fn unit_number() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

/// Integrators of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntegratorKind {
    /// Dormand–Prince 5(4) with projection, for deterministic limits.
    RungeKutta,
    /// Euler–Maruyama with projection, for any limit.
    EulerMaruyama,
}

/// How masks enter the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MasksSpec {
    /// By the non-local regulariser: the theory.
    #[default]
    NonLocal,
    /// By ½Δ_η: a fault.
    Local,
}

/// `[coupling]`: paths on which every rung and the limit are driven by the same Brownian motion.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a section [coupling]")]
pub struct CouplingSpec {
    /// Number of coupled paths.
    pub paths: usize,
    /// The largest time step of the limit along them; by default a few steps of the finest rung, so few that the limit's
    /// own error stays below that of the iterates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_step: Option<f64>,
    /// What may be left of the distance between coupled paths as α → 0: share of the observable's displacement.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub margin: f64,
}

impl Default for CouplingSpec {
    fn default() -> Self {
        Self {
            paths: 256,
            time_step: None,
            margin: 0.05,
        }
    }
}

/// `[expect]`: a derived or measured value that disagrees is a rejected check.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a section [expect]")]
pub struct ExpectSpec {
    /// The regime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regime: Option<Regime>,
    /// (a, b) in iterations ∝ α^−a σ^−b; those of the derived regime by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(equal = 2))]
    pub exponents: Option<Vec<f64>>,
    /// p in error ∝ α^p; not checked unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<f64>,
    /// p in (E|o(w) − o(W)|²)^½ ∝ α^p on coupled paths; only that it vanishes is checked unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strong_order: Option<f64>,
    /// Whether the schedule freezes the evolution: slow time stays finite; not checked unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freezes: Option<bool>,
}

/// `[margins]`: what still counts as agreement. Shares are of the observable's total displacement in the limit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a section [margins]")]
pub struct MarginsSpec {
    /// Level of each test: intervals have confidence 1 − 2·level.
    #[schemars(range(min = 0.001), extend("exclusiveMaximum" = 0.5))]
    pub level: f64,
    /// Mean, extrapolated to α → 0: share of the displacement.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub mean: f64,
    /// Mean squared displacement of a stochastic limit, extrapolated to α → 0: share of its largest value.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub square: f64,
    /// Wasserstein-1 distance of the law at the horizon: share of the limit's standard deviation.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub law: f64,
    /// Kolmogorov–Smirnov distance of the law at the horizon.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub ks: f64,
    /// Exponents of the time scale.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 0.5))]
    pub exponent: f64,
    /// Exponent of the spread around a deterministic limit.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub spread: f64,
    /// Order of convergence.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub order: f64,
    /// The share of the displacement whose crossing defines the time scale.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub share: f64,
    /// Frozen evolution: what may be missing of the final displacement, as a share of it.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub freezing: f64,
}

impl Default for MarginsSpec {
    fn default() -> Self {
        Self {
            level: 0.01,
            mean: 0.03,
            square: 0.1,
            law: 0.1,
            ks: 0.06,
            exponent: 0.25,
            spread: 0.25,
            order: 0.35,
            share: 0.5,
            freezing: 0.1,
        }
    }
}
