//! The noise of several blocks of paths side by side, for models that take a step of all of them at once.

use super::kernel::{NoiseBuffer, Rows, STEPS_PER_DRAW};
use crate::random::Streams;
use crate::scalar::Scalar;

/// Rows in which the blocks' numbers of each coordinate follow one another.
pub(super) struct SideBySide<'s, R: Streams> {
    /// One for each block, all equally far.
    blocks: Vec<NoiseBuffer<'s, R>>,
    rows: Vec<R::Draw>,
}

impl<R: Streams> Clone for SideBySide<'_, R> {
    fn clone(&self) -> Self {
        Self {
            blocks: self.blocks.clone(),
            rows: self.rows.clone(),
        }
    }

    /// Takes no new memory; rows are made anew whenever they are asked for.
    fn clone_from(&mut self, other: &Self) {
        self.blocks.clone_from_slice(&other.blocks);
    }
}

impl<'s, R: Streams> SideBySide<'s, R> {
    /// Of one block or more.
    pub(super) fn new(blocks: Vec<NoiseBuffer<'s, R>>) -> Self {
        let dimension: usize = blocks.iter().map(Rows::dimension).sum();
        Self {
            rows: vec![R::Draw::zero(); STEPS_PER_DRAW * dimension],
            blocks,
        }
    }
}

impl<R: Streams> Rows for SideBySide<'_, R> {
    type Draw = R::Draw;

    fn dimension(&self) -> usize {
        self.blocks.iter().map(Rows::dimension).sum()
    }

    #[inline(always)]
    fn next(&mut self, wanted: usize) -> &[R::Draw] {
        let count = self.blocks.len();
        if count == 1 {
            return self.blocks[0].next(wanted);
        }
        let mut numbers = 0;
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let own = block.next(wanted);
            numbers += own.len();
            let places = self.rows.iter_mut().skip(i).step_by(count);
            for (place, &number) in places.zip(own) {
                *place = number;
                R::Draw::element_done();
            }
        }
        &self.rows[..numbers]
    }
}
