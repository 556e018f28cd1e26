//! The values of all observables at all records of all paths of one ensemble.

/// `values[(path·records + record)·width + observable]`; NaN where a path had diverged.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Number of paths.
    pub paths: usize,
    /// Number of records of a path.
    pub records: usize,
    /// Number of observables.
    pub width: usize,
    /// All values.
    pub values: Vec<f64>,
}

impl Samples {
    /// One value.
    pub fn value(&self, path: usize, record: usize, observable: usize) -> f64 {
        self.values[(path * self.records + record) * self.width + observable]
    }

    /// The values over the paths that are finite: diverged paths are counted elsewhere.
    pub fn column(&self, record: usize, observable: usize) -> Vec<f64> {
        (0..self.paths)
            .map(|path| self.value(path, record, observable))
            .filter(|x| x.is_finite())
            .collect()
    }

    /// The values at several (record, observable), one path after the other, of the paths that have all of them.
    pub fn complete_paths(&self, columns: &[(usize, usize)]) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.paths * columns.len());
        for path in 0..self.paths {
            let row = columns
                .iter()
                .map(|&(record, o)| self.value(path, record, o));
            if row.clone().all(f64::is_finite) {
                values.extend(row);
            }
        }
        values
    }

    /// Mean and variance (unbiased) of a transformed value over the finite paths, and their number.
    pub fn moments(&self, record: usize, observable: usize, f: impl Fn(f64) -> f64) -> Moments {
        (0..self.paths)
            .map(|path| self.value(path, record, observable))
            .filter(|x| x.is_finite())
            .map(f)
            .collect()
    }
}

/// Count, mean and sum of squared deviations of a stream of numbers (Welford 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many.
    pub count: usize,
    /// Their mean; 0 if there are none.
    pub mean: f64,
    squares: f64,
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::default();
        for x in values {
            moments.add(x);
        }
        moments
    }
}

impl Moments {
    fn add(&mut self, x: f64) {
        self.count += 1;
        let away = x - self.mean;
        self.mean += away / self.count as f64;
        self.squares += away * (x - self.mean);
    }

    /// The unbiased variance; 0 for fewer than two numbers.
    pub fn variance(&self) -> f64 {
        if self.count < 2 {
            0.0
        } else {
            self.squares / (self.count - 1) as f64
        }
    }

    /// The standard error of the mean; 0 for fewer than two numbers.
    pub fn std_error(&self) -> f64 {
        (self.variance() / self.count.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_leave_out_diverged_paths_and_moments_agree_with_the_definition() {
        let samples = Samples {
            paths: 4,
            records: 1,
            width: 2,
            values: vec![1.0, 9.0, 2.0, 9.0, f64::NAN, f64::NAN, 6.0, 9.0],
        };
        assert_eq!(samples.column(0, 0), [1.0, 2.0, 6.0]);
        let complete = samples.complete_paths(&[(0, 1), (0, 0)]);
        assert_eq!(complete, [9.0, 1.0, 9.0, 2.0, 9.0, 6.0]);
        let moments = samples.moments(0, 0, |x| x);
        assert_eq!((moments.count, moments.mean), (3, 3.0));
        assert!((moments.variance() - 7.0).abs() < 1e-12);
        assert!((moments.std_error() - (7.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
