//! What the names in a formula stand for: parameters and noise, constants and tables, and named parts.

use std::collections::HashMap;
use std::sync::Arc;

use super::elaborate::{Elaborator, Numbers};
use super::error::{FormulaError, Problem};
use super::function::Function;
use super::parse::{Formula, at_path, declared};

/// The most parameters, or noises, that can be declared.
const MOST_INPUTS: i64 = 100_000;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Symbol {
    /// Consecutive inputs, from number `first` on, the last index running fastest.
    Input {
        /// The number of the first one.
        first: usize,
        /// First and last value of each index; none for a single number.
        ranges: Vec<(i64, i64)>,
    },
    /// Numbers with indices from 1, the last index running fastest.
    Data {
        /// All of them.
        values: Vec<f64>,
        /// How many values each index has; none for a single number.
        lengths: Vec<usize>,
    },
    /// A named part, for each value of an index if it has one.
    Part {
        /// What it is.
        formula: Box<Formula>,
        /// Name, first and last value.
        index: Option<(String, i64, i64)>,
    },
}

impl Symbol {
    /// First and last value of each index.
    pub(super) fn ranges(&self) -> Vec<(i64, i64)> {
        match self {
            Self::Input { ranges, .. } => ranges.clone(),
            Self::Data { lengths, .. } => lengths.iter().map(|&n| (1, n as i64)).collect(),
            Self::Part { index, .. } => index.iter().map(|(_, a, b)| (*a, *b)).collect(),
        }
    }
}

/// All names with their meanings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    numbers: HashMap<String, usize>,
    symbols: Vec<Symbol>,
}

impl Names {
    /// π alone.
    pub fn new() -> Self {
        let mut names = Self::default();
        names.numbers.insert("pi".into(), 0);
        names.symbols.push(Symbol::Data {
            values: vec![std::f64::consts::PI],
            lengths: Vec::new(),
        });
        names
    }

    /// Gives a name a meaning.
    ///
    /// # Errors
    /// The name is taken.
    pub fn add(&mut self, name: &str, symbol: Symbol) -> Result<(), Problem> {
        let function = Function::NAMED.iter().any(|(n, _)| *n == name);
        if function || matches!(name, "sum" | "prod" | "dot" | "for") {
            return Err(Problem::Taken(name.into(), "a word of every formula"));
        }
        if name == "pi" {
            return Err(Problem::Taken(name.into(), "3.14159…"));
        }
        if self.numbers.contains_key(name) {
            return Err(Problem::Taken(name.into(), "given twice"));
        }
        self.numbers.insert(name.into(), self.symbols.len());
        self.symbols.push(symbol);
        Ok(())
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    pub(super) fn symbol(&self, number: usize) -> &Symbol {
        &self.symbols[number]
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// Adds a named part: `key` is `f` or `f[i=1..N]`, and `text` what it is.
    ///
    /// # Errors
    /// Anything wrong with either of the two, or a name that is taken.
    pub fn add_part(&mut self, key: &str, text: &str, path: &[&str]) -> Result<(), FormulaError> {
        let keys: Arc<[String]> = path.iter().map(|key| (*key).to_owned()).collect();
        let declared = at_path(declared(key), &keys)?;
        let index = match (declared.index, declared.ranges.as_slice()) {
            (None, []) => None,
            (Some(index), [(from, to)]) => {
                let mut numbers = Numbers::at(&[], "");
                let mut elaborator = Elaborator::new(self, &mut numbers);
                elaborator.at_path(&keys);
                Some((index, elaborator.whole(from)?, elaborator.whole(to)?))
            }
            _ => {
                let found = "something else".to_owned();
                let expected = "a name, or a name with one index as in f[i=1..N]";
                let problem = Problem::Unexpected { found, expected };
                return at_path(Err((problem, declared.span)), &keys);
            }
        };
        let formula = Box::new(Formula::parse(text, path)?);
        let added = self.add(&declared.name, Symbol::Part { formula, index });
        at_path(added.map_err(|problem| (problem, 0..0)), &keys)
    }
}

/// A declared name: `x` or `x[1..20]` or `W[1..3, 1..4]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// The name.
    pub name: String,
    /// First and last value of each index.
    pub ranges: Vec<(i64, i64)>,
}

impl Declaration {
    /// How many numbers it stands for.
    pub fn count(&self) -> usize {
        self.ranges
            .iter()
            .map(|(a, b)| (b - a + 1) as usize)
            .product()
    }

    /// The names of the numbers: `x1`, `x2`, … or `W_1_1`, `W_1_2`, …
    pub fn entries(&self) -> Vec<String> {
        let between = if self.ranges.len() > 1 { "_" } else { "" };
        let mut names = vec![self.name.clone()];
        for &(from, to) in &self.ranges {
            let longer = names
                .iter()
                .flat_map(|name| (from..=to).map(move |i| format!("{name}{between}{i}")));
            names = longer.collect();
        }
        names
    }
}

/// Reads the declarations that stand at `path`, one after the other, and adds their names as inputs from `first` on.
///
/// # Errors
/// Anything that is no declaration, a bound that is no constant, a name that is taken.
pub fn declarations(
    names: &mut Names,
    texts: &[String],
    mut first: usize,
    path: &[&str],
) -> Result<Vec<Declaration>, FormulaError> {
    let mut found = Vec::new();
    let mut total = 0i64;
    for (i, text) in texts.iter().enumerate() {
        let number = i.to_string();
        let keys: Arc<[String]> = path
            .iter()
            .copied()
            .chain([number.as_str()])
            .map(String::from)
            .collect();
        let declared = at_path(declared(text), &keys)?;
        let fail = |problem| at_path(Err((problem, declared.span.clone())), &keys);
        let mut ranges = Vec::new();
        let mut numbers = Numbers::at(&[], "");
        let mut elaborator = Elaborator::new(names, &mut numbers);
        elaborator.at_path(&keys);
        for (from, to) in &declared.ranges {
            let (from, to) = (elaborator.whole(from)?, elaborator.whole(to)?);
            if from < 0 || to < from {
                let name = declared.name.clone();
                return fail(Problem::Backwards { name, from, to });
            }
            ranges.push((from, to));
        }
        let count = ranges
            .iter()
            .fold(1i64, |n, (a, b)| n.saturating_mul(b - a + 1));
        total = total.saturating_add(count);
        if total > MOST_INPUTS {
            return fail(Problem::TooLarge(
                MOST_INPUTS as usize,
                "parameters or noises",
            ));
        }
        let symbol = Symbol::Input {
            first,
            ranges: ranges.clone(),
        };
        if let Err(problem) = names.add(&declared.name, symbol) {
            return fail(problem);
        }
        first += count as usize;
        let name = declared.name;
        found.push(Declaration { name, ranges });
    }
    Ok(found)
}
