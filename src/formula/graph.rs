//! The graph of a formula: every distinct part once, constants folded.

use std::collections::HashMap;
use std::ops::Neg;

use super::error::Problem;
use super::function::Function;

/// The most nodes of a graph, with its derivatives.
pub const MOST_NODES: usize = 400_000;
/// The most terms of all its sums.
pub const MOST_TERMS: usize = 4_000_000;
/// Integer powers up to this one are products.
const LARGEST_POWER: f64 = 64.0;

/// The number of a node.
pub type Id = u32;

/// A number by its bits, so that nodes can be compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(u64);

impl Number {
    /// −0 becomes 0.
    pub fn of(x: f64) -> Self {
        Self(if x == 0.0 { 0 } else { x.to_bits() })
    }

    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Neg for Number {
    type Output = Self;
    fn neg(self) -> Self {
        Self::of(-self.get())
    }
}

impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}", self.get())
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    Constant(Number),
    /// A parameter or a noise.
    Input(u32),
    /// c₀ + Σ cᵢxᵢ: terms by ascending number, no coefficient 0, none of the xᵢ a constant.
    Linear(Number, Box<[(Number, Id)]>),
    /// The first has the lower number.
    Product(Id, Id),
    Quotient(Id, Id),
    /// xᵖ for a constant p.
    Power(Id, Number),
    Apply(Function, Id),
}

impl Node {
    /// The nodes it is made of.
    pub fn operands(&self, mut visit: impl FnMut(Id)) {
        match self {
            Self::Constant(_) | Self::Input(_) => (),
            Self::Linear(_, terms) => terms.iter().for_each(|&(_, x)| visit(x)),
            Self::Product(a, b) | Self::Quotient(a, b) => {
                visit(*a);
                visit(*b);
            }
            Self::Power(x, _) | Self::Apply(_, x) => visit(*x),
        }
    }
}

/// Nodes in an order in which operands come first.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Node, Id>,
    terms: usize,
}

impl Graph {
    /// No nodes.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Fails once the graph has outgrown its bounds.
    pub fn check_size(&self) -> Result<(), Problem> {
        if self.nodes.len() > MOST_NODES {
            return Err(Problem::TooLarge(MOST_NODES, "operations"));
        }
        if self.terms > MOST_TERMS {
            return Err(Problem::TooLarge(MOST_TERMS, "terms"));
        }
        Ok(())
    }

    fn put(&mut self, node: Node) -> Id {
        if let Some(&id) = self.known.get(&node) {
            return id;
        }
        if let Node::Linear(_, terms) = &node {
            self.terms += terms.len();
        }
        let id = self.nodes.len() as Id;
        self.nodes.push(node.clone());
        self.known.insert(node, id);
        id
    }

    /// The constant x.
    pub fn constant(&mut self, x: f64) -> Id {
        self.put(Node::Constant(Number::of(x)))
    }

    /// Input number i.
    pub fn input(&mut self, i: usize) -> Id {
        self.put(Node::Input(i as u32))
    }

    /// The value of a constant.
    pub fn known(&self, id: Id) -> Option<f64> {
        match self.node(id) {
            Node::Constant(x) => Some(x.get()),
            _ => None,
        }
    }

    /// A constant in this node that is no finite number.
    pub(super) fn not_finite(&self, id: Id) -> Option<f64> {
        let bad = |x: &f64| !x.is_finite();
        match self.node(id) {
            Node::Constant(x) => Some(x.get()).filter(bad),
            Node::Linear(k, terms) => {
                let mut all = terms.iter().map(|(c, _)| c.get()).chain([k.get()]);
                all.find(bad)
            }
            _ => None,
        }
    }

    /// (c, x) of c·x; (1, x) of any other x.
    pub(super) fn scaled(&self, id: Id) -> (f64, Id) {
        match self.node(id) {
            Node::Linear(constant, terms) if constant.get() == 0.0 && terms.len() == 1 => {
                (terms[0].0.get(), terms[0].1)
            }
            _ => (1.0, id),
        }
    }

    /// constant + Σ cᵢxᵢ.
    pub fn linear(&mut self, mut constant: f64, mut terms: Vec<(f64, Id)>) -> Id {
        for (c, x) in &mut terms {
            if let Some(value) = self.known(*x) {
                constant += *c * value;
                *c = 0.0;
            } else {
                let (factor, inner) = self.scaled(*x);
                (*c, *x) = (*c * factor, inner);
            }
        }
        terms.sort_by_key(|&(_, x)| x);
        let mut merged: Vec<(Number, Id)> = Vec::with_capacity(terms.len());
        for (c, x) in terms {
            match merged.last_mut() {
                Some((sum, last)) if *last == x => *sum = Number::of(sum.get() + c),
                _ => merged.push((Number::of(c), x)),
            }
        }
        merged.retain(|(c, _)| c.get() != 0.0);
        match merged.as_slice() {
            [] => self.constant(constant),
            [(one, x)] if one.get() == 1.0 && constant == 0.0 => *x,
            _ => self.put(Node::Linear(Number::of(constant), merged.into())),
        }
    }

    /// c·x.
    pub fn scale(&mut self, c: f64, x: Id) -> Id {
        self.linear(0.0, vec![(c, x)])
    }

    /// a·b.
    pub fn product(&mut self, a: Id, b: Id) -> Id {
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => return self.constant(x * y),
            (Some(c), None) => return self.scale(c, b),
            (None, Some(c)) => return self.scale(c, a),
            (None, None) => (),
        }
        let ((c, a), (d, b)) = (self.scaled(a), self.scaled(b));
        let product = self.put(Node::Product(a.min(b), a.max(b)));
        self.scale(c * d, product)
    }

    /// a/b.
    pub fn quotient(&mut self, a: Id, b: Id) -> Id {
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => return self.constant(x / y),
            (None, Some(c)) => return self.scale(1.0 / c, a),
            (Some(0.0), None) => return a,
            _ => (),
        }
        if a == b {
            return self.constant(1.0);
        }
        let ((c, top), (d, bottom)) = (self.scaled(a), self.scaled(b));
        let (top, c) = match self.known(top) {
            Some(value) => (self.constant(1.0), value),
            None => (top, c),
        };
        let quotient = self.put(Node::Quotient(top, bottom));
        self.scale(c / d, quotient)
    }

    /// xᵖ.
    pub fn power(&mut self, x: Id, p: f64) -> Id {
        if let Some(value) = self.known(x) {
            return self.constant(libm::pow(value, p));
        }
        if p == 0.5 {
            return self.apply(Function::Sqrt, x);
        }
        if p.fract() != 0.0 || p.abs() > LARGEST_POWER {
            return self.put(Node::Power(x, Number::of(p)));
        }
        let mut left = p.abs() as u32;
        let (mut square, mut power) = (x, None);
        while left > 0 {
            if left % 2 == 1 {
                power = Some(match power {
                    None => square,
                    Some(power) => self.product(power, square),
                });
            }
            left /= 2;
            if left > 0 {
                square = self.product(square, square);
            }
        }
        let one = self.constant(1.0);
        let power = power.unwrap_or(one);
        if p < 0.0 {
            self.quotient(one, power)
        } else {
            power
        }
    }

    /// f(x).
    pub fn apply(&mut self, f: Function, x: Id) -> Id {
        match self.known(x) {
            Some(value) => self.constant(f.of(value)),
            None => self.put(Node::Apply(f, x)),
        }
    }

    /// The product of all factors, by halves.
    pub fn product_of(&mut self, mut factors: Vec<Id>) -> Id {
        while factors.len() > 1 {
            let pairs: Vec<_> = factors
                .chunks(2)
                .map(|pair| match pair {
                    [a, b] => self.product(*a, *b),
                    _ => pair[0],
                })
                .collect();
            factors = pairs;
        }
        match factors.pop() {
            Some(product) => product,
            None => self.constant(1.0),
        }
    }

    /// Which nodes the outputs are made of, by number.
    pub(super) fn reachable(&self, outputs: &[Id]) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        for &id in outputs {
            live[id as usize] = true;
        }
        for id in (0..self.nodes.len()).rev() {
            if live[id] {
                self.nodes[id].operands(|x| live[x as usize] = true);
            }
        }
        live
    }
}

impl Graph {
    /// The same formulas with inputs replaced: input i by `replacement(i)`, where that is something.
    ///
    /// # Errors
    /// The graph outgrows its bounds.
    pub fn substitute(
        &mut self,
        ids: &[Id],
        replacement: impl Fn(usize) -> Option<Id>,
    ) -> Result<Vec<Id>, Problem> {
        let live = self.reachable(ids);
        let mut new: Vec<Id> = Vec::with_capacity(live.len());
        for (id, live) in live.iter().enumerate() {
            let at = |x: Id| new[x as usize];
            let replaced = match self.nodes[id].clone() {
                _ if !live => id as Id,
                Node::Constant(_) => id as Id,
                Node::Input(i) => replacement(i as usize).unwrap_or(id as Id),
                Node::Linear(k, terms) => {
                    let terms = terms.iter().map(|&(c, x)| (c.get(), at(x))).collect();
                    self.linear(k.get(), terms)
                }
                Node::Product(a, b) => {
                    let (a, b) = (at(a), at(b));
                    self.product(a, b)
                }
                Node::Quotient(a, b) => {
                    let (a, b) = (at(a), at(b));
                    self.quotient(a, b)
                }
                Node::Power(x, p) => {
                    let x = at(x);
                    self.power(x, p.get())
                }
                Node::Apply(f, x) => {
                    let x = at(x);
                    self.apply(f, x)
                }
            };
            new.push(replaced);
            self.check_size()?;
        }
        Ok(ids.iter().map(|&id| new[id as usize]).collect())
    }

    /// Whether a function occurs in what `ids` are made of.
    pub fn uses(&self, ids: &[Id], function: Function) -> bool {
        let live = self.reachable(ids);
        let found = |(node, live): (&Node, &bool)| {
            *live && matches!(node, Node::Apply(f, _) if *f == function)
        };
        self.nodes.iter().zip(&live).any(found)
    }
}
