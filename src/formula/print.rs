//! From a graph back to a formula that can be read: as a sum of products or with its brackets, whichever is shorter.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::function::Function;
use super::graph::{Graph, Id, Node};

/// More terms are not multiplied out.
const MOST_TERMS: usize = 60;
/// Formulas of more operations or levels are not printed.
const MOST_WORK: usize = 4000;
const DEEPEST: usize = 200;
/// Longer ones neither.
const MOST_CHARACTERS: usize = 600;
/// The largest denominator of a coefficient shown as a fraction.
const LARGEST_DENOMINATOR: i64 = 999;

/// How formulas are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As they are read: `u^2·v − v`.
    Plain,
    /// LaTeX.
    Latex,
}

/// Writes the nodes of a graph.
pub struct Printer<'a> {
    graph: &'a Graph,
    /// Of the inputs.
    names: &'a [String],
    style: Style,
    expand: bool,
    work: usize,
    known: HashMap<Id, Sum>,
}

/// Powers of parts that are no sums or products, by ascending node.
type Powers = Vec<(Id, i32)>;
/// Coefficients of products.
type Sum = BTreeMap<Powers, f64>;

/// How tightly a text holds together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Sum,
    Product,
    Atom,
}

impl<'a> Printer<'a> {
    /// Writes with these names of the inputs, as in a formula: `u`, `x[3]`, `W[1,2]`.
    pub fn new(graph: &'a Graph, names: &'a [String], style: Style) -> Self {
        let (expand, work, known) = (false, 0, HashMap::new());
        Self {
            graph,
            names,
            style,
            expand,
            work,
            known,
        }
    }

    /// The formula of a node, or none if it is too long to be read.
    pub fn text(&mut self, id: Id) -> Option<String> {
        let [short, long] = [false, true].map(|expand| {
            (self.expand, self.work) = (expand, 0);
            self.known.clear();
            let (text, _) = self.shown(id, 0)?;
            (text.chars().count() <= MOST_CHARACTERS).then_some(text)
        });
        let length =
            |text: &Option<String>| text.as_ref().map_or(usize::MAX, |t| t.chars().count());
        if length(&long) <= length(&short) {
            long
        } else {
            short
        }
    }

    /// A node's text. Counted as work each time: a part that occurs often is known as a sum, and written out again.
    fn shown(&mut self, id: Id, level: usize) -> Option<(String, Binding)> {
        self.work += 1;
        if self.work > MOST_WORK || level > DEEPEST {
            return None;
        }
        let sum = self.sum(id, level)?;
        let (text, binding) = self.sum_text(&sum, level)?;
        // A character takes four bytes at most.
        (text.len() <= 4 * MOST_CHARACTERS).then_some((text, binding))
    }

    /// A node as a sum of products.
    fn sum(&mut self, id: Id, level: usize) -> Option<Sum> {
        if let Some(known) = self.known.get(&id) {
            return Some(known.clone());
        }
        self.work += 1;
        if self.work > MOST_WORK || level > DEEPEST {
            return None;
        }
        let sum = match self.graph.node(id).clone() {
            Node::Constant(x) => sum_of([(Vec::new(), x.get())]),
            Node::Linear(k, terms) => {
                let mut total = sum_of([(Vec::new(), k.get())]);
                for &(c, x) in &terms {
                    for (powers, d) in self.sum(x, level + 1)? {
                        add(&mut total, powers, c.get() * d);
                    }
                    if total.len() > MOST_TERMS {
                        return None;
                    }
                }
                total
            }
            Node::Product(a, b) => {
                let (left, right) = (self.sum(a, level + 1)?, self.sum(b, level + 1)?);
                self.multiplied((a, left), (b, right))
            }
            Node::Quotient(a, b) => {
                let (above, below) = (self.sum(a, level + 1)?, self.sum(b, level + 1)?);
                let inverse = match one_product(&below) {
                    Some((powers, c)) => {
                        let powers = powers
                            .into_iter()
                            .map(|(x, n)| (x, n.saturating_neg()))
                            .collect();
                        sum_of([(powers, 1.0 / c)])
                    }
                    None => sum_of([(vec![(b, -1)], 1.0)]),
                };
                self.multiplied((a, above), (b, inverse))
            }
            Node::Input(_) | Node::Power(..) | Node::Apply(..) => sum_of([(vec![(id, 1)], 1.0)]),
        };
        self.known.insert(id, sum.clone());
        Some(sum)
    }

    fn multiplied(&self, (a, left): (Id, Sum), (b, right): (Id, Sum)) -> Sum {
        let (one_left, one_right) = (one_product(&left), one_product(&right));
        let simple = one_left.is_some() && one_right.is_some();
        if simple || (self.expand && left.len() * right.len() <= MOST_TERMS) {
            let mut product = Sum::new();
            for (p, c) in &left {
                for (q, d) in &right {
                    add(&mut product, joined(p, q), c * d);
                }
            }
            return product;
        }
        // A sum is left in brackets.
        let (p, c) = one_left.unwrap_or((vec![(a, 1)], 1.0));
        let (q, d) = one_right.unwrap_or((vec![(b, 1)], 1.0));
        sum_of([(joined(&p, &q), c * d)])
    }

    fn sum_text(&mut self, sum: &Sum, level: usize) -> Option<(String, Binding)> {
        let mut terms: Vec<_> = sum.iter().collect();
        let degree = |powers: &Powers| powers.iter().map(|&(_, n)| i64::from(n).abs()).sum::<i64>();
        terms.sort_by_key(|(powers, _)| (Reverse(degree(powers)), (*powers).clone()));
        // The first term without a minus, if there is one.
        if let Some(first) = terms.iter().position(|(_, c)| **c > 0.0) {
            terms[..=first].rotate_right(1);
        }
        let mut text = String::new();
        let mut binding = Binding::Sum;
        let count = terms.len();
        for (i, (powers, &c)) in terms.into_iter().enumerate() {
            let (term, held) = self.term(powers, c.abs(), level)?;
            match (i, c < 0.0) {
                (0, true) => text += "−",
                (0, false) => binding = if count == 1 { held } else { Binding::Sum },
                (_, true) => text += " − ",
                (_, false) => text += " + ",
            }
            text += &term;
        }
        if self.style == Style::Latex {
            text = text.replace('−', "-");
        }
        if count == 0 {
            return Some(("0".into(), Binding::Atom));
        }
        Some((text, binding))
    }

    /// A product with its coefficient c ≥ 0.
    fn term(&mut self, powers: &Powers, c: f64, level: usize) -> Option<(String, Binding)> {
        let (mut above, mut below) = (Vec::new(), Vec::new());
        let mut powers = powers.clone();
        powers.sort_by_key(|&(x, _)| match self.graph.node(x) {
            Node::Input(i) => (false, *i),
            _ => (true, x),
        });
        for (x, n) in powers {
            let part = self.power(x, n.saturating_abs(), level)?;
            if n > 0 { &mut above } else { &mut below }.push(part);
        }
        let latex = self.style == Style::Latex;
        let times = if latex { " " } else { "·" };
        let fraction = fraction(c);
        if latex {
            let (top, bottom) = match fraction {
                Some((p, q)) => (p.to_string(), q.to_string()),
                None => (decimal(c), "1".into()),
            };
            let line = |number: String, parts: Vec<(String, Binding)>| {
                let mut parts: Vec<_> = parts.into_iter().map(|(part, _)| part).collect();
                if number != "1" || parts.is_empty() {
                    parts.insert(0, number);
                }
                parts.join(times)
            };
            if below.is_empty() && bottom != "1" {
                let factor = format!("\\tfrac{{{top}}}{{{bottom}}}");
                return Some((line(factor, above), Binding::Product));
            }
            let single = above.len() + usize::from(top != "1") <= 1;
            let (above, below) = (line(top, above), line(bottom, below));
            return Some(if below == "1" {
                (
                    above,
                    if single {
                        Binding::Atom
                    } else {
                        Binding::Product
                    },
                )
            } else {
                (format!("\\frac{{{above}}}{{{below}}}"), Binding::Product)
            });
        }
        let coefficient = match fraction {
            Some((p, q)) if decimal(c).len() > 6 => {
                if q != 1 {
                    below.insert(0, (q.to_string(), Binding::Atom));
                }
                p.to_string()
            }
            _ => decimal(c),
        };
        let single = below.is_empty() && above.len() + usize::from(coefficient != "1") <= 1;
        let mut top: Vec<String> = above.into_iter().map(|(part, _)| part).collect();
        if coefficient != "1" || top.is_empty() {
            top.insert(0, coefficient);
        }
        let top = top.join(times);
        let bottom: Vec<String> = below.into_iter().map(|(part, _)| part).collect();
        Some(match bottom.as_slice() {
            [] if single => (top, Binding::Atom),
            [] => (top, Binding::Product),
            [one] => (format!("{top}/{one}"), Binding::Product),
            many => (format!("{top}/({})", many.join(times)), Binding::Product),
        })
    }

    /// xⁿ, n ≥ 1, for x a part of a product.
    fn power(&mut self, x: Id, n: i32, level: usize) -> Option<(String, Binding)> {
        let latex = self.style == Style::Latex;
        let (base, exponent) = match self.graph.node(x) {
            Node::Power(base, p) => (*base, p.get() * f64::from(n)),
            Node::Apply(Function::Sqrt, square) if n % 2 == 0 => (*square, f64::from(n / 2)),
            _ => (x, f64::from(n)),
        };
        let text = self.atom(base, level)?;
        if exponent == 1.0 {
            return Some((text, Binding::Atom));
        }
        let text = match self.graph.node(base) {
            // e^{x} and √x have no place for an exponent.
            Node::Apply(..) if latex => format!("\\left({text}\\right)"),
            _ => text,
        };
        let exponent = decimal(exponent);
        Some(if latex {
            (format!("{text}^{{{exponent}}}"), Binding::Atom)
        } else if exponent.starts_with('-') {
            (format!("{text}^({exponent})"), Binding::Atom)
        } else {
            (format!("{text}^{exponent}"), Binding::Atom)
        })
    }

    /// A part with brackets where it needs them.
    fn atom(&mut self, x: Id, level: usize) -> Option<String> {
        let latex = self.style == Style::Latex;
        match self.graph.node(x).clone() {
            Node::Input(i) => {
                let name = self.names.get(i as usize)?;
                Some(if latex {
                    latex_name(name)
                } else {
                    name.clone()
                })
            }
            Node::Apply(f, argument) => {
                self.work += 1;
                let (inner, _) = self.shown(argument, level + 1)?;
                Some(if latex {
                    latex_call(f, &inner)
                } else {
                    format!("{}({inner})", f.name())
                })
            }
            _ => {
                // A sum in brackets, without looking itself up as a part of a product.
                let (inner, binding) = self.shown(x, level + 1)?;
                Some(match (binding, latex) {
                    (Binding::Atom, _) => inner,
                    (_, true) => format!("\\left({inner}\\right)"),
                    (_, false) => format!("({inner})"),
                })
            }
        }
    }
}

fn sum_of<const N: usize>(terms: [(Powers, f64); N]) -> Sum {
    terms.into_iter().filter(|(_, c)| *c != 0.0).collect()
}

/// Adds c times a product. What cancels but for rounding is nothing.
fn add(sum: &mut Sum, powers: Powers, c: f64) {
    let before = sum.get(&powers).copied().unwrap_or(0.0);
    let after = before + c;
    if after.abs() <= 1e-14 * before.abs().max(c.abs()) {
        sum.remove(&powers);
    } else {
        sum.insert(powers, after);
    }
}

fn one_product(sum: &Sum) -> Option<(Powers, f64)> {
    match (sum.len(), sum.iter().next()) {
        (1, Some((powers, c))) => Some((powers.clone(), *c)),
        _ => None,
    }
}

fn joined(a: &Powers, b: &Powers) -> Powers {
    let mut powers: BTreeMap<Id, i32> = a.iter().copied().collect();
    for &(x, n) in b {
        let power = powers.entry(x).or_insert(0);
        *power = power.saturating_add(n);
    }
    powers.into_iter().filter(|&(_, n)| n != 0).collect()
}

/// p/q, if c is that with a small q.
fn fraction(c: f64) -> Option<(i64, i64)> {
    (1..=LARGEST_DENOMINATOR).find_map(|q| {
        let p = c * q as f64;
        let whole = p.round();
        let close = (p - whole).abs() <= 1e-12 * p.abs() && whole.abs() < 1e9;
        (close && whole != 0.0).then_some((whole as i64, q))
    })
}

fn decimal(x: f64) -> String {
    let short = format!("{x}");
    if short.len() <= 17 {
        short
    } else {
        format!("{x:e}")
    }
}

/// `x[3]` as x_{3}; long names upright, Greek ones as letters.
fn latex_name(name: &str) -> String {
    const GREEK: [&str; 24] = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
        "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
        "Gamma", "Omega",
    ];
    let (stem, index) = match name.split_once('[') {
        Some((stem, index)) => (stem, format!("_{{{}}}", index.trim_end_matches(']'))),
        None => (name, String::new()),
    };
    let letters = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = if GREEK.contains(&stem) {
        format!("\\{stem}")
    } else if index.is_empty() && letters.chars().count() == 1 && letters.len() < stem.len() {
        format!("{letters}_{{{}}}", &stem[letters.len()..])
    } else if stem.chars().count() > 1 {
        format!("\\mathrm{{{}}}", stem.replace('_', "\\_"))
    } else {
        stem.to_owned()
    };
    format!("{stem}{index}")
}

fn latex_call(f: Function, inner: &str) -> String {
    match f {
        Function::Exp => format!("e^{{{inner}}}"),
        Function::Sqrt => format!("\\sqrt{{{inner}}}"),
        Function::Abs => format!("\\left|{inner}\\right|"),
        _ => {
            let name = match f {
                Function::Log => "\\ln".to_owned(),
                Function::Atan => "\\arctan".to_owned(),
                Function::Erf | Function::Softplus | Function::Sigmoid | Function::Step => {
                    format!("\\operatorname{{{}}}", f.name())
                }
                _ => format!("\\{}", f.name()),
            };
            format!("{name}\\left({inner}\\right)")
        }
    }
}
