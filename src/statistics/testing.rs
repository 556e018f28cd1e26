//! What the tests of the statistics share: reference values, tolerances and seeded samples.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;
use statrs::distribution::{Binomial, DiscreteCDF};

/// The reference values that `tests/reference/statistics.py` computed by scipy and statsmodels.
pub(super) fn reference() -> Value {
    serde_json::from_str(include_str!("../../tests/reference/statistics.json"))
        .expect("the reference file is JSON")
}

/// The cases under a key of the reference file.
pub(super) fn cases(key: &str) -> Vec<Value> {
    reference()[key]
        .as_array()
        .unwrap_or_else(|| panic!("no cases {key}"))
        .clone()
}

/// Pairs of samples with their distances, which `tests/reference/laws.py` computed by dcor, POT, scipy and numpy.
pub(super) fn law_cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../../tests/reference/laws.json"))
        .expect("the reference file is a JSON list")
}

/// A JSON number.
pub(super) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is not a number"))
}

/// A JSON list of numbers.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is not a list"))
        .iter()
        .map(number)
        .collect()
}

/// Equal up to `tolerance`, relative to the expected value or to 1e-3, whichever is larger.
#[track_caller]
pub(super) fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    let allowed = tolerance * expected.abs().max(1e-3);
    assert!(
        (actual - expected).abs() <= allowed,
        "{actual} differs from {expected}"
    );
}

/// `count` draws from the normal law.
pub(super) fn normal(rng: &mut impl Rng, count: usize, mean: f64, sd: f64) -> Vec<f64> {
    (0..count)
        .map(|_| {
            let z: f64 = StandardNormal.sample(rng);
            mean + sd * z
        })
        .collect()
}

/// The count that Binomial(`trials`, `probability`) exceeds with probability at most 10⁻⁶.
pub(super) fn rarely_more_than(trials: u64, probability: f64) -> u64 {
    let law = Binomial::new(probability, trials).expect("a probability");
    (0..=trials)
        .find(|count| law.sf(*count) <= 1e-6)
        .expect("no count exceeds the trials")
}

/// Asserts that a result is the same on one thread and on three.
pub(super) fn assert_same_on_any_threads<T: PartialEq + std::fmt::Debug + Send>(
    result: impl Fn() -> T + Sync,
) {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(&result)
    };
    assert_eq!(on(1), on(3));
}
