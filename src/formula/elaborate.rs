//! From the tree of a formula to values: names looked up, indices followed, sums and products written out.
//!
//! The same walk builds the graph (values are nodes) and evaluates with plain numbers (which finds where in the text a
//! formula is not defined).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::error::{FormulaError, Problem, nearest};
use super::function::Function;
use super::graph::{Graph, Id};
use super::names::{Names, Symbol};
use super::parse::{Expr, Formula, IndexRange, Kind};

/// The most parts that a formula may have when written out.
const MOST_STEPS: usize = 2_000_000;
/// The most levels of brackets and named parts in one another.
const MOST_LEVELS: usize = 200;

/// What a formula can be written out in.
pub trait Algebra {
    /// A number, or the node of one.
    type Value: Copy;

    /// The constant x.
    fn constant(&mut self, x: f64) -> Self::Value;

    /// Parameter or noise number i.
    fn input(&mut self, i: usize) -> Self::Value;

    /// The number that a value is whatever the inputs are.
    fn known(&self, x: Self::Value) -> Option<f64>;

    /// c₀ + Σ cᵢxᵢ.
    ///
    /// # Errors
    /// As all of these: not defined, not finite, or too large.
    fn linear(
        &mut self,
        constant: f64,
        terms: Vec<(f64, Self::Value)>,
    ) -> Result<Self::Value, Problem>;

    /// The product of all.
    ///
    /// # Errors
    /// As above.
    fn product(&mut self, factors: Vec<Self::Value>) -> Result<Self::Value, Problem>;

    /// a/b.
    ///
    /// # Errors
    /// As above.
    fn quotient(&mut self, a: Self::Value, b: Self::Value) -> Result<Self::Value, Problem>;

    /// xᵖ.
    ///
    /// # Errors
    /// As above.
    fn power(&mut self, x: Self::Value, p: f64) -> Result<Self::Value, Problem>;

    /// f(x).
    ///
    /// # Errors
    /// As above.
    fn apply(&mut self, f: Function, x: Self::Value) -> Result<Self::Value, Problem>;
}

impl Graph {
    fn checked(&self, id: Id) -> Result<Id, Problem> {
        self.check_size()?;
        match self.not_finite(id) {
            Some(x) => Err(Problem::NotFinite(x)),
            None => Ok(id),
        }
    }
}

impl Algebra for Graph {
    type Value = Id;

    fn constant(&mut self, x: f64) -> Id {
        self.constant(x)
    }

    fn input(&mut self, i: usize) -> Id {
        self.input(i)
    }

    fn known(&self, x: Id) -> Option<f64> {
        self.known(x)
    }

    fn linear(&mut self, constant: f64, terms: Vec<(f64, Id)>) -> Result<Id, Problem> {
        let id = self.linear(constant, terms);
        self.checked(id)
    }

    fn product(&mut self, factors: Vec<Id>) -> Result<Id, Problem> {
        let id = self.product_of(factors);
        self.checked(id)
    }

    fn quotient(&mut self, a: Id, b: Id) -> Result<Id, Problem> {
        let id = self.quotient(a, b);
        self.checked(id)
    }

    fn power(&mut self, x: Id, p: f64) -> Result<Id, Problem> {
        let id = self.power(x, p);
        self.checked(id)
    }

    fn apply(&mut self, f: Function, x: Id) -> Result<Id, Problem> {
        let id = self.apply(f, x);
        self.checked(id)
    }
}

/// Plain numbers: the formula evaluated as it stands, with an error where it is not defined.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    inputs: &'a [f64],
    at: &'static str,
}

impl<'a> Numbers<'a> {
    /// Evaluates at these inputs; `at` is what messages call the place.
    pub fn at(inputs: &'a [f64], at: &'static str) -> Self {
        Self { inputs, at }
    }

    fn result(
        &self,
        x: f64,
        constant: bool,
        refused: Option<(&'static str, f64)>,
    ) -> Result<(f64, bool), Problem> {
        let refused = refused.or((!x.is_finite()).then_some(("not a finite number", x)));
        match refused {
            Some((what, value)) => Err(Problem::Domain {
                at: self.at,
                what,
                value,
            }),
            None => Ok((x, constant)),
        }
    }
}

impl Algebra for Numbers<'_> {
    /// A number, and whether it is a constant.
    type Value = (f64, bool);

    fn constant(&mut self, x: f64) -> (f64, bool) {
        (x, true)
    }

    fn input(&mut self, i: usize) -> (f64, bool) {
        (self.inputs.get(i).copied().unwrap_or(f64::NAN), false)
    }

    fn known(&self, (x, constant): (f64, bool)) -> Option<f64> {
        constant.then_some(x)
    }

    fn linear(
        &mut self,
        constant: f64,
        terms: Vec<(f64, (f64, bool))>,
    ) -> Result<(f64, bool), Problem> {
        let sum = terms.iter().fold(constant, |sum, (c, (x, _))| sum + c * x);
        self.result(sum, terms.iter().all(|(_, (_, known))| *known), None)
    }

    fn product(&mut self, factors: Vec<(f64, bool)>) -> Result<(f64, bool), Problem> {
        let product = factors.iter().map(|(x, _)| x).product();
        self.result(product, factors.iter().all(|(_, known)| *known), None)
    }

    fn quotient(
        &mut self,
        (a, known): (f64, bool),
        (b, too): (f64, bool),
    ) -> Result<(f64, bool), Problem> {
        let refused = (b == 0.0).then_some(("a division by zero of the number", a));
        self.result(a / b, known && too, refused)
    }

    fn power(&mut self, (x, known): (f64, bool), p: f64) -> Result<(f64, bool), Problem> {
        let refused = (x < 0.0 && p.fract() != 0.0)
            .then_some(("a power that is no whole number of a negative number", x));
        self.result(libm::pow(x, p), known, refused)
    }

    fn apply(&mut self, f: Function, (x, known): (f64, bool)) -> Result<(f64, bool), Problem> {
        let refused = f.refuses(x).map(|what| (what, x));
        self.result(f.of(x), known, refused)
    }
}

type Outcome<T> = Result<T, FormulaError>;

/// Writes out formulas that share their names.
pub struct Elaborator<'a, A: Algebra> {
    names: &'a Names,
    algebra: &'a mut A,
    /// The indices in scope.
    indices: Vec<(String, i64)>,
    /// Named parts that are known already, by symbol and index.
    parts: HashMap<(usize, i64), A::Value>,
    /// Named parts that are being written out.
    open: Vec<usize>,
    path: Arc<[String]>,
    /// Inputs from this number on are not allowed.
    most_inputs: usize,
    steps: usize,
    level: usize,
}

impl<'a, A: Algebra> Elaborator<'a, A> {
    /// Looks names up in `names` and computes with `algebra`.
    pub fn new(names: &'a Names, algebra: &'a mut A) -> Self {
        Self {
            names,
            algebra,
            indices: Vec::new(),
            parts: HashMap::new(),
            open: Vec::new(),
            path: Arc::new([]),
            most_inputs: usize::MAX,
            steps: 0,
            level: 0,
        }
    }

    /// The same for formulas of the first `parameters` inputs alone.
    #[must_use]
    pub fn of_parameters(mut self, parameters: usize) -> Self {
        self.most_inputs = parameters;
        self
    }

    pub(super) fn at_path(&mut self, path: &Arc<[String]>) {
        self.path = path.clone();
    }

    /// What the values are computed with.
    pub fn algebra(&mut self) -> &mut A {
        self.algebra
    }

    fn fail<T>(&self, problem: Problem, span: &Range<usize>) -> Outcome<T> {
        let (span, path) = (span.clone(), self.path.clone());
        Err(FormulaError {
            problem,
            span,
            path,
        })
    }

    fn at<T>(&self, result: Result<T, Problem>, span: &Range<usize>) -> Outcome<T> {
        result.or_else(|problem| self.fail(problem, span))
    }

    /// The value of a formula, one for each index if it says `for`.
    ///
    /// # Errors
    /// Unknown names, indices out of range, and so on, at their place.
    pub fn values(&mut self, formula: &Formula) -> Outcome<Vec<A::Value>> {
        self.path = formula.path.clone();
        let Some(range) = &formula.each else {
            return Ok(vec![self.value(&formula.expr)?]);
        };
        self.over(range, |this| this.value(&formula.expr))
    }

    /// The value of a formula that stands for one number.
    ///
    /// # Errors
    /// As [`Elaborator::values`].
    pub fn single(&mut self, formula: &Formula) -> Outcome<A::Value> {
        let values = self.values(formula)?;
        match (values.as_slice(), &formula.each) {
            ([value], None) => Ok(*value),
            _ => {
                let found = "a formula `for` each index".to_owned();
                let expected = "a formula for one number";
                self.fail(Problem::Unexpected { found, expected }, &formula.expr.span)
            }
        }
    }

    /// One value for each index of a range.
    fn over(
        &mut self,
        range: &IndexRange,
        mut value: impl FnMut(&mut Self) -> Outcome<A::Value>,
    ) -> Outcome<Vec<A::Value>> {
        let (from, to) = (self.whole(&range.from)?, self.whole(&range.to)?);
        let mut values = Vec::new();
        for i in from..=to {
            self.step(&range.to.span)?;
            self.indices.push((range.name.clone(), i));
            let result = value(self);
            self.indices.pop();
            values.push(result?);
        }
        Ok(values)
    }

    fn step(&mut self, span: &Range<usize>) -> Outcome<()> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return self.fail(Problem::TooLarge(MOST_STEPS, "parts"), span);
        }
        Ok(())
    }

    fn value(&mut self, expr: &Expr) -> Outcome<A::Value> {
        self.step(&expr.span)?;
        if self.level == MOST_LEVELS {
            return self.fail(Problem::TooDeep(MOST_LEVELS), &expr.span);
        }
        self.level += 1;
        let value = self.value_here(expr);
        self.level -= 1;
        value
    }

    fn value_here(&mut self, expr: &Expr) -> Outcome<A::Value> {
        let span = &expr.span;
        match &expr.kind {
            Kind::Number(x) => Ok(self.algebra.constant(*x)),
            Kind::Name(name) => {
                if let Some(&(_, i)) = self.indices.iter().rev().find(|(n, _)| n == name) {
                    return Ok(self.algebra.constant(i as f64));
                }
                self.entry(name, &[], span)
            }
            Kind::Entry(name, indices) => {
                let indices = self.whole_numbers(indices)?;
                self.entry(name, &indices, span)
            }
            Kind::Sum(terms) => {
                let mut all = Vec::new();
                self.terms(1.0, terms, &mut all)?;
                let sum = self.algebra.linear(0.0, all);
                self.at(sum, span)
            }
            Kind::Product(factors) => {
                let (mut above, mut below) = (Vec::new(), Vec::new());
                for (multiplied, factor) in factors {
                    let value = self.value(factor)?;
                    if *multiplied { &mut above } else { &mut below }.push(value);
                }
                let above = self.algebra.product(above);
                let above = self.at(above, span)?;
                if below.is_empty() {
                    return Ok(above);
                }
                let below = self.algebra.product(below);
                let below = self.at(below, span)?;
                let quotient = self.algebra.quotient(above, below);
                self.at(quotient, span)
            }
            Kind::Power(pair) => {
                let (base, exponent) = (self.value(&pair.0)?, self.value(&pair.1)?);
                if let Some(p) = self.algebra.known(exponent) {
                    let power = self.algebra.power(base, p);
                    return self.at(power, span);
                }
                let logarithm = self.algebra.apply(Function::Log, base);
                let logarithm = self.at(logarithm, span)?;
                let product = self.algebra.product(vec![exponent, logarithm]);
                let product = self.at(product, span)?;
                let power = self.algebra.apply(Function::Exp, product);
                self.at(power, span)
            }
            Kind::Call(f, argument) => {
                let argument = self.value(argument)?;
                let value = self.algebra.apply(*f, argument);
                self.at(value, span)
            }
            Kind::Dot(pair) => {
                let (a, b) = (self.vector(&pair.0)?, self.vector(&pair.1)?);
                if a.len() != b.len() {
                    return self.fail(Problem::Lengths(a.len(), b.len()), span);
                }
                let mut terms = Vec::with_capacity(a.len());
                for (a, b) in a.into_iter().zip(b) {
                    self.step(span)?;
                    let product = self.algebra.product(vec![a, b]);
                    terms.push((1.0, self.at(product, span)?));
                }
                let sum = self.algebra.linear(0.0, terms);
                self.at(sum, span)
            }
            Kind::Fold {
                product,
                range,
                body,
            } => {
                let values = self.over(range, |this| this.value(body))?;
                let folded = if *product {
                    self.algebra.product(values)
                } else {
                    let terms = values.into_iter().map(|value| (1.0, value));
                    self.algebra.linear(0.0, terms.collect())
                };
                self.at(folded, span)
            }
        }
    }

    /// The terms of a sum, with those of sums in brackets among them.
    fn terms(
        &mut self,
        sign: f64,
        terms: &[(bool, Expr)],
        all: &mut Vec<(f64, A::Value)>,
    ) -> Outcome<()> {
        for (plus, term) in terms {
            let sign = if *plus { sign } else { -sign };
            if let Kind::Sum(inner) = &term.kind {
                self.terms(sign, inner, all)?;
            } else {
                let value = self.value(term)?;
                all.push((sign, value));
            }
        }
        Ok(())
    }

    fn unknown<T>(&self, name: &str, span: &Range<usize>) -> Outcome<T> {
        let mut known: Vec<_> = self.names.all().collect();
        known.extend(self.indices.iter().map(|(name, _)| name.as_str()));
        let help = nearest(name, &mut known);
        let name = name.to_owned();
        self.fail(Problem::UnknownName { name, help }, span)
    }

    fn entry(&mut self, name: &str, indices: &[i64], span: &Range<usize>) -> Outcome<A::Value> {
        let Some(number) = self.names.find(name) else {
            return self.unknown(name, span);
        };
        let names = self.names;
        let symbol = names.symbol(number);
        let ranges = symbol.ranges();
        if ranges.len() != indices.len() {
            let problem = Problem::Indices {
                name: name.to_owned(),
                takes: ranges.len(),
                given: indices.len(),
            };
            return self.fail(problem, span);
        }
        let mut offset = 0;
        for (&index, &(from, to)) in indices.iter().zip(&ranges) {
            if !(from..=to).contains(&index) {
                let name = name.to_owned();
                return self.fail(
                    Problem::Range {
                        name,
                        index,
                        from,
                        to,
                    },
                    span,
                );
            }
            offset = offset * (to - from + 1) as usize + (index - from) as usize;
        }
        match symbol {
            Symbol::Input { first, .. } if *first >= self.most_inputs => {
                self.fail(Problem::Noise(name.to_owned()), span)
            }
            Symbol::Input { first, .. } => Ok(self.algebra.input(first + offset)),
            Symbol::Data { values, .. } => Ok(self.algebra.constant(values[offset])),
            Symbol::Part { formula, index } => {
                let key = (number, indices.first().copied().unwrap_or(0));
                if let Some(&value) = self.parts.get(&key) {
                    return Ok(value);
                }
                if self.open.contains(&number) {
                    return self.fail(Problem::Cycle(name.to_owned()), span);
                }
                let own = index
                    .iter()
                    .zip(indices)
                    .map(|((name, ..), &i)| (name.clone(), i));
                let outer = std::mem::replace(&mut self.indices, own.collect());
                let path = std::mem::replace(&mut self.path, formula.path.clone());
                self.open.push(number);
                let value = self.value(&formula.expr)?;
                self.open.pop();
                (self.indices, self.path) = (outer, path);
                self.parts.insert(key, value);
                Ok(value)
            }
        }
    }

    /// The entries of a vector, or of a row of a matrix.
    fn vector(&mut self, expr: &Expr) -> Outcome<Vec<A::Value>> {
        let (name, mut indices) = match &expr.kind {
            Kind::Name(name) => (name, Vec::new()),
            Kind::Entry(name, indices) => (name, self.whole_numbers(indices)?),
            _ => {
                let found = "an expression".to_owned();
                let expected = "the name of a vector, or of a matrix with the index of a row";
                return self.fail(Problem::Unexpected { found, expected }, &expr.span);
            }
        };
        let Some(number) = self.names.find(name) else {
            return self.unknown(name, &expr.span);
        };
        let ranges = self.names.symbol(number).ranges();
        if ranges.len() != indices.len() + 1 {
            let problem = Problem::Indices {
                name: name.clone(),
                takes: ranges.len().saturating_sub(1),
                given: indices.len(),
            };
            return self.fail(problem, &expr.span);
        }
        let (from, to) = ranges[indices.len()];
        let mut entries = Vec::new();
        indices.push(0);
        for i in from..=to {
            self.step(&expr.span)?;
            if let Some(last) = indices.last_mut() {
                *last = i;
            }
            entries.push(self.entry(name, &indices, &expr.span)?);
        }
        Ok(entries)
    }

    fn whole_numbers(&mut self, exprs: &[Expr]) -> Outcome<Vec<i64>> {
        exprs.iter().map(|expr| self.whole(expr)).collect()
    }

    /// The whole number that an index or a bound is.
    pub(super) fn whole(&mut self, expr: &Expr) -> Outcome<i64> {
        let x = self.index_value(expr)?;
        if x.fract() == 0.0 && x.abs() < 1e15 {
            return Ok(x as i64);
        }
        self.fail(Problem::NotWhole(x), &expr.span)
    }

    fn index_value(&mut self, expr: &Expr) -> Outcome<f64> {
        self.step(&expr.span)?;
        match &expr.kind {
            Kind::Number(x) => Ok(*x),
            Kind::Name(name) => {
                if let Some(&(_, i)) = self.indices.iter().rev().find(|(n, _)| n == name) {
                    return Ok(i as f64);
                }
                match self
                    .names
                    .find(name)
                    .map(|number| self.names.symbol(number))
                {
                    Some(Symbol::Data { values, lengths }) if lengths.is_empty() => Ok(values[0]),
                    Some(_) => self.fail(Problem::NotConstant, &expr.span),
                    None => self.unknown(name, &expr.span),
                }
            }
            Kind::Sum(terms) => {
                let mut sum = 0.0;
                for (plus, term) in terms {
                    let term = self.index_value(term)?;
                    sum += if *plus { term } else { -term };
                }
                Ok(sum)
            }
            Kind::Product(factors) => {
                let mut product = 1.0;
                for (multiplied, factor) in factors {
                    let factor = self.index_value(factor)?;
                    product = if *multiplied {
                        product * factor
                    } else {
                        product / factor
                    };
                }
                Ok(product)
            }
            _ => self.fail(Problem::NotConstant, &expr.span),
        }
    }
}
