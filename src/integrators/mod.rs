//! One-step methods for ordinary and stochastic differential equations, each in its own file; they know no model.

mod dormand_prince;
mod ensemble;
mod euler_maruyama;
mod exponential;

pub use dormand_prince::DormandPrince;
pub use ensemble::{ItoEquation, ItoPlan, run_ito_ensemble};
pub use euler_maruyama::euler_maruyama_step;
pub use exponential::Exponential;
