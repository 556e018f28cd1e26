//! A compiled formula: a flat list of instructions over slots, most of them loops over consecutive ones.

use super::function::Function;
use crate::scalar::{Scalar, add_combined_rows};

/// One instruction. `out`, `a`, `b` and `from` are the first slots of what it writes and reads; what it writes lies beyond
/// all that it reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    /// out = value.
    Constant { out: u32, value: f64 },
    /// out = a·b, a single number.
    Product { out: u32, a: u32, b: u32 },
    /// outᵢ = aᵢ·bᵢ.
    Products {
        out: u32,
        a: Stride,
        b: Stride,
        count: u32,
    },
    /// outᵢ = aᵢ/bᵢ.
    Quotients {
        out: u32,
        a: Stride,
        b: Stride,
        count: u32,
    },
    /// outᵢ = k + c·aᵢ.
    Affine {
        out: u32,
        a: u32,
        count: u32,
        k: f64,
        c: f64,
    },
    /// out = k + c·a + d·b, a single number.
    Pair {
        out: u32,
        a: u32,
        b: u32,
        k: f64,
        c: f64,
        d: f64,
    },
    /// outᵢ = k + c·aᵢ + d·bᵢ.
    Pairs {
        out: u32,
        a: Stride,
        b: Stride,
        count: u32,
        k: f64,
        c: f64,
        d: f64,
    },
    /// outᵢ = aᵢᵖ.
    Powers {
        out: u32,
        a: u32,
        count: u32,
        p: f64,
    },
    /// outᵢ = f(aᵢ).
    Apply {
        out: u32,
        a: u32,
        count: u32,
        f: Function,
    },
    /// outᵢ = row number `row` + i, a constant and terms.
    Rows { out: u32, count: u32, row: u32 },
    /// outⱼ += Σᵢ fromᵢ Mᵢⱼ with the `rows`×`count` numbers of M from `matrix` on.
    Dense {
        out: u32,
        count: u32,
        from: u32,
        rows: u32,
        matrix: u32,
    },
    /// Copies slots, listed from `list` on, to consecutive ones.
    Gather { out: u32, count: u32, list: u32 },
}

/// Consecutive slots, or the same one again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    pub first: u32,
    pub moves: bool,
}

/// A row of [`Op::Rows`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub constant: f64,
    pub terms: Vec<(u32, f64)>,
}

/// A compiled formula: from inputs to outputs, for any scalar.
#[derive(Clone, Debug, PartialEq)]
pub struct Tape {
    pub(super) inputs: usize,
    pub(super) slots: usize,
    pub(super) code: Vec<Op>,
    pub(super) rows: Vec<Row>,
    pub(super) matrices: Vec<f64>,
    pub(super) list: Vec<u32>,
    /// (first slot, first output, count).
    pub(super) outputs: Vec<(u32, u32, u32)>,
}

impl Tape {
    /// How many slots it works in; the inputs are the first of them.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How many inputs it has.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many instructions it has.
    pub fn instructions(&self) -> usize {
        self.code.len()
    }

    /// Runs it: `slots` has its length and begins with the inputs, the others hold anything.
    #[inline(always)]
    pub fn run<S: Scalar>(&self, slots: &mut [S]) {
        for op in &self.code {
            self.step(*op, slots);
        }
    }

    /// Writes the outputs after a run.
    #[inline(always)]
    pub fn write_outputs<S: Scalar>(&self, slots: &[S], outputs: &mut [S]) {
        for &(from, to, count) in &self.outputs {
            let (from, to, count) = (from as usize, to as usize, count as usize);
            for (output, &slot) in outputs[to..to + count]
                .iter_mut()
                .zip(&slots[from..from + count])
            {
                *output = slot;
                S::element_done();
            }
        }
    }

    /// The outputs at some inputs.
    pub fn evaluate<S: Scalar>(&self, inputs: &[S]) -> Vec<S> {
        let mut slots = vec![S::zero(); self.slots];
        let given = inputs.len().min(self.inputs);
        slots[..given].copy_from_slice(&inputs[..given]);
        self.run(&mut slots);
        let count = self.outputs.iter().map(|&(.., count)| count as usize).sum();
        let mut outputs = vec![S::zero(); count];
        self.write_outputs(&slots, &mut outputs);
        outputs
    }

    #[inline(always)]
    fn step<S: Scalar>(&self, op: Op, slots: &mut [S]) {
        match op {
            Op::Constant { out, value } => slots[out as usize] = S::constant(value),
            Op::Product { out, a, b } => {
                slots[out as usize] = slots[a as usize] * slots[b as usize];
            }
            Op::Products { out, a, b, count } => pairwise(slots, out, (a, b), count, |a, b| a * b),
            Op::Quotients { out, a, b, count } => pairwise(slots, out, (a, b), count, |a, b| a / b),
            Op::Pair { out, a, b, k, c, d } => {
                let (k, c, d) = (S::constant(k), S::constant(c), S::constant(d));
                let first = slots[a as usize].mul_add(c, k);
                slots[out as usize] = slots[b as usize].mul_add(d, first);
            }
            Op::Pairs {
                out,
                a,
                b,
                count,
                k,
                c,
                d,
            } => {
                let (k, c, d) = (S::constant(k), S::constant(c), S::constant(d));
                pairwise(slots, out, (a, b), count, |a, b| {
                    b.mul_add(d, a.mul_add(c, k))
                });
            }
            Op::Affine {
                out,
                a,
                count,
                k,
                c,
            } => {
                let (k, c) = (S::constant(k), S::constant(c));
                each(slots, out, a, count, |x| x.mul_add(c, k));
            }
            Op::Powers { out, a, count, p } => each(slots, out, a, count, |x| x.powf(p)),
            Op::Apply { out, a, count, f } => each(slots, out, a, count, |x| f.of(x)),
            Op::Rows { out, count, row } => {
                let (known, new) = slots.split_at_mut(out as usize);
                let rows = &self.rows[row as usize..(row + count) as usize];
                for (out, row) in new.iter_mut().zip(rows) {
                    let mut sum = S::constant(row.constant);
                    for &(slot, c) in &row.terms {
                        sum = known[slot as usize].mul_add(S::constant(c), sum);
                    }
                    *out = sum;
                    S::element_done();
                }
            }
            Op::Dense {
                out,
                count,
                from,
                rows,
                matrix,
            } => {
                let (known, new) = slots.split_at_mut(out as usize);
                let (count, rows) = (count as usize, rows as usize);
                let matrix = &self.matrices[matrix as usize..matrix as usize + rows * count];
                let from = &known[from as usize..from as usize + rows];
                add_combined_rows(&mut new[..count], from, matrix);
            }
            Op::Gather { out, count, list } => {
                let (known, new) = slots.split_at_mut(out as usize);
                let list = &self.list[list as usize..(list + count) as usize];
                for (out, &slot) in new.iter_mut().zip(list) {
                    *out = known[slot as usize];
                    S::element_done();
                }
            }
        }
    }
}

/// outᵢ = f(aᵢ).
#[inline(always)]
fn each<S: Scalar>(slots: &mut [S], out: u32, a: u32, count: u32, f: impl Fn(S) -> S) {
    let (known, new) = slots.split_at_mut(out as usize);
    let a = &known[a as usize..(a + count) as usize];
    for (out, &a) in new.iter_mut().zip(a) {
        *out = f(a);
        S::element_done();
    }
}

/// outᵢ = f(aᵢ, bᵢ).
#[inline(always)]
fn pairwise<S: Scalar>(
    slots: &mut [S],
    out: u32,
    (a, b): (Stride, Stride),
    count: u32,
    f: impl Fn(S, S) -> S,
) {
    let (known, new) = slots.split_at_mut(out as usize);
    let new = &mut new[..count as usize];
    let many = |stride: Stride| &known[stride.first as usize..(stride.first + count) as usize];
    match (a.moves, b.moves) {
        (true, true) => {
            for ((out, &a), &b) in new.iter_mut().zip(many(a)).zip(many(b)) {
                *out = f(a, b);
                S::element_done();
            }
        }
        (false, _) => {
            let one = known[a.first as usize];
            if !b.moves {
                new.fill(f(one, known[b.first as usize]));
                return;
            }
            for (out, &b) in new.iter_mut().zip(many(b)) {
                *out = f(one, b);
                S::element_done();
            }
        }
        (true, false) => {
            let one = known[b.first as usize];
            for (out, &a) in new.iter_mut().zip(many(a)) {
                *out = f(a, one);
                S::element_done();
            }
        }
    }
}
