//! An exponential Runge–Kutta method of order 4 for stiff decay towards a manifold, with step-size control.

use nalgebra::{DMatrix, DVector};

/// Below this |z| the φ-functions are summed as series; from there on the recursion loses less than two digits.
const SERIES: f64 = 1.0;
/// Terms of the series: the first one left out is below 1/20! < 1e-18.
const TERMS: usize = 20;

/// A stage weight Σ_k `full[k−1]` φ_k(hA) + `half[k−1]` φ_k(hA/2), k = 1, 2, 3.
#[derive(Clone, Copy)]
struct Weight {
    full: [f64; 3],
    half: [f64; 3],
}

const fn full(full: [f64; 3]) -> Weight {
    Weight {
        full,
        half: [0.0; 3],
    }
}

const fn half(half: [f64; 3]) -> Weight {
    Weight {
        full: [0.0; 3],
        half,
    }
}

// The tableau of Hochbruck & Ostermann, eq. 5.19, for the differences g(stage) − g(start).
const TO_MIDDLE: Weight = half([0.5, 0.0, 0.0]);
const TO_END: Weight = full([1.0, 0.0, 0.0]);
const A32: Weight = half([0.0, 1.0, 0.0]);
const A42: Weight = full([0.0, 1.0, 0.0]);
const A52: Weight = Weight {
    full: [0.0, 0.25, -1.0],
    half: [0.0, 0.5, -0.5],
};
const A54: Weight = Weight {
    full: [0.0, -0.25, 1.0],
    half: [0.0, -0.25, 0.5],
};
const B4: Weight = full([0.0, -1.0, 4.0]);
const B5: Weight = full([0.0, 4.0, -8.0]);

/// φ₁, φ₂, φ₃ at z ≤ 0: φ_k(z) = Σ_j z^j/(j + k)!, so that φ₀ = e^z and φ_k = (φ_{k−1} − 1/(k−1)!)/z.
fn phi(z: f64) -> [f64; 3] {
    if z.abs() < SERIES {
        // φ₃ by Horner's scheme, the others downwards: φ_{k−1} = z φ_k + 1/(k−1)!.
        let mut sum = 0.0;
        for j in (0..TERMS).rev() {
            sum = 1.0 + z * sum / (j + 4) as f64;
        }
        let third = sum / 6.0;
        let second = z * third + 0.5;
        [z * second + 1.0, second, third]
    } else {
        let first = z.exp_m1() / z;
        let second = (first - 1.0) / z;
        [first, second, (second - 0.5) / z]
    }
}

/// The linear part A = −V Λ Vᵀ, and the φ-functions of hA and hA/2 on the span of V.
struct Propagator<'a> {
    normal: &'a DMatrix<f64>,
    eigenvalues: &'a DVector<f64>,
    h: f64,
    full: Vec<[f64; 3]>,
    half: Vec<[f64; 3]>,
}

impl<'a> Propagator<'a> {
    fn new((normal, eigenvalues): &'a (DMatrix<f64>, DVector<f64>), h: f64) -> Self {
        let at = |h: f64| eigenvalues.iter().map(|l| phi(-h * l)).collect();
        Self {
            normal,
            eigenvalues,
            h,
            full: at(h),
            half: at(0.5 * h),
        }
    }

    /// `to` += h · weight(hA) x.
    fn add(&self, to: &mut DVector<f64>, weight: Weight, x: &DVector<f64>) {
        let dot = |a: &[f64; 3], b: &[f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        // Off the span of V, φ_k(0) = 1/k!.
        let zero = [1.0, 0.5, 1.0 / 6.0];
        let outside = dot(&weight.full, &zero) + dot(&weight.half, &zero);
        let mut inside = self.normal.tr_mul(x);
        for ((y, full), half) in inside.iter_mut().zip(&self.full).zip(&self.half) {
            *y *= dot(&weight.full, full) + dot(&weight.half, half) - outside;
        }
        to.axpy(self.h * outside, x, 1.0);
        to.gemv(self.h, self.normal, &inside, 1.0);
    }

    /// V Λ Vᵀ x.
    fn linear(&self, x: &DVector<f64>) -> DVector<f64> {
        self.normal * self.normal.tr_mul(x).component_mul(self.eigenvalues)
    }

    /// One step of ẋ = f(x) from `point`, with f(point) given.
    fn advance<E>(
        &self,
        point: &DVector<f64>,
        slope: &DVector<f64>,
        f: &impl Fn(&DVector<f64>) -> Result<DVector<f64>, E>,
    ) -> Result<DVector<f64>, E> {
        // With y = x − point: ẏ = A y + g(y), g(0) = f(point).
        let bend = |y: &DVector<f64>| Ok(f(&(point + y))? + self.linear(y) - slope);
        let start = |weight| {
            let mut y = DVector::zeros(point.len());
            self.add(&mut y, weight, slope);
            y
        };
        let (middle, end) = (start(TO_MIDDLE), start(TO_END));
        let second = bend(&middle)?;
        let mut y = middle.clone();
        self.add(&mut y, A32, &second);
        let both = bend(&y)? + second;
        let mut y = end.clone();
        self.add(&mut y, A42, &both);
        let fourth = bend(&y)?;
        let mut y = middle;
        self.add(&mut y, A52, &both);
        self.add(&mut y, A54, &fourth);
        let fifth = bend(&y)?;
        let mut y = end;
        self.add(&mut y, B4, &fourth);
        self.add(&mut y, B5, &fifth);
        Ok(point + y)
    }
}

/// Integrates ẋ = f(x) step by step, each step's local error kept below `tolerance`·(1 + |x|), where part of the
/// linearisation of f is known: A = −V Λ Vᵀ with V (m×r) orthonormal and Λ > 0 diagonal.
///
/// The method integrates ẋ = Ax + const exactly, so that the step size is limited by how fast A, and what A leaves out
/// of f', change along the path, and not by the largest eigenvalue. A step takes two of half the length and one of the
/// full length with the same A; their difference measures the error, and is extrapolated away. It takes A once, f 13
/// times, and O(m r) besides. Where fast and slow directions turn along the path, the number of steps still grows with
/// the condition number κ, about as κ^¼.
///
/// Source: M. Hochbruck & A. Ostermann, *Explicit exponential Runge–Kutta methods for semilinear parabolic problems*,
/// SIAM J. Numer. Anal. 43 (2005), eq. 5.19: five stages, of order 4 also where h|A| is large. The method of S. Krogstad
/// (2005), with four stages, can fall back to order 3 there.
#[derive(Clone, Debug)]
pub struct Exponential {
    tolerance: f64,
    next: Option<f64>,
}

impl Exponential {
    /// A fresh integrator; `tolerance` > 0 is the local error relative to 1 + |x|.
    pub fn new(tolerance: f64) -> Self {
        Self {
            tolerance,
            next: None,
        }
    }

    /// Advances `point` by one accepted step and returns its length. `slope` is f(point), and `frame_at` gives (V, Λ) there;
    /// it is called once. With r = 0 the method is an explicit one.
    ///
    /// # Errors
    /// Those of `frame_at`, and those of `f` if it fails even at ever smaller steps.
    pub fn step<E>(
        &mut self,
        point: &mut DVector<f64>,
        slope: &DVector<f64>,
        frame_at: impl FnOnce(&DVector<f64>) -> Result<(DMatrix<f64>, DVector<f64>), E>,
        f: impl Fn(&DVector<f64>) -> Result<DVector<f64>, E>,
    ) -> Result<f64, E> {
        let frame = frame_at(point)?;
        let scale = 1.0 + point.norm();
        let mut h = self.next.unwrap_or(0.01 * scale / slope.norm().max(1e-300));
        loop {
            // A step that hardly moves is the last one to be tried, so that no caller can be kept waiting for ever.
            let last_try = h * slope.norm() < 1e-12 * scale;
            let error = match attempt(point, slope, &frame, h, &f) {
                Ok((candidate, error)) => {
                    let error = error / (self.tolerance * scale);
                    if error <= 1.0 || last_try {
                        self.next = Some(h * growth(error));
                        *point = candidate;
                        return Ok(h);
                    }
                    error
                }
                Err(failure) if last_try => return Err(failure),
                Err(_) => f64::INFINITY,
            };
            h *= growth(error);
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

/// A step of length h in two halves, extrapolated with the step in one go, and the error of the halves.
fn attempt<E>(
    point: &DVector<f64>,
    slope: &DVector<f64>,
    frame: &(DMatrix<f64>, DVector<f64>),
    h: f64,
    f: &impl Fn(&DVector<f64>) -> Result<DVector<f64>, E>,
) -> Result<(DVector<f64>, f64), E> {
    let whole = Propagator::new(frame, h).advance(point, slope, f)?;
    let halves = Propagator::new(frame, 0.5 * h);
    let middle = halves.advance(point, slope, f)?;
    let end = halves.advance(&middle, &f(&middle)?, f)?;
    let difference = (&end - whole) / 15.0;
    let error = difference.norm();
    Ok((end + difference, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn the_phi_functions_agree_with_their_series_and_recursion_on_both_sides_of_the_switch() {
        for z in [0.0, -1e-9, -0.3, -0.999, -1.001, -1.5, -4.0] {
            let series = |k: i32| {
                let (mut term, mut sum) = (1.0 / (1..=k).product::<i32>() as f64, 0.0);
                for j in 1..60 {
                    sum += term;
                    term *= z / f64::from(j + k);
                }
                sum
            };
            for (k, value) in (1..).zip(phi(z)) {
                assert!((value / series(k) - 1.0).abs() < 2e-14, "φ_{k}({z})");
            }
        }
        let far = phi(-1e8);
        assert!((far[0] * 1e8 - 1.0).abs() < 1e-15 && (far[1] * 1e8 - 1.0).abs() < 1e-7);
        assert_eq!(phi(f64::NEG_INFINITY)[0], 0.0);
    }

    /// ẋ = −λx + 3 cos θ + 0.3 x², θ̇ = 2 + sin θ + x, turned by 45°.
    fn chase(rate: f64, w: &DVector<f64>) -> DVector<f64> {
        let (x, angle) = (w[0] - w[1], w[0] + w[1]);
        let dx = 3.0 * angle.cos() - rate * x + 0.3 * x * x;
        let da = 2.0 + angle.sin() + x;
        DVector::from_vec(vec![0.5 * (da + dx), 0.5 * (da - dx)])
    }

    /// θ = 0.4, and x where it is slaved to θ: a fixed step can't resolve how it gets there.
    fn start(rate: f64) -> DVector<f64> {
        let (sine, cosine) = 0.4f64.sin_cos();
        let x = 3.0 * (cosine + sine * (2.0 + sine) / rate) / rate;
        DVector::from_vec(vec![0.5 * (0.4 + x), 0.5 * (0.4 - x)])
    }

    fn frame(rate: f64) -> (DMatrix<f64>, DVector<f64>) {
        let s = 0.5f64.sqrt();
        (
            DMatrix::from_column_slice(2, 1, &[s, -s]),
            DVector::from_element(1, rate),
        )
    }

    fn after_fixed_steps(rate: f64, steps: usize) -> DVector<f64> {
        let h = 1.0 / steps as f64;
        let f = |x: &DVector<f64>| Ok::<_, Infallible>(chase(rate, x));
        let frame = frame(rate);
        let mut x = start(rate);
        for _ in 0..steps {
            let slope = chase(rate, &x);
            x = Propagator::new(&frame, h).advance(&x, &slope, &f).unwrap();
        }
        x
    }

    /// With h|A| from 0.3 to 2000; the limit is that of the Dormand–Prince pair.
    #[test]
    fn it_converges_at_order_four_to_the_right_limit_at_any_stiffness() {
        for rate in [10.0, 1e3, 3e4] {
            let f = |_: f64, x: &DVector<f64>| Ok::<_, Infallible>(chase(rate, x));
            let mut pair = crate::integrators::DormandPrince::new(1e-13);
            let (mut exact, mut t) = (start(rate), 0.0);
            while t < 1.0 {
                t += pair.step(&mut exact, 1.0 - t, f).unwrap();
            }
            let error = |steps| (after_fixed_steps(rate, steps) - &exact).norm();
            let (coarse, fine) = (error(16), error(32));
            let order = (coarse / fine).log2();
            assert!(order > 3.6 && order < 5.5, "rate {rate}: order {order}");
            assert!(fine < 1e-5, "rate {rate}: {fine:.1e}");
        }
    }

    #[test]
    fn the_linear_part_is_integrated_exactly_whatever_the_step() {
        let rate = 1e7;
        let f = |x: &DVector<f64>| {
            Ok::<_, Infallible>(DVector::from_vec(vec![-rate * (x[0] - 2.0), 3.0]))
        };
        let frame = (
            DMatrix::from_column_slice(2, 1, &[1.0, 0.0]),
            DVector::from_element(1, rate),
        );
        let x = DVector::from_vec(vec![5.0, 0.0]);
        let y = Propagator::new(&frame, 1e-7)
            .advance(&x, &f(&x).unwrap(), &f)
            .unwrap();
        assert!((y[0] - 2.0 - 3.0 * (-1f64).exp()).abs() < 1e-14 && (y[1] - 3e-7).abs() < 1e-20);
        let y = Propagator::new(&frame, 10.0)
            .advance(&x, &f(&x).unwrap(), &f)
            .unwrap();
        assert!((y[0] - 2.0).abs() < 1e-12 && (y[1] - 30.0).abs() < 1e-12);
    }

    #[test]
    fn without_a_linear_part_it_is_an_explicit_method_within_the_tolerance() {
        let mut flow = Exponential::new(1e-10);
        let mut x = DVector::from_vec(vec![1.0, 0.0]);
        let turn = |x: &DVector<f64>| Ok::<_, Infallible>(DVector::from_vec(vec![-x[1], x[0]]));
        let (mut t, mut steps) = (0.0, 0);
        while t < 2.0 {
            let slope = turn(&x).unwrap();
            let none = |_: &DVector<f64>| Ok((DMatrix::zeros(2, 0), DVector::zeros(0)));
            t += flow.step(&mut x, &slope, none, turn).unwrap();
            steps += 1;
        }
        assert!((x - DVector::from_vec(vec![t.cos(), t.sin()])).norm() < 1e-8);
        assert!(steps < 100, "{steps} steps");
    }

    #[test]
    fn a_failing_right_hand_side_is_an_error_and_not_an_endless_loop() {
        let mut flow = Exponential::new(1e-10);
        let mut x = DVector::from_vec(vec![1.0]);
        let slope = x.clone();
        let none = |_: &DVector<f64>| Ok((DMatrix::zeros(1, 0), DVector::zeros(0)));
        assert_eq!(flow.step(&mut x, &slope, none, |_| Err("no")), Err("no"));
        let lost = |_: &DVector<f64>| Err("no frame");
        assert_eq!(
            flow.step(&mut x, &slope, lost, |x| Ok(x.clone())),
            Err("no frame")
        );
    }
}
