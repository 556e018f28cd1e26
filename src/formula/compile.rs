//! From a graph to a tape: nodes of one depth and one kind become loops over consecutive slots, and sums over the same
//! nodes become products with a matrix.

use std::collections::HashMap;

use super::function::Function;
use super::graph::{Graph, Id, Node};
use super::tape::{Instruction, Op, Row, Stride, Tape};

/// Sums of the same terms are a matrix product from this many of them on, and as many terms.
const SMALLEST_MATRIX: usize = 4;
/// So many loops of one number each are rows instead.
const FEW: usize = 4;

impl Tape {
    /// Compiles what `outputs` need; inputs are numbered 0 to `inputs` − 1.
    pub fn compile(graph: &Graph, inputs: usize, outputs: &[Id]) -> Self {
        let mut compiler = Compiler {
            graph,
            slot: vec![u32::MAX; graph.len()],
            partner: vec![Id::MAX; graph.len()],
            tape: Self {
                inputs,
                slots: inputs,
                code: Vec::new(),
                rows: Vec::new(),
                matrices: Vec::new(),
                list: Vec::new(),
                outputs: Vec::new(),
            },
        };
        compiler.compile(outputs);
        compiler.tape
    }
}

/// Which nodes can share a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Constant(u64),
    Product,
    Quotient,
    Affine(u64, u64),
    Pair(u64, u64, u64),
    Power(u64),
    Apply(Function),
    Wide,
}

/// The slots of its operands, and the node.
type Placed = ([u32; 2], Id);

/// By what nodes are sorted.
type Order = fn(&Placed) -> (i64, u32, Id);

struct Compiler<'a> {
    graph: &'a Graph,
    /// Where each node is kept.
    slot: Vec<u32>,
    /// The first node that each one meets in a product, a quotient or a sum of two.
    partner: Vec<Id>,
    tape: Tape,
}

impl Compiler<'_> {
    fn compile(&mut self, outputs: &[Id]) {
        for level in self.levels(outputs) {
            let mut groups: Vec<(Kind, Vec<Id>)> = Vec::new();
            let mut keyed: Vec<(Kind, Id)> = level.iter().map(|&id| (self.kind(id), id)).collect();
            keyed.sort_unstable();
            for (kind, id) in keyed {
                match groups.last_mut() {
                    Some((last, ids)) if *last == kind => ids.push(id),
                    _ => groups.push((kind, vec![id])),
                }
            }
            let lonely = |(kind, ids): &(Kind, Vec<Id>)| {
                matches!(kind, Kind::Affine(..) | Kind::Pair(..)) && ids.len() == 1
            };
            let mut wide = Vec::new();
            if groups.iter().filter(|group| lonely(group)).count() >= FEW {
                wide.extend(
                    groups
                        .iter()
                        .filter(|group| lonely(group))
                        .map(|(_, ids)| ids[0]),
                );
                groups.retain(|group| !lonely(group));
            }
            for (kind, ids) in groups {
                match kind {
                    Kind::Wide => wide.extend(ids),
                    _ => self.loops(kind, ids),
                }
            }
            // In the order of what they meet next, so that this becomes a loop as well: adjoints are made last to first.
            wide.sort_unstable_by_key(|&id| (self.partner[id as usize], id));
            self.sums(&wide);
        }
        for (i, &id) in outputs.iter().enumerate() {
            let (slot, i) = (self.slot[id as usize], i as u32);
            match self.tape.outputs.last_mut() {
                Some((from, to, count)) if *from + *count == slot && *to + *count == i => {
                    *count += 1
                }
                _ => self.tape.outputs.push((slot, i, 1)),
            }
        }
    }

    /// The nodes that the outputs need, by depth. Inputs get their slots.
    fn levels(&mut self, outputs: &[Id]) -> Vec<Vec<Id>> {
        let live = self.graph.reachable(outputs);
        let mut depth = vec![0usize; live.len()];
        let mut levels: Vec<Vec<Id>> = Vec::new();
        for id in (0..live.len()).filter(|&id| live[id]) {
            let node = self.graph.node(id as Id);
            if let Node::Input(i) = node {
                self.slot[id] = *i;
                continue;
            }
            let mut here = 0;
            node.operands(|x| here = here.max(depth[x as usize]));
            depth[id] = here + 1;
            if levels.len() <= here {
                levels.resize(here + 1, Vec::new());
            }
            levels[here].push(id as Id);
            self.meet(id as Id);
        }
        levels
    }

    /// Notes which two operands a node brings together.
    fn meet(&mut self, id: Id) {
        let (a, b) = match self.graph.node(id) {
            Node::Product(a, b) | Node::Quotient(a, b) if a != b => (*a, *b),
            Node::Linear(_, terms) => match terms[..] {
                [(_, a), (_, b)] => (a, b),
                _ => return,
            },
            _ => return,
        };
        for (of, other) in [(a, b), (b, a)] {
            let partner = &mut self.partner[of as usize];
            *partner = (*partner).min(other);
        }
    }

    fn kind(&self, id: Id) -> Kind {
        match self.graph.node(id) {
            Node::Constant(x) => Kind::Constant(x.get().to_bits()),
            Node::Linear(k, terms) => match terms[..] {
                [(c, _)] => Kind::Affine(k.get().to_bits(), c.get().to_bits()),
                [(c, _), (d, _)] => {
                    Kind::Pair(k.get().to_bits(), c.get().to_bits(), d.get().to_bits())
                }
                _ => Kind::Wide,
            },
            Node::Quotient(..) => Kind::Quotient,
            Node::Power(_, p) => Kind::Power(p.get().to_bits()),
            Node::Apply(f, _) => Kind::Apply(*f),
            Node::Product(..) | Node::Input(_) => Kind::Product,
        }
    }

    /// The slots of one or two operands.
    fn operands(&self, id: Id) -> [u32; 2] {
        let mut slots = [0; 2];
        let mut at = 0;
        self.graph.node(id).operands(|x| {
            slots[at] = self.slot[x as usize];
            at += 1;
        });
        slots
    }

    fn take(&mut self, count: usize) -> u32 {
        let first = self.tape.slots;
        self.tape.slots += count;
        first as u32
    }

    fn put(&mut self, out: u32, op: Op) {
        self.tape.code.push(Instruction { out, op });
    }

    /// Loops for nodes of one kind.
    fn loops(&mut self, kind: Kind, ids: Vec<Id>) {
        let single = !matches!(kind, Kind::Product | Kind::Quotient | Kind::Pair(..));
        let work: Vec<_> = ids.into_iter().map(|id| (self.operands(id), id)).collect();
        // In the order in which the operands move together the longest.
        let orders: [Order; 3] = [
            |&([a, b], id)| (i64::from(a), b, id),
            |&([a, b], id)| (i64::from(b), a, id),
            |&([a, b], id)| (i64::from(b) - i64::from(a), a, id),
        ];
        let sorted = orders.map(|order| {
            let mut sorted = work.clone();
            sorted.sort_by_key(order);
            sorted
        });
        let loops = |work: &[Placed]| {
            let (mut count, mut at) = (0, 0);
            while at < work.len() {
                at += run(&work[at..], single).0;
                count += 1;
            }
            count
        };
        let [first, second, third] = &sorted;
        let best = [first, second, third]
            .into_iter()
            .min_by_key(|work| loops(work));
        let mut left = best.map_or(&[][..], Vec::as_slice);
        while let Some(&([a, b], _)) = left.first() {
            let (count, (a_moves, b_moves)) = run(left, single);
            let (now, later) = left.split_at(count);
            let out = self.take(count);
            for (i, &(_, id)) in now.iter().enumerate() {
                self.slot[id as usize] = out + i as u32;
            }
            let first = a;
            let a = Stride {
                first: a,
                moves: a_moves,
            };
            let b = Stride {
                first: b,
                moves: b_moves,
            };
            let count = count as u32;
            let number = f64::from_bits;
            let op = match kind {
                Kind::Constant(x) => Op::Constant { value: number(x) },
                Kind::Product | Kind::Wide => Op::Products { a, b, count },
                Kind::Quotient => Op::Quotients { a, b, count },
                Kind::Affine(k, c) => Op::Affine {
                    a: first,
                    count,
                    k: number(k),
                    c: number(c),
                },
                Kind::Pair(k, c, d) => {
                    let (k, c, d) = (number(k), number(c), number(d));
                    Op::Pairs {
                        a,
                        b,
                        count,
                        k,
                        c,
                        d,
                    }
                }
                Kind::Power(p) => Op::Powers {
                    a: first,
                    count,
                    p: number(p),
                },
                Kind::Apply(f) => Op::Apply { a: first, count, f },
            };
            self.put(out, op);
            left = later;
        }
    }

    /// Sums: what many have in common as matrix products, the rest term by term.
    fn sums(&mut self, ids: &[Id]) {
        if ids.is_empty() {
            return;
        }
        let mut sums: Vec<(f64, Vec<(u32, f64)>)> = ids
            .iter()
            .map(|&id| match self.graph.node(id) {
                Node::Linear(k, terms) => {
                    let mut terms: Vec<_> = terms
                        .iter()
                        .map(|&(c, x)| (self.slot[x as usize], c.get()))
                        .collect();
                    terms.sort_by_key(|&(slot, _)| slot);
                    (k.get(), terms)
                }
                _ => (0.0, Vec::new()),
            })
            .collect();
        let blocks = blocks(&sums);
        // The order in which the sums get their slots: those of the largest matrix first.
        let mut order: Vec<usize> = Vec::with_capacity(ids.len());
        let mut placed = vec![false; ids.len()];
        for s in blocks
            .iter()
            .flat_map(|block| block.sums.iter().copied())
            .chain(0..ids.len())
        {
            if !std::mem::replace(&mut placed[s], true) {
                order.push(s);
            }
        }
        let mut position = vec![0; ids.len()];
        for (i, &s) in order.iter().enumerate() {
            position[s] = i;
        }
        let dense: Vec<&Block> = blocks
            .iter()
            .filter(|block| {
                block
                    .sums
                    .windows(2)
                    .all(|pair| position[pair[1]] == position[pair[0]] + 1)
            })
            .collect();
        // Matrices first, because what they gather must lie before what they write.
        let mut ready = Vec::new();
        for block in &dense {
            let columns: Vec<HashMap<u32, f64>> = block
                .sums
                .iter()
                .map(|&s| sums[s].1.iter().copied().collect())
                .collect();
            let matrix = self.tape.matrices.len() as u32;
            for slot in &block.slots {
                let row = columns.iter().map(|column| column[slot]);
                self.tape.matrices.extend(row);
            }
            let consecutive = block.slots.windows(2).all(|pair| pair[1] == pair[0] + 1);
            let from = if consecutive {
                block.slots[0]
            } else {
                let list = self.tape.list.len() as u32;
                self.tape.list.extend(&block.slots);
                let count = block.slots.len() as u32;
                let out = self.take(block.slots.len());
                self.put(out, Op::Gather { count, list });
                out
            };
            ready.push((position[block.sums[0]], from, matrix));
        }
        for block in &dense {
            for &s in &block.sums {
                sums[s]
                    .1
                    .retain(|(slot, _)| block.slots.binary_search(slot).is_err());
            }
        }
        let out = self.take(ids.len());
        let row = self.tape.rows.len() as u32;
        for (i, &s) in order.iter().enumerate() {
            self.slot[ids[s] as usize] = out + i as u32;
            let (constant, terms) = std::mem::take(&mut sums[s]);
            self.tape.rows.push(Row { constant, terms });
        }
        let count = ids.len() as u32;
        self.put(out, Op::Rows { count, row });
        for (block, (first, from, matrix)) in dense.into_iter().zip(ready) {
            let op = Op::Dense {
                count: block.sums.len() as u32,
                from,
                rows: block.slots.len() as u32,
                matrix,
            };
            self.put(out + first as u32, op);
        }
    }
}

/// How many nodes from the first on make one loop, and which of their operands move; one operand, if `single`, must.
fn run(work: &[Placed], single: bool) -> (usize, (bool, bool)) {
    // By how much the operands move from one node to the next: by one or not at all.
    let step = |i: usize| {
        let ([p, q], [x, y]) = (work[i - 1].0, work[i].0);
        let moved = |from: u32, to: u32| match to.checked_sub(from) {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        };
        let moves = (moved(p, x)?, single || moved(q, y)?);
        (moves.0 || !single).then_some(moves)
    };
    let moves = if work.len() > 1 { step(1) } else { None };
    let more = moves.map_or(0, |moves| {
        let same = (1..work.len()).take_while(|&i| step(i) == Some(moves));
        same.count()
    });
    (1 + more, moves.unwrap_or((true, true)))
}

/// Sums that all have terms in the same slots.
struct Block {
    sums: Vec<usize>,
    slots: Vec<u32>,
}

/// Slots that occur in the same sums, where there are enough of both; the largest first.
fn blocks(sums: &[(f64, Vec<(u32, f64)>)]) -> Vec<Block> {
    let mut users: HashMap<u32, Vec<usize>> = HashMap::new();
    for (s, (_, terms)) in sums.iter().enumerate() {
        for &(slot, _) in terms {
            users.entry(slot).or_default().push(s);
        }
    }
    let mut together: HashMap<Vec<usize>, Vec<u32>> = HashMap::new();
    for (slot, sums) in users {
        if sums.len() >= SMALLEST_MATRIX {
            together.entry(sums).or_default().push(slot);
        }
    }
    let mut blocks: Vec<Block> = together
        .into_iter()
        .filter(|(_, slots)| slots.len() >= SMALLEST_MATRIX)
        .map(|(sums, mut slots)| {
            slots.sort_unstable();
            Block { sums, slots }
        })
        .collect();
    blocks.sort_by_key(|block| {
        (
            std::cmp::Reverse(block.sums.len() * block.slots.len()),
            block.slots[0],
        )
    });
    blocks
}
