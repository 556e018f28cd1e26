//! The embedded Runge–Kutta pair of order 5(4) of Dormand and Prince (1980), with step-size control.

use nalgebra::DVector;

const STAGES: usize = 7;
/// Row s: the weights of the earlier slopes in stage s + 1; the last row is the solution of order 5.
const A: [&[f64]; STAGES - 1] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[
        19372.0 / 6561.0,
        -25360.0 / 2187.0,
        64448.0 / 6561.0,
        -212.0 / 729.0,
    ],
    &[
        9017.0 / 3168.0,
        -355.0 / 33.0,
        46732.0 / 5247.0,
        49.0 / 176.0,
        -5103.0 / 18656.0,
    ],
    &[
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
];
/// When stage s + 1 is taken, as a share of the step.
const NODES: [f64; STAGES - 1] = [1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
/// Order 5 minus order 4.
const ERROR: [f64; STAGES] = [
    71.0 / 57600.0,
    0.0,
    -71.0 / 16695.0,
    71.0 / 1920.0,
    -17253.0 / 339200.0,
    22.0 / 525.0,
    -1.0 / 40.0,
];

/// Integrates ẋ = f(t, x) step by step, each step's local error kept below `tolerance`·(1 + |x|).
#[derive(Clone, Debug)]
pub struct DormandPrince {
    tolerance: f64,
    next: Option<f64>,
}

impl DormandPrince {
    /// A fresh integrator; `tolerance` > 0 is the local error relative to 1 + |x|.
    pub fn new(tolerance: f64) -> Self {
        Self {
            tolerance,
            next: None,
        }
    }

    /// Advances `point` by one accepted step of length at most `longest` > 0 and returns its length. `f` takes the
    /// time since the beginning of the step, and the point.
    ///
    /// # Errors
    /// Those of `f`, if it fails even at ever smaller steps.
    pub fn step<E>(
        &mut self,
        point: &mut DVector<f64>,
        longest: f64,
        f: impl Fn(f64, &DVector<f64>) -> Result<DVector<f64>, E>,
    ) -> Result<f64, E> {
        let slope = f(0.0, point)?;
        let scale = 1.0 + point.norm();
        let first_guess = 0.01 * scale / slope.norm().max(1e-300);
        let mut h = self.next.unwrap_or(first_guess);
        loop {
            // A step that hardly moves is the last one to be tried, so that no caller can be kept waiting for ever.
            let last_try = h * slope.norm() < 1e-12 * scale;
            let taken = h.min(longest);
            let error = match attempt(point, &slope, taken, &f) {
                Ok((candidate, error)) => {
                    let error = error / (self.tolerance * scale);
                    if error <= 1.0 || last_try {
                        // A step cut short by `longest` says little about the next one.
                        let grown = taken * growth(error);
                        self.next = Some(if taken < h { grown.max(h) } else { grown });
                        *point = candidate;
                        return Ok(taken);
                    }
                    error
                }
                Err(failure) if last_try => return Err(failure),
                Err(_) => f64::INFINITY,
            };
            h = taken * growth(error);
        }
    }
}

fn growth(error: f64) -> f64 {
    if error.is_finite() {
        (0.9 * error.max(1e-10).powf(-0.2)).clamp(0.2, 5.0)
    } else {
        0.1
    }
}

/// One step of length h from `point`: the solution of order 5 and the norm of its difference to order 4.
fn attempt<E>(
    point: &DVector<f64>,
    slope: &DVector<f64>,
    h: f64,
    f: &impl Fn(f64, &DVector<f64>) -> Result<DVector<f64>, E>,
) -> Result<(DVector<f64>, f64), E> {
    let mut slopes = Vec::with_capacity(STAGES);
    slopes.push(slope.clone());
    let mut stage = point.clone();
    for (row, node) in A.iter().zip(NODES) {
        stage.copy_from(point);
        for (weight, slope) in row.iter().zip(&slopes) {
            stage.axpy(h * weight, slope, 1.0);
        }
        slopes.push(f(node * h, &stage)?);
    }
    let mut error = DVector::zeros(point.len());
    for (weight, slope) in ERROR.iter().zip(&slopes) {
        error.axpy(h * weight, slope, 1.0);
    }
    Ok((stage, error.norm()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn rotation(_: f64, x: &DVector<f64>) -> Result<DVector<f64>, Infallible> {
        Ok(DVector::from_vec(vec![-x[1], x[0]]))
    }

    fn after_fixed_steps(steps: usize) -> f64 {
        let h = 2.0 / steps as f64;
        let mut x = DVector::from_vec(vec![1.0, 0.0]);
        for _ in 0..steps {
            let slope = rotation(0.0, &x).unwrap();
            x = attempt(&x, &slope, h, &rotation).unwrap().0;
        }
        (x - DVector::from_vec(vec![2f64.cos(), 2f64.sin()])).norm()
    }

    #[test]
    fn it_converges_at_order_five() {
        let order = (after_fixed_steps(10) / after_fixed_steps(20)).log2();
        assert!((order - 5.0).abs() < 0.2, "order {order}");
    }

    #[test]
    fn it_converges_to_the_right_limit_within_the_tolerance_and_ends_on_time() {
        let mut pair = DormandPrince::new(1e-10);
        let mut x = DVector::from_vec(vec![1.0, 0.0]);
        let (mut t, mut steps) = (0.0, 0);
        while t < 2.0 {
            t += pair.step(&mut x, 2.0 - t, rotation).unwrap();
            steps += 1;
        }
        assert_eq!(t, 2.0);
        assert!((x - DVector::from_vec(vec![2f64.cos(), 2f64.sin()])).norm() < 1e-8);
        assert!(steps < 200, "{steps} steps");
    }

    #[test]
    fn a_right_hand_side_that_depends_on_time_keeps_the_order() {
        // ẋ = cos t · x, x(0) = 1: x = e^{sin t}.
        let error = |steps: usize| {
            let h = 2.0 / steps as f64;
            let mut x = DVector::from_element(1, 1.0);
            for step in 0..steps {
                let t = step as f64 * h;
                let f = |dt: f64, x: &DVector<f64>| Ok::<_, Infallible>(x * (t + dt).cos());
                let slope = f(0.0, &x).unwrap();
                x = attempt(&x, &slope, h, &f).unwrap().0;
            }
            (x[0] - 2f64.sin().exp()).abs()
        };
        let order = (error(10) / error(20)).log2();
        assert!((order - 5.0).abs() < 0.4, "order {order}");
    }

    #[test]
    fn a_failing_right_hand_side_is_an_error_and_not_an_endless_loop() {
        let mut pair = DormandPrince::new(1e-10);
        let mut x = DVector::from_vec(vec![1.0]);
        assert_eq!(pair.step(&mut x, 1.0, |_, _| Err("no")), Err("no"));
        let beyond = |_: f64, x: &DVector<f64>| {
            if x[0] > 1.0 {
                Err("edge")
            } else {
                Ok(x.clone())
            }
        };
        assert_eq!(pair.step(&mut x, 1.0, beyond), Err("edge"));
    }
}
