//! Level sets of a function on a rectangular grid, by marching squares.

/// Values at the crossings of a grid.
pub struct Grid {
    xs: Vec<f64>,
    ys: Vec<f64>,
    /// Row by row in increasing y.
    values: Vec<f64>,
}

impl Grid {
    /// From points (x, y, value) in rows of increasing y; none if they are no full grid.
    pub fn of(points: impl Iterator<Item = [f64; 3]>) -> Option<Self> {
        let points: Vec<[f64; 3]> = points.collect();
        let first = points.first()?[1];
        let width = points.iter().take_while(|point| point[1] == first).count();
        if width < 2 || points.len() < 2 * width || !points.len().is_multiple_of(width) {
            return None;
        }
        Some(Self {
            xs: points[..width].iter().map(|point| point[0]).collect(),
            ys: points.iter().step_by(width).map(|point| point[1]).collect(),
            values: points.iter().map(|point| point[2]).collect(),
        })
    }

    /// The largest value.
    pub fn largest(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }

    /// The ends in x.
    pub fn x_range(&self) -> Option<(f64, f64)> {
        Some((*self.xs.first()?, *self.xs.last()?))
    }

    /// The ends in y.
    pub fn y_range(&self) -> Option<(f64, f64)> {
        Some((*self.ys.first()?, *self.ys.last()?))
    }

    fn corner(&self, i: usize, j: usize) -> [f64; 3] {
        [self.xs[i], self.ys[j], self.values[j * self.xs.len() + i]]
    }
}

/// The pieces of a level set, one for each cell and side that it crosses, with gaps between them.
pub fn contour(grid: &Grid, level: f64) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    for j in 0..grid.ys.len() - 1 {
        for i in 0..grid.xs.len() - 1 {
            let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
            let corners = corners.map(|(i, j)| grid.corner(i, j));
            let crossings: Vec<(f64, f64)> = (0..4)
                .filter_map(|side| crossing(corners[side], corners[(side + 1) % 4], level))
                .collect();
            for pair in crossings.chunks_exact(2) {
                line.extend([pair[0], pair[1], (f64::NAN, f64::NAN)]);
            }
        }
    }
    line
}

/// Where the level is crossed between two corners.
fn crossing(a: [f64; 3], b: [f64; 3], level: f64) -> Option<(f64, f64)> {
    if (a[2] < level) == (b[2] < level) {
        return None;
    }
    let share = (level - a[2]) / (b[2] - a[2]);
    let between = |i: usize| a[i] + share * (b[i] - a[i]);
    Some((between(0), between(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_sets_of_a_circle_are_circles() {
        let at = |i: i32| f64::from(i) * 0.05 - 1.5;
        let points = (0..=60)
            .flat_map(|j| (0..=60).map(move |i| (at(i), at(j))))
            .map(|(x, y)| [x, y, x * x + y * y]);
        let grid = Grid::of(points).unwrap();
        let line = contour(&grid, 1.0);
        assert!(line.len() > 100);
        for (x, y) in line.into_iter().filter(|point| point.0.is_finite()) {
            assert!((x.hypot(y) - 1.0).abs() < 2e-3, "{x} {y}");
        }
        assert!(contour(&grid, 10.0).is_empty());
    }

    #[test]
    fn what_is_no_full_grid_is_none() {
        assert!(
            Grid::of([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]].into_iter()).is_none()
        );
        assert!(Grid::of(std::iter::empty()).is_none());
    }
}
