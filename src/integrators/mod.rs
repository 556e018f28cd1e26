//! One-step methods for ordinary and stochastic differential equations, each in its own file; they know no model.

mod dormand_prince;
mod euler_maruyama;
mod exponential;

pub use dormand_prince::DormandPrince;
pub use euler_maruyama::euler_maruyama_step;
pub use exponential::Exponential;
