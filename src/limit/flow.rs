//! A deterministic limit: the ordinary differential equation on Γ, by Dormand–Prince steps, each followed by projection.

use nalgebra::DVector;

use super::LimitProcess;
use crate::derive::{Frame, GeometryError, project};
use crate::integrators::DormandPrince;
use crate::models::Model;

/// The limit at one slow time.
#[derive(Clone, Debug)]
pub struct FlowPoint {
    /// Slow time.
    pub time: f64,
    /// W(t) ∈ Γ.
    pub w: DVector<f64>,
    /// Normal directions and eigenvalues of H there.
    pub frame: Frame,
}

/// Integrates the limit from `start` ∈ Γ and returns it at each of `times` (increasing, ≥ 0) .
///
/// `step_size_at` gives the α of the finite-step-size correction at a slow time; 0 everywhere for the plain limit.
/// `tolerance` bounds the local error relative to 1 + |W|. `goes_on` is told the slow time reached before each step, and
/// says whether to take it.
///
/// # Errors
/// The projection fails, the rank of H changes, or something is not finite; the message says where. Or it was to stop.
pub fn run_flow<M: Model>(
    process: &LimitProcess<M>,
    start: &DVector<f64>,
    times: &[f64],
    tolerance: f64,
    step_size_at: impl Fn(f64) -> f64,
    goes_on: impl Fn(f64) -> bool,
) -> Result<Vec<FlowPoint>, GeometryError> {
    let mut pair = DormandPrince::new(tolerance);
    let (mut w, mut frame) = project(process.noisy, start, process.rank)?;
    let mut now = 0.0;
    let mut points = Vec::with_capacity(times.len());
    for &time in times {
        while now < time {
            if !goes_on(now) {
                return Err(GeometryError::Cancelled);
            }
            let longest = time - now;
            let drift = |dt: f64, x: &DVector<f64>| process.drift(x, step_size_at(now + dt));
            let at = |error: GeometryError| error.at_time(now);
            let h = pair.step(&mut w, longest, drift).map_err(at)?;
            (w, frame) = process.land(&w).map_err(at)?;
            now = if h == longest { time } else { now + h };
        }
        points.push(FlowPoint {
            time,
            w: w.clone(),
            frame: frame.clone(),
        });
    }
    Ok(points)
}
