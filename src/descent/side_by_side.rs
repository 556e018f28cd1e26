//! Some blocks of paths side by side, for models that take a step of all of them at once.

use super::ensemble::{DescentPlan, Walk};
use super::kernel::{Advance, BLOCKS, Several, Work, restart, starting};
use super::rows::NoiseBuffer;
use crate::models::Model;
use crate::noise::Source;
use crate::random::Streams;
use crate::scalar::{Instructions, Paths, Scalar};

/// The blocks' numbers of each parameter follow one another, and so do those of each noise coordinate.
pub(super) struct SideBySide<'a, M: Model, R: Streams, I> {
    model: &'a M,
    instructions: I,
    wiring: Several<'a>,
    w: M::Vector<R::Draw>,
    /// One for each block, all equally far.
    noise: Vec<NoiseBuffer<'a, R>>,
    kept_w: M::Vector<R::Draw>,
    kept_noise: Vec<NoiseBuffer<'a, R>>,
    rows: Vec<R::Draw>,
    work: Work<M::Vector<R::Draw>, R::Draw>,
}

impl<'a, M: Model, R: Streams, I> SideBySide<'a, M, R, I> {
    /// All paths at `start`, as many blocks as there are in `noise`.
    pub(super) fn new(
        model: &'a M,
        instructions: I,
        (sources, sizes): (&'a [Source], &'a [usize]),
        start: &[f64],
        noise: Vec<NoiseBuffer<'a, R>>,
    ) -> Self {
        let blocks = noise.len();
        assert!((1..=model.side_by_side().max(1)).contains(&blocks));
        let w = starting(model, start, blocks);
        Self {
            model,
            instructions,
            wiring: Several {
                sources,
                sizes,
                side_by_side: blocks,
            },
            kept_w: w.clone(),
            w,
            kept_noise: noise.clone(),
            noise,
            rows: Vec::new(),
            work: Work::new(model, blocks),
        }
    }

    /// Where parameter i of a path is: its number, and its lane.
    fn place(&self, path: usize, i: usize) -> (usize, usize) {
        let (block, lane) = (path / R::Draw::COUNT, path % R::Draw::COUNT);
        (i * self.noise.len() + block, lane)
    }

    fn parameters(&self) -> usize {
        self.w.as_ref().len() / self.noise.len()
    }
}

impl<M: Model, R: Streams, I: Instructions> Walk for SideBySide<'_, M, R, I> {
    fn advance(&mut self, step_sizes: &[f64]) {
        let (blocks, dimension) = (self.noise.len(), self.noise[0].dimension());
        let mut left = step_sizes;
        while !left.is_empty() {
            let rows = if let [noise] = self.noise.as_mut_slice() {
                noise.next(left.len())
            } else {
                for (i, noise) in self.noise.iter_mut().enumerate() {
                    let own = noise.next(left.len());
                    self.rows.resize(blocks * own.len(), R::Draw::zero());
                    let places = self.rows[i..].iter_mut().step_by(blocks);
                    for (place, &number) in places.zip(own) {
                        *place = number;
                    }
                }
                self.rows.as_slice()
            };
            let dimension = blocks * dimension;
            let (now, later) = left.split_at(rows.len() / dimension);
            left = later;
            let mut together = [const { None }; BLOCKS];
            together[0] = Some((&mut self.w, rows));
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
        restart(self.w.as_mut(), plan.start, self.noise.len());
        for (number, noise) in self.noise.iter_mut().enumerate() {
            noise.restart(plan.streams(first, number));
        }
    }

    fn keep(&mut self) {
        self.kept_w.clone_from(&self.w);
        self.kept_noise.clone_from_slice(&self.noise);
    }

    fn go_back(&mut self) {
        self.w.clone_from(&self.kept_w);
        self.noise.clone_from_slice(&self.kept_noise);
    }

    fn parameter(&self, path: usize, i: usize) -> f64 {
        let (number, lane) = self.place(path, i);
        self.w.as_ref()[number].lane(lane)
    }

    fn is_bounded(&self, path: usize, bound: f64) -> bool {
        (0..self.parameters()).all(|i| self.parameter(path, i).abs() <= bound)
    }

    fn silence(&mut self, path: usize) {
        for i in 0..self.parameters() {
            let (number, lane) = self.place(path, i);
            *self.w.as_mut()[number].lane_mut(lane) = f64::NAN;
        }
    }
}
