//! Sums over all pairs of a Gaussian kernel on the line, in linear time.
//!
//! The line is cut into cells of half a bandwidth h. Within two cells exp(−(x − y)²/(2h²)) is a polynomial of degree 11 in
//! x and in y, interpolated at Chebyshev's nodes, up to 3·10⁻¹⁵; cells more than 8.5 h apart, where it is below 3·10⁻¹⁶,
//! are left out. So the sum over all pairs needs the 12 moments of each cell alone (the fast Gauss transform of Greengard
//! & Strain 1991, with interpolation in place of Hermite series).

use std::f64::consts::PI;

/// Nodes of a cell. The error of interpolation, (h/4)¹²/(2¹¹·12!)·max|d¹²k/dx¹²| = 6·10⁻¹⁶, is at most three times that
/// after the second.
const NODES: usize = 12;
/// Cells at this distance still interact.
const REACH: usize = 17;

/// Points prepared for sums over their pairs.
pub(super) struct GaussTransform {
    /// The cells in increasing order: their numbers and where their points begin.
    cells: Vec<(f64, usize)>,
    /// The weight of each node in each point's value.
    bases: Vec<[f64; NODES]>,
    /// The kernel between the nodes of cells 0, 1, … `REACH` apart.
    kernels: Vec<[[f64; NODES]; NODES]>,
}

impl GaussTransform {
    /// Of values in increasing order, not empty; `bandwidth` is positive.
    pub fn new(sorted: &[f64], bandwidth: f64) -> Self {
        let width = 0.5 * bandwidth;
        let nodes: [f64; NODES] = std::array::from_fn(|a| {
            let angle = PI * (a as f64 + 0.5) / NODES as f64;
            0.5 - 0.5 * libm::cos(angle)
        });
        // Cells are counted from the median: an outlier costs the others no digits.
        let origin = sorted[sorted.len() / 2];
        let mut cells: Vec<(f64, usize)> = Vec::new();
        let mut bases = Vec::with_capacity(sorted.len());
        for (point, x) in sorted.iter().enumerate() {
            let place = ((x - origin) / width).clamp(-1e300, 1e300);
            let number = place.floor();
            if cells.last().is_none_or(|cell| cell.0 != number) {
                cells.push((number, point));
            }
            bases.push(lagrange(&nodes, place - number));
        }
        let kernel = |apart: usize| {
            nodes.map(|s| nodes.map(|t| libm::exp(-0.125 * (apart as f64 + t - s).powi(2))))
        };
        Self {
            cells,
            bases,
            kernels: (0..=REACH).map(kernel).collect(),
        }
    }

    /// Σᵢⱼ wᵢ wⱼ exp(−(xᵢ − xⱼ)²/(2h²)) with wᵢ = `steps[i]`/`unit`, up to 10⁻¹³·(Σ|wᵢ|)².
    pub fn quadratic_form(&self, steps: &[i64], unit: f64) -> f64 {
        let moments: Vec<[f64; NODES]> = (0..self.cells.len())
            .map(|cell| {
                let end = self.cells.get(cell + 1).map_or(steps.len(), |next| next.1);
                let range = self.cells[cell].1..end;
                let mut moments = [0.0; NODES];
                for (basis, &step) in self.bases[range.clone()].iter().zip(&steps[range]) {
                    let weight = step as f64;
                    for (moment, b) in moments.iter_mut().zip(basis) {
                        *moment += weight * b;
                    }
                }
                moments.map(|moment| moment / unit)
            })
            .collect();
        let mut sum = 0.0;
        for (cell, here) in moments.iter().enumerate() {
            for (other, there) in moments.iter().enumerate().skip(cell) {
                let apart = self.cells[other].0 - self.cells[cell].0;
                if apart > REACH as f64 {
                    break;
                }
                let twice = if other == cell { 1.0 } else { 2.0 };
                sum += twice * bilinear(&self.kernels[apart as usize], here, there);
            }
        }
        sum
    }
}

fn bilinear(kernel: &[[f64; NODES]; NODES], x: &[f64; NODES], y: &[f64; NODES]) -> f64 {
    let row = |row: &[f64; NODES]| row.iter().zip(y).map(|(k, y)| k * y).sum::<f64>();
    kernel.iter().zip(x).map(|(k, x)| x * row(k)).sum()
}

/// The values at t of the polynomials that are 1 at one node and 0 at the others, by the barycentric formula with
/// Chebyshev's weights (Berrut & Trefethen 2004).
fn lagrange(nodes: &[f64; NODES], t: f64) -> [f64; NODES] {
    if let Some(node) = nodes.iter().position(|&node| node == t) {
        return std::array::from_fn(|a| f64::from(u8::from(a == node)));
    }
    let shares: [f64; NODES] = std::array::from_fn(|a| {
        let angle = PI * (a as f64 + 0.5) / NODES as f64;
        let sign = if a % 2 == 0 { 1.0 } else { -1.0 };
        sign * libm::sin(angle) / (t - nodes[a])
    });
    let sum: f64 = shares.iter().sum();
    shares.map(|share| share / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::summary::sorted;
    use crate::statistics::testing::normal;

    fn direct(x: &[f64], steps: &[i64], unit: f64, h: f64) -> f64 {
        let row = |i: usize| -> f64 {
            let term =
                |j: usize| steps[j] as f64 / unit * (-0.5 * ((x[i] - x[j]) / h).powi(2)).exp();
            (0..x.len()).map(term).sum()
        };
        (0..x.len()).map(|i| steps[i] as f64 / unit * row(i)).sum()
    }

    /// Weights ±1/n, and all of one sign, so that each kernel mean is good to 10⁻¹².
    #[test]
    fn sums_agree_with_the_direct_ones_to_one_part_in_10_to_the_12() {
        let mut rng = stream(31, 0);
        let n = 400;
        let z = normal(&mut rng, n, 0.0, 1.0);
        let cauchy: Vec<f64> = z.iter().zip(z.iter().rev()).map(|(a, b)| a / b).collect();
        let shifted: Vec<f64> = z.iter().map(|z| z + 1e6).collect();
        for values in [&z, &cauchy, &shifted] {
            let x = sorted(values);
            for h in [0.01, 0.7, 1.0, 30.0] {
                let transform = GaussTransform::new(&x, h);
                for sign in [1, -1] {
                    let steps: Vec<i64> =
                        (0..n).map(|i| if i % 3 == 0 { sign } else { 1 }).collect();
                    let fast = transform.quadratic_form(&steps, n as f64);
                    let slow = direct(&x, &steps, n as f64, h);
                    assert!((fast - slow).abs() < 1e-12, "h = {h}: {fast} and {slow}");
                }
            }
        }
    }

    #[test]
    fn outliers_ties_and_single_points_are_no_trouble() {
        let x = [-1e20, -1.0, 0.0, 0.0, 0.5, 1e3, 1e20];
        let steps = [3, -4, 3, 3, -4, 3, -4];
        let fast = GaussTransform::new(&x, 1.0).quadratic_form(&steps, 12.0);
        assert!((fast - direct(&x, &steps, 12.0, 1.0)).abs() < 1e-12);
        assert!((GaussTransform::new(&[2.0], 1e-3).quadratic_form(&[1], 1.0) - 1.0).abs() < 1e-14);
        let far = GaussTransform::new(&[-1e300, 1e300], 1e-300).quadratic_form(&[1, -1], 1.0);
        assert!((far - 2.0).abs() < 1e-14);
    }
}
