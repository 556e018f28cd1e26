//! Some blocks of paths that take their steps in turn, for models whose steps take nanoseconds.

use super::ensemble::{DescentPlan, Walk};
use super::kernel::{Advance, BLOCKS, Together, Wiring, Work, restart, starting};
use super::rows::NoiseBuffer;
use crate::models::Model;
use crate::random::Streams;
use crate::scalar::{Instructions, Paths};

/// Eight paths, or one, and their noise.
struct Block<V, R> {
    w: V,
    noise: R,
}

impl<V: Clone, R: Clone> Clone for Block<V, R> {
    fn clone(&self) -> Self {
        Self {
            w: self.w.clone(),
            noise: self.noise.clone(),
        }
    }

    fn clone_from(&mut self, from: &Self) {
        self.w.clone_from(&from.w);
        self.noise.clone_from(&from.noise);
    }
}

/// One group's paths and their noise.
type Blocks<'a, M, R> = Vec<Block<<M as Model>::Vector<<R as Streams>::Draw>, NoiseBuffer<'a, R>>>;

/// A few blocks of paths that are advanced together, compiled for one model, wiring and number type.
pub(super) struct Walkers<'a, M: Model, W, R: Streams, I> {
    model: &'a M,
    instructions: I,
    wiring: W,
    blocks: Blocks<'a, M, R>,
    kept: Blocks<'a, M, R>,
    work: Work<M::Vector<R::Draw>, R::Draw>,
}

impl<'a, M: Model, W, R: Streams, I> Walkers<'a, M, W, R, I> {
    /// All paths at `start`, as many blocks as there are in `noise`.
    pub(super) fn new(
        model: &'a M,
        instructions: I,
        wiring: W,
        start: &[f64],
        noise: Vec<NoiseBuffer<'a, R>>,
    ) -> Self {
        let w = starting::<M, R::Draw>(model, start, 1);
        let block = |noise| Block {
            w: w.clone(),
            noise,
        };
        let blocks: Vec<_> = noise.into_iter().map(block).collect();
        Self {
            model,
            instructions,
            wiring,
            kept: blocks.clone(),
            blocks,
            work: Work::new(model, 1),
        }
    }
}

impl<M: Model, W: Wiring, R: Streams, I: Instructions> Walk for Walkers<'_, M, W, R, I> {
    fn advance(&mut self, step_sizes: &[f64]) {
        let mut left = step_sizes;
        while !left.is_empty() {
            let mut together: Together<M::Vector<R::Draw>, R::Draw> = [const { None }; BLOCKS];
            let (mut steps, mut dimension) = (0, 0);
            for (slot, block) in together.iter_mut().zip(&mut self.blocks) {
                dimension = block.noise.dimension();
                let rows = block.noise.next(left.len());
                steps = rows.len() / dimension;
                *slot = Some((&mut block.w, rows));
            }
            let (now, later) = left.split_at(steps);
            left = later;
            self.instructions.run(Advance {
                model: self.model,
                wiring: self.wiring,
                dimension,
                together,
                work: &mut self.work,
                step_sizes: now,
            });
        }
    }

    fn depart(&mut self, plan: &DescentPlan, first: usize) {
        for (number, block) in self.blocks.iter_mut().enumerate() {
            restart(block.w.as_mut(), plan.start, 1);
            block.noise.restart(plan.streams(first, number));
        }
    }

    fn keep(&mut self) {
        self.kept.clone_from_slice(&self.blocks);
    }

    fn go_back(&mut self) {
        self.blocks.clone_from_slice(&self.kept);
    }

    fn parameter(&self, path: usize, i: usize) -> f64 {
        let block = &self.blocks[path / R::Draw::COUNT];
        block.w.as_ref()[i].lane(path % R::Draw::COUNT)
    }

    fn is_bounded(&self, path: usize, bound: f64) -> bool {
        let block = &self.blocks[path / R::Draw::COUNT];
        let lane = path % R::Draw::COUNT;
        block.w.as_ref().iter().all(|x| x.lane(lane).abs() <= bound)
    }

    fn silence(&mut self, path: usize) {
        for x in self.blocks[path / R::Draw::COUNT].w.as_mut() {
            *x.lane_mut(path % R::Draw::COUNT) = f64::NAN;
        }
    }
}
