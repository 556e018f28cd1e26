//! The Euler–Maruyama step of an Itô equation, before any projection.

use nalgebra::DVector;

/// X + b Δt + √Δt B ξ for dX = b dt + B dW (Itô): `drift` b (m), `shock` B ξ (m) with ξ ~ N(0, I).
pub fn euler_maruyama_step(
    x: &DVector<f64>,
    drift: &DVector<f64>,
    shock: &DVector<f64>,
    time_step: f64,
) -> DVector<f64> {
    x + drift * time_step + shock * time_step.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    /// The exact mean and variance of the scheme for dX = −X dt + dB after n steps of h: weak order 1.
    #[test]
    fn for_an_ornstein_uhlenbeck_process_the_law_is_that_of_the_scheme_and_tends_to_the_exact_one()
    {
        let (h, n, paths) = (0.1, 10, 200_000);
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..paths {
            let mut x = DVector::from_element(1, 1.0);
            for _ in 0..n {
                let xi = DVector::from_element(1, StandardNormal.sample(&mut random));
                x = euler_maruyama_step(&x, &-&x, &xi, h);
            }
            sum += x[0];
            squares += x[0] * x[0];
        }
        let mean = sum / paths as f64;
        let variance = squares / paths as f64 - mean * mean;
        let decay: f64 = (1.0f64 - h).powi(2);
        let scheme = (
            (1.0f64 - h).powi(n),
            h * (1.0 - decay.powi(n)) / (1.0 - decay),
        );
        // 5.3 standard errors: false alarm below 2e-7 for both together.
        let se = (scheme.1 / paths as f64).sqrt();
        assert!((mean - scheme.0).abs() < 5.3 * se);
        assert!((variance - scheme.1).abs() < 5.3 * scheme.1 * (2.0 / paths as f64).sqrt());
        // Power: the law of the Itô process itself is told apart from the scheme's at this step.
        let exact_variance = 0.5 * (1.0 - (-2.0f64).exp());
        assert!(
            (variance - exact_variance).abs() > 5.3 * exact_variance * (2.0 / paths as f64).sqrt()
        );
    }
}
