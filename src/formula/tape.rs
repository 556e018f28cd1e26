//! A compiled formula: a flat list of instructions over slots, most of them loops over consecutive ones.

use super::function::Function;
use crate::scalar::{Scalar, add_combined_rows};

/// One instruction: what it does, and the first slot that it writes, beyond all that it reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Instruction {
    pub out: u32,
    pub op: Op,
}

/// What an instruction does for each slot i that it writes. `a`, `b` and `from` are the first slots of what it reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    /// out = value.
    Constant { value: f64 },
    /// outᵢ = aᵢ·bᵢ.
    Products { a: Stride, b: Stride, count: u32 },
    /// outᵢ = aᵢ/bᵢ.
    Quotients { a: Stride, b: Stride, count: u32 },
    /// outᵢ = k + c·aᵢ.
    Affine { a: u32, count: u32, k: f64, c: f64 },
    /// outᵢ = k + c·aᵢ + d·bᵢ.
    Pairs {
        a: Stride,
        b: Stride,
        count: u32,
        k: f64,
        c: f64,
        d: f64,
    },
    /// outᵢ = aᵢᵖ.
    Powers { a: u32, count: u32, p: f64 },
    /// outᵢ = f(aᵢ).
    Apply { a: u32, count: u32, f: Function },
    /// outᵢ = row number `row` + i, a constant and terms.
    Rows { count: u32, row: u32 },
    /// outⱼ += Σᵢ fromᵢ Mᵢⱼ with the `rows`×`count` numbers of M from `matrix` on.
    Dense {
        count: u32,
        from: u32,
        rows: u32,
        matrix: u32,
    },
    /// Copies slots, listed from `list` on, to consecutive ones.
    Gather { count: u32, list: u32 },
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
    pub(super) code: Vec<Instruction>,
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

    /// Runs it for so many blocks at once: each slot is that many numbers one after another, so that an instruction is read
    /// once for all of them. `slots` has room for all and begins with the inputs, the others hold anything.
    #[inline(always)]
    pub fn run<S: Scalar>(&self, blocks: usize, slots: &mut [S]) {
        for Instruction { out, op } in &self.code {
            let (known, new) = slots.split_at_mut(*out as usize * blocks);
            self.step(op, blocks, known, new);
        }
    }

    /// Writes the outputs after a run.
    #[inline(always)]
    pub fn write_outputs<S: Scalar>(&self, blocks: usize, slots: &[S], outputs: &mut [S]) {
        for &(from, to, count) in &self.outputs {
            let to = to as usize * blocks;
            let values = slice(slots, from, count, blocks);
            for (output, &value) in outputs[to..].iter_mut().zip(values) {
                *output = value;
                S::element_done();
            }
        }
    }

    /// The outputs at some inputs.
    pub fn evaluate<S: Scalar>(&self, inputs: &[S]) -> Vec<S> {
        let mut slots = vec![S::zero(); self.slots];
        let given = inputs.len().min(self.inputs);
        slots[..given].copy_from_slice(&inputs[..given]);
        self.run(1, &mut slots);
        let count = self.outputs.iter().map(|&(.., count)| count as usize).sum();
        let mut outputs = vec![S::zero(); count];
        self.write_outputs(1, &slots, &mut outputs);
        outputs
    }

    #[inline(always)]
    fn step<S: Scalar>(&self, op: &Op, blocks: usize, known: &[S], new: &mut [S]) {
        match *op {
            Op::Constant { value } => new[..blocks].fill(S::constant(value)),
            Op::Products { a, b, count } => {
                pairwise(new, known, (a, b), count, blocks, |a, b| a * b);
            }
            Op::Quotients { a, b, count } => {
                pairwise(new, known, (a, b), count, blocks, |a, b| a / b);
            }
            Op::Pairs {
                a,
                b,
                count,
                k,
                c,
                d,
            } => {
                let (k, c, d) = (S::constant(k), S::constant(c), S::constant(d));
                pairwise(new, known, (a, b), count, blocks, |a, b| {
                    b.mul_add(d, a.mul_add(c, k))
                });
            }
            Op::Affine { a, count, k, c } => {
                let (k, c) = (S::constant(k), S::constant(c));
                each(new, slice(known, a, count, blocks), |x| x.mul_add(c, k));
            }
            Op::Powers { a, count, p } => {
                each(new, slice(known, a, count, blocks), |x| x.powf(p));
            }
            Op::Apply { a, count, f } => {
                each(new, slice(known, a, count, blocks), |x| f.of(x));
            }
            Op::Rows { count, row } => {
                let rows = &self.rows[row as usize..(row + count) as usize];
                for (out, row) in new.chunks_exact_mut(blocks).zip(rows) {
                    for (block, out) in out.iter_mut().enumerate() {
                        let mut sum = S::constant(row.constant);
                        for &(slot, c) in &row.terms {
                            let x = known[slot as usize * blocks + block];
                            sum = x.mul_add(S::constant(c), sum);
                        }
                        *out = sum;
                        S::element_done();
                    }
                }
            }
            Op::Dense {
                count,
                from,
                rows,
                matrix,
            } => {
                let from = slice(known, from, rows, blocks);
                let (count, rows) = (count as usize, rows as usize);
                let matrix = &self.matrices[matrix as usize..matrix as usize + rows * count];
                add_combined_blocks(&mut new[..count * blocks], from, matrix, blocks);
            }
            Op::Gather { count, list } => {
                let list = &self.list[list as usize..(list + count) as usize];
                for (out, &slot) in new.chunks_exact_mut(blocks).zip(list) {
                    each(out, slice(known, slot, 1, blocks), |x| x);
                }
            }
        }
    }
}

/// The numbers of `count` slots from `first` on.
#[inline(always)]
fn slice<S>(slots: &[S], first: u32, count: u32, blocks: usize) -> &[S] {
    &slots[first as usize * blocks..][..count as usize * blocks]
}

/// outᵢ = f(aᵢ).
#[inline(always)]
fn each<S: Scalar>(out: &mut [S], a: &[S], f: impl Fn(S) -> S) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = f(a);
        S::element_done();
    }
}

/// outᵢ = f(aᵢ, bᵢ).
#[inline(always)]
fn both<S: Scalar>(out: &mut [S], a: &[S], b: &[S], f: impl Fn(S, S) -> S) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
        S::element_done();
    }
}

/// The same for slots, of which one operand may be the same again and again.
#[inline(always)]
fn pairwise<S: Scalar>(
    new: &mut [S],
    known: &[S],
    (a, b): (Stride, Stride),
    count: u32,
    blocks: usize,
    f: impl Fn(S, S) -> S,
) {
    let operand = |stride: Stride| {
        let count = if stride.moves { count } else { 1 };
        slice(known, stride.first, count, blocks)
    };
    let (x, y) = (operand(a), operand(b));
    if a.moves && b.moves {
        both(new, x, y, f);
        return;
    }
    let outs = new.chunks_exact_mut(blocks).take(count as usize);
    let xs = x.chunks_exact(blocks).cycle();
    let ys = y.chunks_exact(blocks).cycle();
    for ((out, x), y) in outs.zip(xs).zip(ys) {
        both(out, x, y, &f);
    }
}

/// [`add_combined_rows`] for blocks.
#[inline(always)]
fn add_combined_blocks<S: Scalar>(y: &mut [S], a: &[S], matrix: &[f64], blocks: usize) {
    if blocks == 1 {
        let width = y.len();
        add_combined_rows(y, a, matrix, width);
        return;
    }
    let rows = matrix.chunks_exact(y.len() / blocks);
    for (a, row) in a.chunks_exact(blocks).zip(rows) {
        for (y, &x) in y.chunks_exact_mut(blocks).zip(row) {
            for (y, &a) in y.iter_mut().zip(a) {
                *y = a.mul_add(S::constant(x), *y);
                S::element_done();
            }
        }
    }
}
