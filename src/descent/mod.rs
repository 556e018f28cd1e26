//! The iterates themselves: ensembles of w_{k+1} = w_k − α_k ∇L̂(w_k, η_k), eight paths at a time.
//!
//! Shares the noisy loss with the limit and nothing else: own random numbers, own loop, no derivative beyond ∇L̂.

mod blocks;
mod coupled;
mod ensemble;
mod kernel;
mod rows;
mod side_by_side;

pub use coupled::{Coupled, CoupledPlan, coupled_rungs};
pub use ensemble::{
    DescentPlan, DescentRun, Divergence, Observe, Progress, StepSizes, run_descent, run_descent_of,
};
