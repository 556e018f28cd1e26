//! Generated data: inputs of a stated law, and targets that follow a sparse, dense or low-rank truth or a teacher.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{MOST_VALUES, Result, choose, fail};
use crate::models::{Data, Samples};
use crate::scenario::stream::stream;
use crate::scenario::{DataSpec, DesignSpec, TruthSpec};

/// What is drawn from streams of its own, so that one can change without the others.
#[derive(Clone, Copy)]
enum Part {
    Truth,
    Train,
    Noise,
    Test,
}

/// The lengths of input and target that a model asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The length p of x.
    pub features: usize,
    /// The length q of y.
    pub targets: usize,
    /// Where an input is a matrix X, row by row, and the target ⟨X, W⟩: its rows and columns; their product is `features`
    /// and `targets` is 1.
    pub matrix: Option<(usize, usize)>,
}

/// x (length p) ↦ y (length q).
pub type Teacher<'a> = &'a dyn Fn(&[f64]) -> Vec<f64>;

/// Draws the data of a section with `samples`.
///
/// **Inputs.** "gaussian": coordinates N(0, 1). "entries": x = e_a e_bᵀ row by row, no entry (a, b) twice, not even in
/// training and test together.
///
/// **Targets.** y = f(x) with
/// * "sparse": f = β* x; each of the q rows of β* (q×p) has `sparsity` coefficients ±signal, sign and place at random;
/// * "dense": f = β* x; coefficients N(0, signal²);
/// * "low-rank": f = W* x with W* (q×p), or ⟨x, W*⟩ with W* of the shape of `matrix`; W* = c·A Bᵀ with Gaussian A, B of
///   `rank` columns and c such that ‖W*‖_F = signal·√rank: the root mean square of its singular values is `signal`;
/// * "teacher": f = `teacher`.
///
/// Training targets have N(0, label_noise²) added. The result's `truth` is β* or W* row by row, empty for a teacher.
///
/// Everything follows from the section's `seed` by ChaCha8 streams, one for each of truth, training inputs, label noise and
/// test inputs: more test samples leave the training samples as they are. Bits are the same on every platform but for the
/// last one of inputs with |g| > 3.65, which comes from the platform's logarithm.
///
/// # Errors
/// A key missing, out of range or without meaning here.
pub fn generate(spec: &DataSpec, shape: Shape, teacher: Option<Teacher>) -> Result<Data> {
    if let Some((rows, columns)) = shape.matrix {
        debug_assert_eq!((rows * columns, 1), (shape.features, shape.targets));
    }
    let plan = Plan::of(spec, shape)?;
    let truth = plan.truth();
    let f = |x: &[f64]| match plan.truth_kind {
        TruthSpec::Teacher => teacher.map_or_else(Vec::new, |f| f(x)),
        _ => truth.chunks(x.len()).map(|row| dot(row, x)).collect(),
    };
    if plan.truth_kind == TruthSpec::Teacher && teacher.is_none() {
        return fail(
            "data.truth",
            "this model can't be a teacher",
            "take truth = \"sparse\", \"dense\" or \"low-rank\"",
        );
    }
    let (train, test) = plan.inputs();
    let mut train = labelled(train, shape, f);
    let test = labelled(test, shape, f);
    let targets = train.targets.iter().chain(&test.targets);
    if targets.clone().count() != (plan.samples + plan.test_samples) * shape.targets
        || targets.clone().any(|y| !y.is_finite())
    {
        return fail(
            "data.truth",
            "the truth gives targets that are not finite numbers",
            "make it smaller",
        );
    }
    let mut random = plan.stream(Part::Noise);
    for y in &mut train.targets {
        *y += plan.label_noise * gaussian(&mut random);
    }
    Ok(Data {
        features: shape.features,
        targets: shape.targets,
        train,
        test,
        truth,
    })
}

/// The section with its defaults put in and everything checked.
struct Plan {
    shape: Shape,
    seed: u64,
    samples: usize,
    test_samples: usize,
    truth_kind: TruthSpec,
    /// Nonzeros or rank, for the truths that have them.
    size: usize,
    design: DesignSpec,
    signal: f64,
    label_noise: f64,
}

impl Plan {
    fn of(spec: &DataSpec, shape: Shape) -> Result<Self> {
        if spec.is_from_file()? {
            return fail("data.file", "the data are not generated", "");
        }
        let samples = spec.samples.unwrap_or_default();
        let test_samples = spec.test_samples.unwrap_or_default();
        if samples == 0 {
            return fail("data.samples", "data.samples must be at least 1, not 0", "");
        }
        for (key, count) in [
            ("data.samples", samples),
            ("data.test_samples", test_samples),
        ] {
            let values = count as f64 * (shape.features + shape.targets) as f64;
            if values > MOST_VALUES {
                let message = format!(
                    "{key} = {count} samples of {} numbers each are {values:.1e} numbers",
                    shape.features + shape.targets
                );
                return fail(key, message, format!("at most {MOST_VALUES:e} are kept"));
            }
        }
        let Some(truth_kind) = spec.truth else {
            return fail(
                "data",
                "generated data need data.truth",
                "valid here: sparse, dense, low-rank, teacher",
            );
        };
        let plan = Self {
            shape,
            seed: spec.seed,
            samples,
            test_samples,
            truth_kind,
            size: size(spec, shape, truth_kind)?,
            design: spec.design.unwrap_or_default(),
            signal: spec.signal.unwrap_or(1.0),
            label_noise: spec.label_noise.unwrap_or(0.0),
        };
        plan.check_numbers(spec)?;
        plan.check_design()?;
        Ok(plan)
    }

    fn check_numbers(&self, spec: &DataSpec) -> Result<()> {
        if self.truth_kind == TruthSpec::Teacher && spec.signal.is_some() {
            return fail(
                "data.signal",
                "data.signal is not for truth = \"teacher\"",
                "remove it: the teacher sets the size of the targets",
            );
        }
        if !(1e-9..=1e9).contains(&self.signal) {
            let message = format!(
                "data.signal must lie between 1e-9 and 1e9, not {:e}",
                self.signal
            );
            return fail("data.signal", message, "1 is the default");
        }
        if !(0.0..=1e9).contains(&self.label_noise) {
            let message = format!(
                "data.label_noise must lie between 0 and 1e9, not {:e}",
                self.label_noise
            );
            return fail("data.label_noise", message, "it is a standard deviation");
        }
        Ok(())
    }

    fn check_design(&self) -> Result<()> {
        if self.design == DesignSpec::Gaussian {
            return Ok(());
        }
        let Some((rows, columns)) = self.shape.matrix else {
            return fail(
                "data.design",
                "design = \"entries\" needs a model whose input is a matrix",
                "take design = \"gaussian\"",
            );
        };
        let wanted = self.samples + self.test_samples;
        if wanted > rows * columns {
            let message = format!(
                "{} training and {} test samples are {wanted}, but a matrix of {rows}×{columns} has {} entries and none is read twice",
                self.samples,
                self.test_samples,
                rows * columns
            );
            return fail(
                "data.samples",
                message,
                "take fewer samples or a larger matrix",
            );
        }
        Ok(())
    }

    fn stream(&self, part: Part) -> ChaCha8Rng {
        stream(self.seed, b"data", part as u64)
    }

    /// β* or W*, row by row; empty for a teacher.
    fn truth(&self) -> Vec<f64> {
        let Shape {
            features, targets, ..
        } = self.shape;
        let mut random = self.stream(Part::Truth);
        match self.truth_kind {
            TruthSpec::Teacher => Vec::new(),
            TruthSpec::Dense => gaussians(&mut random, features * targets, self.signal),
            TruthSpec::Sparse => {
                let mut truth = vec![0.0; features * targets];
                for row in truth.chunks_mut(features) {
                    for i in choose(&mut random, features, self.size) {
                        row[i] = if random.random() {
                            self.signal
                        } else {
                            -self.signal
                        };
                    }
                }
                truth
            }
            TruthSpec::LowRank => {
                let (rows, columns) = self.shape.matrix.unwrap_or((targets, features));
                let a = gaussians(&mut random, rows * self.size, 1.0);
                let b = gaussians(&mut random, columns * self.size, 1.0);
                let mut truth: Vec<f64> = a
                    .chunks(self.size)
                    .flat_map(|a| b.chunks(self.size).map(|b| dot(a, b)))
                    .collect();
                let norm = dot(&truth, &truth).sqrt();
                let factor = self.signal * (self.size as f64).sqrt() / norm;
                truth.iter_mut().for_each(|x| *x *= factor);
                truth
            }
        }
    }

    /// The inputs to train and to test on, row by row.
    fn inputs(&self) -> (Vec<f64>, Vec<f64>) {
        let n = self.shape.features;
        match self.design {
            DesignSpec::Gaussian => (
                gaussians(&mut self.stream(Part::Train), self.samples * n, 1.0),
                gaussians(&mut self.stream(Part::Test), self.test_samples * n, 1.0),
            ),
            DesignSpec::Entries => {
                let count = self.samples + self.test_samples;
                let entries = choose(&mut self.stream(Part::Train), n, count);
                let (train, test) = entries.split_at(self.samples);
                (units(train, n), units(test, n))
            }
        }
    }
}

/// The sparsity or rank of the truth, 0 if it has none.
fn size(spec: &DataSpec, shape: Shape, truth: TruthSpec) -> Result<usize> {
    let (rows, columns) = shape.matrix.unwrap_or((shape.targets, shape.features));
    let mut size = 0;
    for (key, given, of, name, most, what) in [
        (
            "data.sparsity",
            spec.sparsity,
            TruthSpec::Sparse,
            "sparse",
            shape.features,
            "the number of features",
        ),
        (
            "data.rank",
            spec.rank,
            TruthSpec::LowRank,
            "low-rank",
            rows.min(columns),
            "the smaller side of the matrix",
        ),
    ] {
        match given {
            None if of == truth => {
                let message = format!("truth = \"{name}\" needs {key}");
                return fail("data.truth", message, format!("from 1 to {most}, {what}"));
            }
            None => {}
            Some(_) if of != truth => {
                let help = format!("set data.truth = \"{name}\" or remove it");
                return fail(key, format!("{key} is for truth = \"{name}\""), help);
            }
            Some(n) if n == 0 || n > most => {
                let message = format!("{key} must lie between 1 and {most}, {what}, not {n}");
                return fail(key, message, "");
            }
            Some(n) => size = n,
        }
    }
    Ok(size)
}

/// Inputs with their targets.
fn labelled(inputs: Vec<f64>, shape: Shape, f: impl Fn(&[f64]) -> Vec<f64>) -> Samples {
    Samples {
        count: inputs.len() / shape.features,
        targets: inputs.chunks(shape.features).flat_map(f).collect(),
        inputs,
    }
}

/// Unit vectors of length n, row by row.
fn units(positions: &[usize], n: usize) -> Vec<f64> {
    let mut inputs = vec![0.0; positions.len() * n];
    for (row, &position) in inputs.chunks_mut(n).zip(positions) {
        row[position] = 1.0;
    }
    inputs
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn gaussian(random: &mut ChaCha8Rng) -> f64 {
    random.sample(StandardNormal)
}

fn gaussians(random: &mut ChaCha8Rng, count: usize, scale: f64) -> Vec<f64> {
    (0..count).map(|_| scale * gaussian(random)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::typed;
    use super::*;
    use nalgebra::DMatrix;

    const VECTOR: Shape = Shape {
        features: 30,
        targets: 1,
        matrix: None,
    };
    const MATRIX: Shape = Shape {
        features: 42,
        targets: 1,
        matrix: Some((6, 7)),
    };
    const MAP: Shape = Shape {
        features: 8,
        targets: 5,
        matrix: None,
    };

    fn drawn(section: &str, shape: Shape) -> Data {
        generate(&typed(section), shape, None).unwrap()
    }

    /// Mean and mean square.
    fn moments(x: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let n = x.clone().count() as f64;
        (
            x.clone().sum::<f64>() / n,
            x.map(|x| x * x).sum::<f64>() / n,
        )
    }

    #[test]
    fn data_follow_from_their_seed_alone_and_more_of_them_leave_the_others_as_they_are() {
        let few = "samples = 5\ntruth = \"sparse\"\nsparsity = 3\nseed = 7\n";
        let data = drawn(few, VECTOR);
        assert_eq!(data, drawn(few, VECTOR));
        let other = drawn(&few.replace('7', "8"), VECTOR);
        assert_ne!(data.train.inputs, other.train.inputs);
        assert_ne!(data.truth, other.truth);
        let tested = drawn(&format!("{few}test_samples = 9"), VECTOR);
        assert_eq!((tested.train.count, tested.test.count), (5, 9));
        assert_eq!(data.train, tested.train);
        let noisy = drawn(&format!("{few}test_samples = 9\nlabel_noise = 0.5"), VECTOR);
        assert_eq!(noisy.train.inputs, tested.train.inputs);
        assert_ne!(noisy.train.targets, tested.train.targets);
        assert_eq!(noisy.test, tested.test, "held-out labels have no noise");
        let more = drawn(&few.replace('5', "6"), VECTOR);
        assert!(more.train.inputs.starts_with(&data.train.inputs));
    }

    #[test]
    fn another_version_of_the_program_generates_the_same_data() {
        let data = drawn("samples = 1\ntruth = \"dense\"", VECTOR);
        assert_eq!(data.train.inputs[0], -0.026534824706004732);
        assert_eq!(data.truth[0], -0.4944379967866354);
    }

    #[test]
    fn inputs_and_label_noise_have_the_stated_moments() {
        let data = drawn(
            "samples = 2000\ntruth = \"dense\"\nlabel_noise = 0.3\nsignal = 2.0",
            VECTOR,
        );
        let (mean, square) = moments(data.train.inputs.iter().copied());
        // Five standard errors of 60 000 draws.
        assert!(
            mean.abs() < 0.021 && (square - 1.0).abs() < 0.03,
            "{mean} {square}"
        );
        let noise: Vec<f64> = (0..2000)
            .map(|i| {
                let (x, y) = data.train.row(i, 30, 1);
                y[0] - dot(x, &data.truth)
            })
            .collect();
        let (mean, square) = moments(noise.iter().copied());
        assert!(mean.abs() < 0.3 * 0.12, "{mean}");
        assert!((square / 0.09 - 1.0).abs() < 0.16, "{square}");
        let large = Shape {
            features: 5000,
            ..VECTOR
        };
        let truth = drawn("samples = 1\ntruth = \"dense\"\nsignal = 2.0", large).truth;
        let (mean, square) = moments(truth.into_iter());
        assert!(
            mean.abs() < 0.15 && (square / 4.0 - 1.0).abs() < 0.1,
            "{mean} {square}"
        );
    }

    #[test]
    fn a_sparse_truth_has_the_stated_nonzeros_of_either_sign() {
        let mut plus = 0;
        for seed in 0..200 {
            let section = format!(
                "samples = 2\ntruth = \"sparse\"\nsparsity = 3\nsignal = 0.5\nseed = {seed}"
            );
            let data = drawn(&section, MAP);
            for row in data.truth.chunks(8) {
                let nonzero: Vec<_> = row.iter().filter(|x| **x != 0.0).collect();
                assert_eq!(nonzero.len(), 3);
                assert!(nonzero.iter().all(|x| x.abs() == 0.5));
                plus += nonzero.iter().filter(|x| ***x > 0.0).count();
            }
            for (x, y) in data
                .train
                .inputs
                .chunks(8)
                .zip(data.train.targets.chunks(5))
            {
                for (row, y) in data.truth.chunks(8).zip(y) {
                    assert_eq!(dot(row, x), *y);
                }
            }
        }
        // 3000 signs: mean 1500, standard deviation 27.
        assert!((1350..1650).contains(&plus), "{plus}");
    }

    #[test]
    fn a_low_rank_truth_has_the_stated_rank_and_norm() {
        for (shape, rows, columns) in [(MATRIX, 6, 7), (MAP, 5, 8)] {
            for rank in 1..=5 {
                let section =
                    format!("samples = 4\ntruth = \"low-rank\"\nrank = {rank}\nsignal = 3.0");
                let data = drawn(&section, shape);
                let truth = DMatrix::from_row_slice(rows, columns, &data.truth);
                let norm = 3.0 * (rank as f64).sqrt();
                assert!((truth.norm() - norm).abs() < 1e-12 * norm);
                assert_eq!(truth.rank(1e-9), rank);
                let x = DMatrix::from_row_slice(4, shape.features, &data.train.inputs);
                let map = DMatrix::from_row_slice(shape.targets, shape.features, &data.truth);
                let y = DMatrix::from_row_slice(4, shape.targets, &data.train.targets);
                assert!((x * map.transpose() - y).norm() < 1e-12 * norm);
            }
        }
    }

    #[test]
    fn entries_are_read_once_each_and_give_the_matrix() {
        let section = "samples = 30\ntest_samples = 12\ntruth = \"low-rank\"\nrank = 2\ndesign = \"entries\"\n";
        let data = drawn(section, MATRIX);
        let mut seen = [0; 42];
        for samples in [&data.train, &data.test] {
            for i in 0..samples.count {
                let (x, y) = samples.row(i, 42, 1);
                assert_eq!(x.iter().sum::<f64>(), 1.0);
                let entry = x.iter().position(|x| *x == 1.0).unwrap();
                seen[entry] += 1;
                assert_eq!(y[0], data.truth[entry]);
            }
        }
        assert_eq!(seen, [1; 42]);
        let untested = drawn(&section.replace("12", "0"), MATRIX);
        assert_eq!(untested.train, data.train);
    }

    #[test]
    fn a_teacher_gives_the_targets() {
        let spec = typed("samples = 3\ntest_samples = 2\ntruth = \"teacher\"");
        let teacher = |x: &[f64]| vec![x[0] * x[1], 1.0, 2.0, 3.0, x[7]];
        let data = generate(&spec, MAP, Some(&teacher)).unwrap();
        assert!(data.truth.is_empty());
        for samples in [&data.train, &data.test] {
            for i in 0..samples.count {
                let (x, y) = samples.row(i, 8, 5);
                assert_eq!(y, teacher(x));
            }
        }
    }

    #[test]
    fn every_wrong_key_is_blamed_with_its_range() {
        let good = "samples = 3\ntruth = \"dense\"\n";
        let sparse = "samples = 3\ntruth = \"sparse\"\n";
        let low_rank = "samples = 3\ntruth = \"low-rank\"\n";
        let entries = "samples = 40\ntest_samples = 3\ntruth = \"dense\"\ndesign = \"entries\"\n";
        for (section, more, shape, key, part) in [
            (
                "truth = \"dense\"\n",
                "samples = 0",
                VECTOR,
                "data.samples",
                "at least 1",
            ),
            (
                "truth = \"dense\"\n",
                "samples = 1000000000000",
                VECTOR,
                "data.samples",
                "at most 1e8",
            ),
            (
                good,
                "test_samples = 1000000000000",
                VECTOR,
                "data.test_samples",
                "31 numbers",
            ),
            ("samples = 3\n", "", VECTOR, "data", "need data.truth"),
            (
                sparse,
                "",
                VECTOR,
                "data.truth",
                "needs data.sparsity; from 1 to 30",
            ),
            (
                sparse,
                "sparsity = 0",
                VECTOR,
                "data.sparsity",
                "between 1 and 30",
            ),
            (sparse, "sparsity = 31", VECTOR, "data.sparsity", "not 31"),
            (
                sparse,
                "sparsity = 3\nrank = 2",
                VECTOR,
                "data.rank",
                "truth = \"low-rank\"",
            ),
            (
                low_rank,
                "",
                MATRIX,
                "data.truth",
                "needs data.rank; from 1 to 6",
            ),
            (low_rank, "rank = 7", MATRIX, "data.rank", "between 1 and 6"),
            (low_rank, "rank = 6", MAP, "data.rank", "between 1 and 5"),
            (
                good,
                "sparsity = 3",
                VECTOR,
                "data.sparsity",
                "truth = \"sparse\"",
            ),
            (good, "signal = 0.0", VECTOR, "data.signal", "not 0"),
            (good, "signal = nan", VECTOR, "data.signal", "NaN"),
            (
                good,
                "label_noise = -0.1",
                VECTOR,
                "data.label_noise",
                "not -1e-1",
            ),
            (
                good,
                "label_noise = inf",
                VECTOR,
                "data.label_noise",
                "not inf",
            ),
            (
                good,
                "design = \"entries\"",
                VECTOR,
                "data.design",
                "input is a matrix",
            ),
            (entries, "", MATRIX, "data.samples", "6×7 has 42 entries"),
            (
                "samples = 3\ntruth = \"teacher\"\n",
                "",
                VECTOR,
                "data.truth",
                "can't be a teacher",
            ),
            (
                "samples = 3\ntruth = \"teacher\"\n",
                "signal = 2.0",
                VECTOR,
                "data.signal",
                "teacher",
            ),
            (
                "file = \"x.csv\"\n",
                "",
                VECTOR,
                "data.file",
                "not generated",
            ),
        ] {
            let section = format!("{section}{more}");
            let error = generate(&typed(&section), shape, None).unwrap_err();
            assert_eq!(error.key(), key, "{section}");
            assert!(error.to_string().contains(part), "{section}: {error}");
        }
        let bad = |_: &[f64]| vec![f64::NAN];
        let spec = typed("samples = 3\ntruth = \"teacher\"");
        let error = generate(&spec, VECTOR, Some(&bad)).unwrap_err();
        assert_eq!(error.key(), "data.truth");
    }
}
