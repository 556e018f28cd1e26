//! Weighted least squares with known standard errors.

use nalgebra::{DMatrix, DVector};

use super::{StatisticsError, checks, tails};

/// A regressor whose angle to the span of those before it has a smaller sine is redundant.
const SMALLEST_SINE: f64 = 1e-10;

/// A linear model fitted to values with known standard errors.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearFit {
    /// β̂, one coefficient for each regressor.
    pub coefficients: Vec<f64>,
    /// (XᵀWX)⁻¹ with W = diag(1/seᵢ²): the covariance of β̂, not rescaled by χ².
    pub covariance: DMatrix<f64>,
    /// (XᵀWX)⁻¹XᵀW: β̂ is this matrix times the values.
    pub weights: DMatrix<f64>,
    /// χ² = Σ ((yᵢ − (Xβ̂)ᵢ)/seᵢ)².
    pub chi_squared: f64,
    /// Number of values less number of coefficients.
    pub degrees_of_freedom: usize,
    /// P(χ² or larger) if the model holds; `None` with no degrees of freedom.
    pub p_value: Option<f64>,
}

impl LinearFit {
    /// The standard error of the coefficient at `index`, √(covariance at (index, index)); NaN when
    /// there is no such coefficient.
    pub fn std_error(&self, index: usize) -> f64 {
        self.covariance
            .get((index, index))
            .map_or(f64::NAN, |variance| variance.sqrt())
    }
}

/// Fits y = Xβ by minimising Σ ((yᵢ − (Xβ)ᵢ)/seᵢ)².
///
/// `regressors` are the columns of X, each with one entry for each of the `values`; an intercept is
/// a column of ones. Solved by a QR decomposition of W^½X with columns scaled to length 1, not by
/// normal equations, which would square the condition number (Golub & Van Loan 2013, §5.3).
///
/// # Errors
///
/// No regressor, fewer values than regressors, lengths that differ, numbers that are not finite,
/// standard errors not greater than 0, a regressor that is a combination of those before it.
pub fn weighted_least_squares(
    regressors: &[Vec<f64>],
    values: &[f64],
    std_errors: &[f64],
) -> Result<LinearFit, StatisticsError> {
    let count = regressors.len();
    checks::finite("values", values, count.max(1))?;
    checks::positive("standard errors", std_errors, values.len())?;
    if count == 0 {
        return Err(StatisticsError::TooFew {
            what: "regressors",
            given: 0,
            needed: 1,
        });
    }
    let weighted = |column: &[f64]| -> Vec<f64> {
        column
            .iter()
            .zip(std_errors)
            .map(|(entry, std_error)| entry / std_error)
            .collect()
    };
    let response = weighted(values);
    checks::finite("value / standard error", &response, 0)?;
    let response = DVector::from_vec(response);

    let mut columns = Vec::with_capacity(count);
    let mut scales = Vec::with_capacity(count);
    for (index, regressor) in regressors.iter().enumerate() {
        checks::one_per_point("entries of a regressor", regressor, values.len())?;
        let column = weighted(regressor);
        checks::finite("regressor / standard error", &column, 0)?;
        let column = DVector::from_vec(column);
        // In two steps, so that squares of large entries do not overflow.
        let largest = column.amax();
        if largest == 0.0 {
            return Err(redundant(index, count, 0.0));
        }
        let column = column / largest;
        let length = column.norm();
        columns.push(column / length);
        scales.push(largest * length);
    }

    let decomposition = DMatrix::from_columns(&columns).qr();
    let triangle = decomposition.r();
    for index in 0..count {
        let sine = triangle[(index, index)].abs();
        if sine < SMALLEST_SINE {
            return Err(redundant(index, count, sine));
        }
    }
    let q = decomposition.q();
    let projected = q.tr_mul(&response);
    let (Some(scaled), Some(inverse)) = (
        triangle.solve_upper_triangular(&projected),
        triangle.solve_upper_triangular(&DMatrix::identity(count, count)),
    ) else {
        return Err(redundant(count - 1, count, 0.0));
    };

    let fitted = columns.iter().zip(scaled.iter()).fold(
        DVector::zeros(values.len()),
        |sum, (column, coefficient)| sum + column * *coefficient,
    );
    let chi_squared = (response - fitted).norm_squared();
    let degrees_of_freedom = values.len() - count;
    let mut covariance = &inverse * inverse.transpose();
    for row in 0..count {
        for column in 0..count {
            covariance[(row, column)] = covariance[(row, column)] / scales[row] / scales[column];
        }
    }
    let mut weights = inverse * q.transpose();
    for row in 0..count {
        for (column, std_error) in std_errors.iter().enumerate() {
            weights[(row, column)] = weights[(row, column)] / scales[row] / std_error;
        }
    }
    Ok(LinearFit {
        weights,
        coefficients: scaled
            .iter()
            .zip(&scales)
            .map(|(scaled, scale)| scaled / scale)
            .collect(),
        covariance,
        chi_squared,
        degrees_of_freedom,
        p_value: tails::chi_squared_tail(chi_squared, degrees_of_freedom),
    })
}

fn redundant(regressor: usize, regressors: usize, sine: f64) -> StatisticsError {
    StatisticsError::RankDeficient {
        regressor,
        regressors,
        sine,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::kolmogorov_smirnov_cdf;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{
        assert_close, cases, normal, number, numbers, rarely_more_than, reference,
    };

    fn assert_matrix(actual: &DMatrix<f64>, expected: &serde_json::Value) {
        for (row, entries) in expected.as_array().unwrap().iter().enumerate() {
            for (column, entry) in numbers(entries).into_iter().enumerate() {
                assert_close(actual[(row, column)], entry, 1e-9);
            }
        }
    }

    #[test]
    fn fits_agree_with_statsmodels() {
        for case in cases("weighted_fits") {
            let regressors: Vec<Vec<f64>> = case["regressors"]
                .as_array()
                .unwrap()
                .iter()
                .map(numbers)
                .collect();
            let (values, std_errors) = (numbers(&case["values"]), numbers(&case["std_errors"]));
            let fit = weighted_least_squares(&regressors, &values, &std_errors).unwrap();
            for (actual, expected) in fit.coefficients.iter().zip(numbers(&case["coefficients"])) {
                assert_close(*actual, expected, 1e-9);
            }
            assert_matrix(&fit.covariance, &case["covariance"]);
            assert_close(fit.std_error(0), fit.covariance[(0, 0)].sqrt(), 0.0);
            assert_close(fit.chi_squared, number(&case["chi_squared"]), 1e-9);
            assert_eq!(
                fit.degrees_of_freedom as u64,
                case["degrees_of_freedom"].as_u64().unwrap()
            );
            assert_close(fit.p_value.unwrap(), number(&case["p_value"]), 1e-9);
        }
    }

    #[test]
    fn a_parabola_agrees_with_numpy_polyfit() {
        let case = &reference()["polyfit"];
        let x = numbers(&case["x"]);
        let powers: Vec<Vec<f64>> = (0..3)
            .map(|power| x.iter().map(|x| x.powi(power)).collect())
            .collect();
        let fit = weighted_least_squares(
            &powers,
            &numbers(&case["values"]),
            &numbers(&case["std_errors"]),
        )
        .unwrap();
        for (actual, expected) in fit.coefficients.iter().zip(numbers(&case["coefficients"])) {
            assert_close(*actual, expected, 1e-9);
        }
        assert_matrix(&fit.covariance, &case["covariance"]);
    }

    /// Each assertion fails by chance with probability at most 10⁻⁶.
    #[test]
    fn under_the_model_p_values_are_uniform_and_intervals_cover() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0_f64];
        let std_errors = [0.1, 0.4, 0.2, 0.3, 0.1, 0.2];
        let design = [vec![1.0; 6], x.to_vec()];
        let (mut p_values, mut misses, mut missed_curvature) = (Vec::new(), 0, 0);
        for trial in 0..1000 {
            let noise = normal(&mut stream(4, trial), 6, 0.0, 1.0);
            let values = |curvature: f64| -> Vec<f64> {
                (0..6)
                    .map(|i| 1.0 - 0.5 * x[i] + curvature * x[i].powi(2) + std_errors[i] * noise[i])
                    .collect()
            };
            let fit = weighted_least_squares(&design, &values(0.0), &std_errors).unwrap();
            p_values.push(fit.p_value.unwrap());
            misses += u64::from((fit.coefficients[1] + 0.5).abs() > 1.959964 * fit.std_error(1));
            let curved = weighted_least_squares(&design, &values(0.2), &std_errors).unwrap();
            missed_curvature += u64::from(curved.p_value.unwrap() > 1e-3);
        }
        assert!(kolmogorov_smirnov_cdf(&p_values, |p| p).unwrap().p_value > 1e-6);
        assert!(misses <= rarely_more_than(1000, 0.05), "{misses} misses");
        assert!(
            missed_curvature <= 50,
            "{missed_curvature} of 1000 curved data sets passed"
        );
    }

    #[test]
    fn a_redundant_regressor_is_an_error_that_names_it() {
        let x = vec![1.0, 2.0, 3.0];
        let doubled: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
        let fit = |regressors: &[Vec<f64>]| weighted_least_squares(regressors, &x, &[1.0; 3]);
        assert!(matches!(
            fit(&[x.clone(), doubled]),
            Err(StatisticsError::RankDeficient {
                regressor: 1,
                regressors: 2,
                ..
            })
        ));
        assert!(matches!(
            fit(&[vec![0.0; 3]]),
            Err(StatisticsError::RankDeficient { regressor: 0, .. })
        ));
    }

    #[test]
    fn no_degrees_of_freedom_leave_no_p_value() {
        let line = [vec![1.0, 1.0], vec![1.0, 2.0]];
        let fit = weighted_least_squares(&line, &[3.0, 5.0], &[0.1, 0.2]).unwrap();
        assert_eq!((fit.degrees_of_freedom, fit.p_value), (0, None));
        assert_close(fit.coefficients[1], 2.0, 1e-12);
        assert!(fit.std_error(2).is_nan());
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let line = [vec![1.0, 1.0], vec![1.0, 2.0]];
        let error = |values: &[f64], std_errors: &[f64]| {
            weighted_least_squares(&line, values, std_errors)
                .unwrap_err()
                .to_string()
        };
        assert!(error(&[1.0], &[1.0]).contains("at least 2"));
        assert!(error(&[1.0, 2.0], &[1.0]).contains("one for each"));
        assert!(error(&[1.0, 2.0], &[1.0, 0.0]).contains("entry 1 of the standard errors is 0"));
        assert!(error(&[1.0, f64::NAN], &[1.0, 1.0]).contains("NaN"));
        assert!(error(&[1.0, 2.0], &[1.0, 1e-310]).contains("inf"));
        assert!(weighted_least_squares(&[], &[1.0], &[1.0]).is_err());
        assert!(weighted_least_squares(&[vec![1.0]], &[1.0, 2.0], &[1.0, 1.0]).is_err());
    }

    proptest! {
        #[test]
        fn noiseless_data_give_back_their_coefficients(
            intercept in -10.0..10.0_f64,
            slope in -10.0..10.0_f64,
            std_errors in prop::collection::vec(0.1..10.0_f64, 3..12),
            scale in prop::sample::select(vec![1e-200, 1e-3, 1.0, 1e150]),
        ) {
            let count = std_errors.len();
            let x: Vec<f64> = (0..count).map(|i| scale * i as f64).collect();
            let values: Vec<f64> = x.iter().map(|x| intercept + slope / scale * x).collect();
            let fit =
                weighted_least_squares(&[vec![1.0; count], x], &values, &std_errors).unwrap();
            prop_assert!((fit.coefficients[0] - intercept).abs() < 1e-9);
            prop_assert!((fit.coefficients[1] * scale - slope).abs() < 1e-9);
            prop_assert!(fit.chi_squared < 1e-18);
        }
    }
}
