//! A loss that is written in the scenario: compiled formulas with noise of their own.

use std::sync::Arc;

use super::{Injection, LeastSquares, Model, ModelCard, SocketSizes};
use crate::formula::{
    Declaration, Elaborator, Formula, FormulaError, Function, Graph, Id, Names, Numbers, Printer,
    Problem, Style, Tape, gradient,
};
use crate::noise::{Mechanism, Source};
use crate::random::Law;
use crate::scalar::Scalar;

/// Noises beyond are not differentiated twice to be printed.
const MOST_PRINTED_NOISES: usize = 24;
/// So many components of a gradient are printed.
const MOST_PRINTED: usize = 8;

/// So many slots of eight paths each are read and written fast (16 KiB).
const SLOTS_IN_CACHE: usize = 256;
/// More blocks at once gain little.
const MOST_SIDE_BY_SIDE: usize = 16;

/// The formulas of a model, read but not yet compiled. Inputs are the parameters, then the noises.
#[derive(Clone, Debug, PartialEq)]
pub struct Formulas {
    /// What the names mean.
    pub names: Names,
    /// The parameters.
    pub parameters: Vec<Declaration>,
    /// The noises.
    pub noise: Vec<Declaration>,
    /// L̂(w, η).
    pub loss: Option<Formula>,
    /// The rⱼ of 1/(2N) Σ rⱼ².
    pub residuals: Vec<Formula>,
    /// Observables by name.
    pub observables: Vec<(String, Formula)>,
}

/// L̂(w, η) as a formula, or 1/(2N) Σⱼ (1+η_wⱼ)(rⱼ(w, η) − η_yⱼ)² with formulas for the residuals rⱼ.
#[derive(Clone, Debug)]
pub struct FormulaModel(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    formulas: Formulas,
    /// Of the parameters.
    names: Vec<String>,
    /// m and d.
    sizes: (usize, usize),
    loss: Tape,
    gradient: Tape,
    squares: Option<Squares>,
    observables: Vec<Tape>,
    smooth: bool,
    /// What the gradient is printed from.
    graph: Graph,
    loss_node: Id,
}

/// What a sum of squares offers beyond its loss.
#[derive(Debug)]
struct Squares {
    /// Of weights and labels as well: inputs w, η, η_w, η_y.
    loss: Tape,
    gradient: Tape,
    /// ∂r/∂w (m), ∂r/∂η (d) and r of each residual.
    residuals: Vec<Tape>,
}

impl PartialEq for FormulaModel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.formulas == other.0.formulas
    }
}

impl FormulaModel {
    /// What `singlim list` shows.
    pub const CARD: &ModelCard = &ModelCard {
        name: "formula",
        takes_data: false,
        formula: "L̂(w, η) as you write it",
        options: &[
            ("parameters", "names: [\"u\", \"x[1..20]\"]"),
            (
                "noise",
                "names of the η of `formula` noise: [\"e\", \"d[1..5]\"]; none by default",
            ),
            ("loss", "L̂ as a formula: \"0.5*(u*v - 1 - e)^2\""),
            (
                "residuals",
                "in its place, the r_j of L̂ = 1/(2N) Σ r_j²: [\"dot(X[i], x) - y[i] - e[i] for i=1..N\"]",
            ),
            ("constants", "a section of numbers, vectors and matrices"),
            (
                "tables",
                "a section of CSV files: X = { file = \"data/NAME.csv\", columns = [\"a\", \"b\"] }",
            ),
            (
                "let",
                "a section of named parts: f = \"u*v\", \"b[i=1..20]\" = \"u[i]^2 - v[i]^2\"",
            ),
        ],
        observables: &[],
    };

    /// Compiles the formulas with their gradients.
    ///
    /// # Errors
    /// Unknown names, indices out of range and the like at their place; formulas that are too large.
    pub fn new(formulas: Formulas) -> Result<Self, FormulaError> {
        let entries = |all: &[Declaration]| all.iter().flat_map(Declaration::entries).collect();
        let names: Vec<String> = entries(&formulas.parameters);
        let noises: Vec<String> = entries(&formulas.noise);
        let (m, d) = (names.len(), noises.len());
        let mut graph = Graph::new();
        let mut elaborator = Elaborator::new(&formulas.names, &mut graph);
        let written = formulas
            .loss
            .as_ref()
            .map(|loss| elaborator.single(loss))
            .transpose()?;
        let mut residuals = Vec::new();
        for formula in &formulas.residuals {
            residuals.extend(elaborator.values(formula)?);
        }
        if let (Some(first), []) = (formulas.residuals.first(), residuals.as_slice()) {
            return Err(FormulaError {
                problem: Problem::NoResiduals,
                span: 0..0,
                path: first.path.clone(),
            });
        }
        let mut elaborator = Elaborator::new(&formulas.names, &mut graph).of_parameters(m);
        let observed = formulas
            .observables
            .iter()
            .map(|(_, formula)| elaborator.single(formula))
            .collect::<Result<Vec<_>, _>>()?;
        let blame = |problem| FormulaError {
            problem,
            span: 0..0,
            path: formulas
                .residuals
                .first()
                .or(formulas.loss.as_ref())
                .map_or(Arc::new([]), |formula| formula.path.clone()),
        };
        let loss_node = match (written, residuals.as_slice()) {
            (Some(loss), []) => loss,
            _ => mean_square(&mut graph, &residuals, None),
        };
        let slopes = gradient(&mut graph, loss_node, m).map_err(blame)?;
        let squares = if residuals.is_empty() {
            None
        } else {
            Some(Squares::new(&mut graph, &residuals, (m, d)).map_err(blame)?)
        };
        let smooth = !graph.uses(&[loss_node], Function::Abs);
        let one = |id: Id| Tape::compile(&graph, m + d, &[id]);
        Ok(Self(Arc::new(Compiled {
            names,
            sizes: (m, d),
            loss: one(loss_node),
            gradient: Tape::compile(&graph, m + d, &slopes),
            squares,
            observables: observed.iter().map(|&id| one(id)).collect(),
            smooth,
            graph,
            loss_node,
            formulas,
        })))
    }

    /// Evaluates loss, residuals and observables as they are written, by another way than the compiled one.
    ///
    /// # Errors
    /// Where they are not defined at w, at zero noise; or, as a text with the numbers, where the compiled loss, or that of
    /// the residuals, is another number.
    pub fn check_start(&self, w: &[f64]) -> Result<Result<(), String>, FormulaError> {
        let formulas = &self.0.formulas;
        let (m, d) = self.0.sizes;
        let mut inputs = w.to_vec();
        inputs.resize(m + d, 0.0);
        let mut numbers = Numbers::at(&inputs, "at the start");
        let mut elaborator = Elaborator::new(&formulas.names, &mut numbers);
        let written = match &formulas.loss {
            Some(loss) => Some(elaborator.single(loss)?.0),
            None => None,
        };
        let mut squares = Vec::new();
        for formula in &formulas.residuals {
            squares.extend(elaborator.values(formula)?.into_iter().map(|(r, _)| r * r));
        }
        for (_, formula) in &formulas.observables {
            elaborator.single(formula)?;
        }
        let mean = squares.iter().sum::<f64>() / (2.0 * squares.len() as f64);
        let mut same = Vec::new();
        if !squares.is_empty() {
            same.push(("1/(2N) Σ r² of the residuals", mean));
        }
        same.push(("the compiled loss", self.loss(w, &Injection::NONE)));
        let (name, value) = written.map_or(same[0], |loss| ("`loss`", loss));
        for (other_name, other) in same {
            if (value - other).abs() > 1e-9 * (1.0 + value.abs()) {
                return Ok(Err(format!(
                    "at the start and at zero noise {name} is {value:.6e}, but {other_name} is {other:.6e}"
                )));
            }
        }
        Ok(Ok(()))
    }

    /// Whether the formula has an `abs`.
    pub fn has_kinks(&self) -> bool {
        !self.0.smooth
    }

    /// The names of the inputs as they are written.
    fn written_names(&self) -> Vec<String> {
        let formulas = &self.0.formulas;
        let all = formulas.parameters.iter().chain(&formulas.noise);
        all.flat_map(|declaration| {
            let mut names = vec![(declaration.name.clone(), 0)];
            for &(from, to) in &declaration.ranges {
                names = names
                    .iter()
                    .flat_map(|(name, depth)| {
                        let sign = if *depth == 0 { "[" } else { "," };
                        (from..=to).map(move |i| (format!("{name}{sign}{i}"), depth + 1))
                    })
                    .collect();
            }
            names
                .into_iter()
                .map(|(name, depth)| if depth > 0 { name + "]" } else { name })
        })
        .collect()
    }

    /// The gradient at zero noise and the regulariser of these noises as formulas, each with its name: in this style.
    /// What is too long to be read is left out, and said.
    pub fn derivation(&self, sources: &[Source], style: Style) -> Vec<(String, String)> {
        let latex = style == Style::Latex;
        let mut graph = self.0.graph.clone();
        let names = self.written_names();
        let (m, _) = self.0.sizes;
        let zero = graph.constant(0.0);
        let quiet = graph
            .substitute(&[self.0.loss_node], |i| (i >= m).then_some(zero))
            .map(|ids| ids[0]);
        let Ok(quiet) = quiet else { return Vec::new() };
        let mut formulas = vec![(if latex { "L(w)" } else { "L" }.to_owned(), Some(quiet))];
        let slopes = gradient(&mut graph, quiet, m).unwrap_or_default();
        for (slope, name) in slopes.iter().zip(&names).take(MOST_PRINTED) {
            let name = if latex {
                format!("\\partial L/\\partial {name}")
            } else {
                format!("∂L/∂{name}")
            };
            formulas.push((name, Some(*slope)));
        }
        let name = if latex { "\\mathrm{Reg}" } else { "Reg/σ²" };
        formulas.push((
            name.to_owned(),
            self.regularizer(&mut graph, quiet, sources),
        ));
        let mut lines: Vec<(String, String)> = formulas
            .into_iter()
            .map(|(name, id)| {
                let text = id.and_then(|id| Printer::new(&graph, &names, style).text(id));
                (name, text.unwrap_or("too long to be printed".into()))
            })
            .collect();
        if m > MOST_PRINTED {
            lines.insert(
                1 + MOST_PRINTED,
                (
                    "…".into(),
                    format!("{} further components", m - MOST_PRINTED),
                ),
            );
        }
        lines
    }

    /// Σ_c s_c² ½∂²_{η_c} L̂(w, 0), or Σ_c s_c² [L̂(w, −e_c) − L(w)] for masks; none if it is too large.
    fn regularizer(&self, graph: &mut Graph, quiet: Id, sources: &[Source]) -> Option<Id> {
        let (m, d) = self.0.sizes;
        let zero = graph.constant(0.0);
        let mut terms = Vec::new();
        for source in sources {
            let square = source.scale.powi(2);
            let (loss, inputs) = match source.mechanism {
                Mechanism::Sgld => continue,
                Mechanism::Formula => (self.0.loss_node, m..m + d),
                Mechanism::AntiPgd | Mechanism::Dropconnect => (quiet, 0..m),
                // Linear in the weights: no curvature.
                Mechanism::Minibatch => continue,
                // 1/(2N) Σ η²: ½ of N variances over N.
                Mechanism::Label => {
                    let half = graph.constant(0.5 * square);
                    terms.push((1.0, half));
                    continue;
                }
                Mechanism::Dropout => return None,
            };
            if inputs.len() > MOST_PRINTED_NOISES {
                return None;
            }
            for i in inputs {
                let term = if source.law == Law::Bernoulli {
                    let masked = graph.constant(if i < m { 0.0 } else { -1.0 });
                    let put = |j: usize| match j {
                        _ if j == i => Some(masked),
                        _ => (j >= m).then_some(zero),
                    };
                    let masked = graph.substitute(&[loss], put).ok()?[0];
                    graph.linear(0.0, vec![(1.0, masked), (-1.0, quiet)])
                } else {
                    let slope = gradient(graph, loss, m + d).ok()?[i];
                    let curvature = gradient(graph, slope, m + d).ok()?[i];
                    let put = |j: usize| (j >= m).then_some(zero);
                    let curvature = graph.substitute(&[curvature], put).ok()?[0];
                    let half = graph.scale(0.5, curvature);
                    if source.mechanism == Mechanism::Dropconnect {
                        let w = graph.input(i);
                        let product = graph.product(w, half);
                        graph.product(w, product)
                    } else {
                        half
                    }
                };
                terms.push((square, term));
            }
        }
        Some(graph.linear(0.0, terms))
    }
}

/// 1/(2N) Σ rⱼ², or 1/(2N) Σ (1+η_wⱼ)(rⱼ − η_yⱼ)² with the inputs from number `weights` on.
fn mean_square(graph: &mut Graph, residuals: &[Id], weights: Option<usize>) -> Id {
    let n = residuals.len();
    let mut terms = Vec::with_capacity(n);
    for (j, &r) in residuals.iter().enumerate() {
        let square = match weights {
            None => graph.product(r, r),
            Some(first) => {
                let (weight, label) = (graph.input(first + j), graph.input(first + n + j));
                let weight = graph.linear(1.0, vec![(1.0, weight)]);
                let r = graph.linear(0.0, vec![(1.0, r), (-1.0, label)]);
                let weighted = graph.product(weight, r);
                graph.product(weighted, r)
            }
        };
        terms.push((0.5 / n as f64, square));
    }
    graph.linear(0.0, terms)
}

impl Squares {
    fn new(graph: &mut Graph, residuals: &[Id], (m, d): (usize, usize)) -> Result<Self, Problem> {
        let n = residuals.len();
        let loss = mean_square(graph, residuals, Some(m + d));
        let slopes = gradient(graph, loss, m)?;
        let mut tapes = Vec::with_capacity(n);
        for &r in residuals {
            let mut outputs = gradient(graph, r, m + d)?;
            outputs.push(r);
            tapes.push(Tape::compile(graph, m + d, &outputs));
        }
        let inputs = m + d + 2 * n;
        Ok(Self {
            loss: Tape::compile(graph, inputs, &[loss]),
            gradient: Tape::compile(graph, inputs, &slopes),
            residuals: tapes,
        })
    }
}

/// Copies a noise, or zeros where it is not plugged in.
#[inline(always)]
fn put<S: Scalar>(slots: &mut [S], noise: &[S]) {
    if noise.is_empty() {
        slots.fill(S::zero());
    } else {
        slots.copy_from_slice(noise);
    }
}

impl Compiled {
    /// The tape for these noises, and its inputs put to `slots`.
    #[inline(always)]
    fn begin<'a, S: Scalar>(
        &'a self,
        plain: &'a Tape,
        weighted: impl Fn(&'a Squares) -> &'a Tape,
        w: &[S],
        noise: &Injection<S>,
        slots: &mut [S],
    ) -> &'a Tape {
        let (m, d) = self.sizes;
        let blocks = w.len() / m;
        let (parameters, rest) = slots.split_at_mut(m * blocks);
        parameters.copy_from_slice(w);
        let (formula, rest) = rest.split_at_mut(d * blocks);
        put(formula, noise.formula);
        if let Some(squares) = &self.squares
            && !(noise.weights.is_empty() && noise.labels.is_empty())
        {
            let n = squares.residuals.len() * blocks;
            let (weights, labels) = rest.split_at_mut(n);
            put(weights, noise.weights);
            put(&mut labels[..n], noise.labels);
            return weighted(squares);
        }
        plain
    }

    fn all_tapes(&self) -> impl Iterator<Item = &Tape> {
        let squares = self.squares.iter().flat_map(|squares| {
            [&squares.loss, &squares.gradient]
                .into_iter()
                .chain(&squares.residuals)
        });
        [&self.loss, &self.gradient].into_iter().chain(squares)
    }
}

impl Model for FormulaModel {
    const SHORT_STEPS: bool = false;

    type Vector<S: Scalar> = Vec<S>;

    fn zeros<S: Scalar>(&self) -> Vec<S> {
        vec![S::zero(); self.0.sizes.0]
    }

    fn parameter_names(&self) -> Vec<String> {
        self.0.names.clone()
    }

    #[inline(always)]
    fn dimension(&self) -> usize {
        self.0.sizes.0
    }

    fn sockets(&self) -> SocketSizes {
        let samples = self
            .0
            .squares
            .as_ref()
            .map_or(0, |squares| squares.residuals.len());
        SocketSizes {
            weights: samples,
            labels: samples,
            units: 0,
            formula: self.0.sizes.1,
        }
    }

    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        let mut slots = vec![S::zero(); self.scratch()];
        let tape = self
            .0
            .begin(&self.0.loss, |squares| &squares.loss, w, noise, &mut slots);
        tape.run(1, &mut slots);
        let mut loss = [S::zero()];
        tape.write_outputs(1, &slots, &mut loss);
        loss[0]
    }

    /// As many as keep the slots in the fastest cache.
    fn side_by_side(&self) -> usize {
        let largest = self.0.all_tapes().map(Tape::slots).max().unwrap_or(0);
        (SLOTS_IN_CACHE / largest.max(1)).clamp(1, MOST_SIDE_BY_SIDE)
    }

    fn scratch(&self) -> usize {
        let (m, d) = self.0.sizes;
        self.0.all_tapes().map(Tape::slots).max().unwrap_or(0) + m + d + 1
    }

    #[inline(always)]
    fn gradient<S: Scalar>(
        &self,
        w: &[S],
        noise: &Injection<S>,
        scratch: &mut [S],
        gradient: &mut [S],
    ) {
        let tape = self.0.begin(
            &self.0.gradient,
            |squares| &squares.gradient,
            w,
            noise,
            scratch,
        );
        let blocks = w.len() / self.0.sizes.0;
        tape.run(blocks, scratch);
        tape.write_outputs(blocks, scratch, gradient);
    }

    fn least_squares(&self) -> Option<LeastSquares> {
        self.0.squares.as_ref().map(|squares| LeastSquares {
            samples: squares.residuals.len(),
            outputs: 1,
        })
    }

    #[inline(always)]
    fn residual<S: Scalar>(
        &self,
        index: usize,
        w: &[S],
        units: &[S],
        scratch: &mut [S],
        gradient: &mut [S],
    ) -> S {
        let Some(squares) = &self.0.squares else {
            gradient.fill(S::constant(f64::NAN));
            return S::constant(f64::NAN);
        };
        let (m, d) = self.0.sizes;
        let tape = &squares.residuals[index];
        let (slots, rest) = scratch.split_at_mut(tape.slots());
        slots[..m].copy_from_slice(w);
        put(&mut slots[m..m + d], units);
        tape.run(1, slots);
        let outputs = &mut rest[..m + d + 1];
        tape.write_outputs(1, slots, outputs);
        gradient.copy_from_slice(&outputs[..m]);
        outputs[m + d]
    }

    fn residual_noise(&self, index: usize, w: &[f64], slopes: &mut [f64]) {
        let Some(squares) = &self.0.squares else {
            return;
        };
        let (m, d) = self.0.sizes;
        let outputs = squares.residuals[index].evaluate(w);
        slopes.copy_from_slice(&outputs[m..m + d]);
    }

    fn is_smooth(&self) -> bool {
        self.0.smooth
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn own_observables(&self) -> Vec<String> {
        self.0
            .formulas
            .observables
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        self.0.observables[index].evaluate(w)[0]
    }
}
