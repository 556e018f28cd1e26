//! The limit process on Γ: derived from the noisy loss, then integrated in slow time.
//!
//! `process` holds the equation, `flow` integrates it where it is deterministic, `ensemble` where it is not (with few
//! parameters in `lanes`), `driven` along a Brownian path from outside.

mod driven;
mod ensemble;
mod flow;
mod lanes;
mod process;

pub use driven::DrivenPath;
pub use ensemble::{EnsemblePlan, run_ensemble, run_ensemble_of};
pub use flow::{FlowPoint, run_flow};
pub use process::{Coefficients, Faults, LimitProcess};
