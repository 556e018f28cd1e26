//! What can be wrong with a formula, and where in its text.

use std::ops::Range;
use std::sync::Arc;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A character that no formula has.
    #[error("`{0}` has no meaning in a formula")]
    Character(char),
    /// `<`, `=` and the like.
    #[error("formulas have no comparisons: `{0}` is not allowed")]
    Comparison(char),
    /// A number that can't be read.
    #[error("`{0}` is not a number")]
    Number(String),
    /// Something else was expected.
    #[error("expected {expected}, but found {found}")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// Too many characters.
    #[error("the formula has {0} characters; at most {1} are read")]
    TooLong(usize, usize),
    /// Too many brackets in one another.
    #[error("the formula is nested more than {0} levels deep")]
    TooDeep(usize),
    /// Sums or products that are too large when written out.
    #[error("the formula is too large: written out it has more than {0} {1}")]
    TooLarge(usize, &'static str),
    /// A name that stands for nothing.
    #[error("unknown name `{name}`")]
    UnknownName {
        /// The name.
        name: String,
        /// What could be meant.
        help: String,
    },
    /// A function that is not there.
    #[error("unknown function `{name}`")]
    UnknownFunction {
        /// The name.
        name: String,
        /// What could be meant.
        help: String,
    },
    /// A wrong number of arguments.
    #[error("`{name}` takes {takes}, not {given}")]
    Arity {
        /// The function.
        name: String,
        /// What it takes.
        takes: &'static str,
        /// How many were given.
        given: usize,
    },
    /// A wrong number of indices.
    #[error("`{name}` takes {takes} indices, not {given}")]
    Indices {
        /// The array.
        name: String,
        /// How many it has.
        takes: usize,
        /// How many were given.
        given: usize,
    },
    /// A range of indices that ends before it begins, or begins below 0.
    #[error("`{name}` has no entries {from}..{to}: ranges go up, from 0 or more")]
    Backwards {
        /// What is declared.
        name: String,
        /// The first index.
        from: i64,
        /// The last one.
        to: i64,
    },
    /// An index beyond the ends.
    #[error("the index {index} of `{name}` is out of range: it goes from {from} to {to}")]
    Range {
        /// The array.
        name: String,
        /// The index.
        index: i64,
        /// The first one.
        from: i64,
        /// The last one.
        to: i64,
    },
    /// An index or a bound that is no whole number.
    #[error("an index or a bound must be a whole number, not {0}")]
    NotWhole(f64),
    /// An index or a bound that depends on more than constants.
    #[error("an index or a bound can depend on constants and indices only")]
    NotConstant,
    /// Vectors of different lengths.
    #[error("the vectors have {0} and {1} entries")]
    Lengths(usize, usize),
    /// A name defined by itself.
    #[error("`{0}` is defined by itself")]
    Cycle(String),
    /// A noise where there is none.
    #[error("`{0}` is a noise, and an observable is of the parameters alone")]
    Noise(String),
    /// Residuals of which there are none.
    #[error("there are no residuals: each of the ranges is empty")]
    NoResiduals,
    /// A name that is taken.
    #[error("the name `{0}` is {1}")]
    Taken(String, &'static str),
    /// Not defined at the start.
    #[error("not defined {at}: {what}, {value}")]
    Domain {
        /// Where it was evaluated: "at the start", …
        at: &'static str,
        /// What is not defined.
        what: &'static str,
        /// At which number.
        value: f64,
    },
    /// Constants that make no finite number.
    #[error("this constant is {0}")]
    NotFinite(f64),
}

impl Problem {
    /// What to do about it; may be empty.
    pub fn help(&self) -> String {
        match self {
            Self::UnknownName { help, .. } | Self::UnknownFunction { help, .. } => help.clone(),
            Self::Domain { .. } => "change the start or the formula".into(),
            Self::Comparison(_) => "it is a formula for L̂(w, η) itself".into(),
            Self::TooLarge(..) => "take fewer terms, or a built-in model".into(),
            _ => String::new(),
        }
    }
}

/// A problem at its place: bytes `span` of the text that stands at `path` in the scenario.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct FormulaError {
    /// What is wrong.
    pub problem: Problem,
    /// Where in the text, in bytes.
    pub span: Range<usize>,
    /// The keys that lead to the text.
    pub path: Arc<[String]>,
}

/// "did you mean `x`? valid here: …" for a name that is not among the known ones.
pub(super) fn nearest(wrong: &str, known: &mut Vec<&str>) -> String {
    const SHOWN: usize = 24;
    known.sort_unstable();
    known.dedup();
    let distance = |name: &str| strsim::damerau_levenshtein(wrong, name);
    let near = known
        .iter()
        .min_by_key(|name| distance(name))
        .filter(|near| distance(near) <= 1 || strsim::jaro_winkler(wrong, near) > 0.7)
        .map_or(String::new(), |near| format!("did you mean `{near}`? "));
    let more = if known.len() > SHOWN { ", …" } else { "" };
    known.truncate(SHOWN);
    format!("{near}valid here: {}{more}", known.join(", "))
}
