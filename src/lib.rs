//! singlim puts limit theorems of noisy training to the test: does gradient descent with injected noise, in slow time
//! and as the step size tends to 0, converge to the process on the zero-loss manifold that the theory predicts?
//!
//! The modules in the order in which data flows:
//!
//! | module | job |
//! |---|---|
//! | [`scenario`] | the TOML file as typed, and the study it resolves to |
//! | [`formula`] | losses written in the scenario: parsed, differentiated, compiled |
//! | [`models`] and [`noise`] | L̂(w, η): losses, and the sockets by which noise enters them; generic over [`scalar`] |
//! | [`descent`] | one side: ensembles of the iterates, with [`random`] numbers in SIMD lanes |
//! | [`mod@derive`] and [`limit`] | the other side: Γ, regime, drift and diffusion by automatic differentiation; the process on Γ, by [`integrators`] |
//! | [`predict`] | what theory says before anything is simulated |
//! | [`simulate`] | runs both sides for a study |
//! | [`statistics`] | equivalence, fits, distances; knows nothing of models |
//! | [`verify`] | the checks, and the verdict |
//! | [`plan`] | before the run: how long to train, how long it takes, how many paths |
//! | [`monitor`] | is told how long phases get on, and asked whether to stop |
//! | [`report`] | the run folder and the terminal table; renders only |
//! | [`warning`] and [`explain`] | everything that is said beside a verdict, by name, and a paragraph on each name |
//!
//! The two sides share the noisy loss and nothing else.

pub mod derive;
pub mod descent;
pub mod explain;
pub mod formula;
pub mod integrators;
pub mod limit;
pub mod models;
pub mod monitor;
pub mod noise;
pub mod plan;
pub mod predict;
pub mod random;
pub mod report;
pub mod scalar;
pub mod scenario;
pub mod simulate;
pub mod statistics;
pub mod verify;
pub mod warning;
