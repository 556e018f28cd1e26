//! The noise of the next steps of a block of paths, drawn for some steps at once.

use pulp::NullaryFnOnce;

use crate::noise::Source;
use crate::random::{BatchSampler, Streams};
use crate::scalar::{Paths, Scalar, run_wide};

/// For how many steps one source draws before the next: a multiple of what any law draws together. It decides which words of
/// a stream are whose, and is therefore the same for lanes and single paths.
const STEPS_OF_A_SOURCE: usize = 16;

/// For how many steps of d noise coordinates numbers are drawn at once. More where d is small, as far as eight blocks of lanes stay
/// in the nearest cache; and for a single path, whose numbers are made side by side.
fn steps_per_draw<S: Paths>(dimension: usize) -> usize {
    let times = if S::COUNT == 1 {
        8
    } else {
        (4 / dimension.max(1)).max(1)
    };
    STEPS_OF_A_SOURCE * times
}

/// Rows that are drawn as they are needed.
pub(super) struct NoiseBuffer<'s, R: Streams> {
    sources: &'s [Source],
    sizes: &'s [usize],
    sigma: f64,
    /// One for each source with real minibatches, which remember where they are.
    samplers: Vec<Option<BatchSampler>>,
    streams: R,
    rows: Vec<R::Draw>,
    scratch: Vec<R::Draw>,
    dimension: usize,
    steps: usize,
    used: usize,
}

impl<R: Streams> Clone for NoiseBuffer<'_, R> {
    fn clone(&self) -> Self {
        Self {
            samplers: self.samplers.clone(),
            streams: self.streams.clone(),
            rows: self.rows.clone(),
            scratch: self.scratch.clone(),
            ..*self
        }
    }

    /// Without allocating: copies are kept every few hundred steps.
    fn clone_from(&mut self, from: &Self) {
        self.samplers.clone_from(&from.samplers);
        self.streams.clone_from(&from.streams);
        self.rows.clone_from(&from.rows);
        self.used = from.used;
    }
}

impl<'s, R: Streams> NoiseBuffer<'s, R> {
    pub(super) fn new(sources: &'s [Source], sizes: &'s [usize], sigma: f64, streams: R) -> Self {
        let dimension: usize = sizes.iter().sum();
        let steps = steps_per_draw::<R::Draw>(dimension);
        let largest = sizes.iter().max().copied().unwrap_or(0);
        Self {
            sources,
            sizes,
            sigma,
            samplers: sources
                .iter()
                .zip(sizes)
                .map(|(source, &size)| Some(BatchSampler::new(source.batch?, size, R::Draw::COUNT)))
                .collect(),
            streams,
            rows: vec![R::Draw::zero(); steps * dimension],
            scratch: vec![R::Draw::zero(); STEPS_OF_A_SOURCE * largest],
            dimension,
            steps,
            used: steps,
        }
    }

    /// Begins anew, with other streams.
    pub(super) fn restart(&mut self, streams: R) {
        self.streams = streams;
        self.samplers
            .iter_mut()
            .flatten()
            .for_each(BatchSampler::restart);
        self.used = self.steps;
    }

    fn draw(&mut self) {
        if let [source] = self.sources {
            let sampler = self.samplers[0].as_mut();
            fill(
                source,
                self.sigma,
                sampler,
                &mut self.streams,
                &mut self.rows,
            );
            return;
        }
        for rows in self
            .rows
            .chunks_exact_mut(STEPS_OF_A_SOURCE * self.dimension)
        {
            let mut offset = 0;
            for ((source, &size), sampler) in
                self.sources.iter().zip(self.sizes).zip(&mut self.samplers)
            {
                let drawn = &mut self.scratch[..STEPS_OF_A_SOURCE * size];
                fill(
                    source,
                    self.sigma,
                    sampler.as_mut(),
                    &mut self.streams,
                    drawn,
                );
                let rows = rows.chunks_exact_mut(self.dimension);
                for (row, values) in rows.zip(drawn.chunks_exact(size)) {
                    row[offset..offset + size].copy_from_slice(values);
                }
                offset += size;
            }
        }
    }

    /// d.
    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Between 1 and `wanted` further rows of d numbers, in order; each row is handed out once.
    #[inline]
    pub(super) fn next(&mut self, wanted: usize) -> &[R::Draw] {
        if self.used == self.steps {
            self.draw();
            self.used = 0;
        }
        let from = self.used;
        self.used = from + wanted.min(self.steps - from);
        &self.rows[from * self.dimension..self.used * self.dimension]
    }
}

/// Fills `out` with the noise of one source.
fn fill<R: Streams>(
    source: &Source,
    sigma: f64,
    sampler: Option<&mut BatchSampler>,
    streams: &mut R,
    out: &mut [R::Draw],
) {
    match sampler {
        Some(sampler) => run_wide(Batches {
            sampler,
            streams,
            out,
        }),
        None => source.law.fill(sigma * source.scale, streams, out),
    }
}

/// Minibatches; a type for the same reason as [`super::kernel::Advance`].
struct Batches<'b, R: Streams> {
    sampler: &'b mut BatchSampler,
    streams: &'b mut R,
    out: &'b mut [R::Draw],
}

impl<R: Streams> NullaryFnOnce for Batches<'_, R> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.sampler.fill(self.streams, self.out);
    }
}
