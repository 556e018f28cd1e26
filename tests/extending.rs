//! Extends the library from outside by a model, a noise, an observable and an integrator: the worked examples of the book
//! (`docs/src/extending`), compiled and tested.
//!
//! The statistical claim is an equivalence test at level 1e-4, of streams that are fixed by their seed.

use nalgebra::DVector;
use singlim::derive::{
    Frame, GeometryError, Masks, Regime, project, rank_on_manifold, regime_near,
};
use singlim::descent::{DescentPlan, StepSizes, run_descent_of};
use singlim::limit::{Faults, LimitProcess, run_flow};
use singlim::models::{Injection, Model, ModelCard, SocketSizes, TwoProducts};
use singlim::noise::{Mechanism, NoisyLoss, Source};
use singlim::random::Law;
use singlim::scalar::Scalar;
use singlim::scenario::Observable;
use singlim::statistics::{Outcome, equivalence, summarize};

// ANCHOR: model
/// L̂ = ½ (y (1+η_h) − x² − η_y)²; Γ = {y = x²}. Parameters x, y.
#[derive(Clone, Copy, Debug)]
struct Parabola;

impl Parabola {
    const CARD: &ModelCard = &ModelCard {
        name: "parabola",
        takes_data: false,
        formula: "L = ½(y − x²)², Γ = {y = x²}",
        options: &[],
        observables: &[("curvature", "curvature of Γ, 2/(1 + 4x²)^{3/2}")],
    };

    fn residual<S: Scalar>(w: &[S], noise: &Injection<S>) -> S {
        noise.residual(0, noise.unit(0, w[1]) - w[0].square())
    }
}

impl Model for Parabola {
    type Vector<S: Scalar> = [S; 2];

    fn zeros<S: Scalar>(&self) -> [S; 2] {
        [S::zero(); 2]
    }

    fn parameter_names(&self) -> Vec<String> {
        vec!["x".into(), "y".into()]
    }

    /// One label, one unit, and no sample weights.
    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            labels: 1,
            units: 1,
            ..SocketSizes::default()
        }
    }

    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        S::constant(0.5) * Self::residual(w, noise).square()
    }

    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, _: &mut [S], gradient: &mut [S]) {
        let residual = Self::residual(w, noise);
        gradient[0] = S::constant(-2.0) * w[0] * residual;
        gradient[1] = noise.unit(0, residual);
    }

    fn card(&self) -> &'static ModelCard {
        Self::CARD
    }

    fn observe(&self, _index: usize, w: &[f64]) -> f64 {
        2.0 / (1.0 + 4.0 * w[0] * w[0]).powf(1.5)
    }
}
// ANCHOR_END: model

/// A noisy loss, with what is derived at a point of Γ.
struct Derived<M> {
    noisy: NoisyLoss<M>,
    start: DVector<f64>,
    rank: usize,
    regime: Regime,
}

// ANCHOR: derive
/// Everything that the program derives comes from the model's loss and gradient.
fn derive<M: Model>(model: M, mechanism: Mechanism, start: &[f64]) -> Derived<M> {
    let source = Source::new(mechanism, Law::Gaussian);
    let noisy = NoisyLoss::new(model, vec![source]).unwrap();
    let start = DVector::from_column_slice(start);
    let rank = rank_on_manifold(&noisy, &start).unwrap();
    let evidence = regime_near(&noisy, &start, rank, Masks::NonLocal).unwrap();
    Derived {
        noisy,
        start,
        rank,
        regime: evidence.regime,
    }
}

impl<M: Model> Derived<M> {
    fn limit(&self) -> LimitProcess<'_, M> {
        LimitProcess {
            noisy: &self.noisy,
            regime: self.regime,
            rank: self.rank,
            faults: Faults::default(),
        }
    }

    /// W at each of the slow times, where the limit is deterministic.
    fn flow(&self, times: &[f64]) -> Vec<DVector<f64>> {
        let (tolerance, plain_limit) = (1e-10, |_| 0.0);
        let points = run_flow(
            &self.limit(),
            &self.start,
            times,
            tolerance,
            plain_limit,
            |_| true,
        );
        points.unwrap().into_iter().map(|point| point.w).collect()
    }

    /// b(W), the tangential drift of the limit in slow time.
    fn drift(&self) -> DVector<f64> {
        let frame = Frame::at(&self.noisy, &self.start, self.rank).unwrap();
        let plain_limit = 0.0;
        self.limit()
            .coefficients(&self.start, &frame, plain_limit)
            .drift
    }
}
// ANCHOR_END: derive

/// The solution of ẋ = −rate·x/(1 + 4x²): ln x + 2x² falls at `rate`.
fn exact_x(start: f64, rate: f64, time: f64) -> f64 {
    let target = start.ln() + 2.0 * start * start - rate * time;
    let (mut low, mut high) = (0.0, start);
    for _ in 0..200 {
        let x: f64 = 0.5 * (low + high);
        if x.ln() + 2.0 * x * x > target {
            high = x;
        } else {
            low = x;
        }
    }
    low
}

// ANCHOR: model-test
#[test]
fn the_gradient_of_the_model_is_that_of_its_loss() {
    let (w, labels, units, h) = ([0.7, -0.4], [0.3], [0.2], 1e-6);
    let noise = Injection {
        labels: &labels,
        units: &units,
        ..Injection::NONE
    };
    let mut gradient = [0.0; 2];
    Parabola.gradient(&w, &noise, &mut [], &mut gradient);
    for i in 0..2 {
        let at = |dx: f64| {
            let mut moved = w;
            moved[i] += dx;
            Parabola.loss(&moved, &noise)
        };
        let difference = (at(h) - at(-h)) / (2.0 * h);
        assert!((gradient[i] - difference).abs() < 1e-8);
    }
}

/// Label noise: dW = −¼ P∇ tr H dt on the slow clock; anti-PGD: dW = −½ P∇ tr H dt on the fast one; tr H = 1 + 4x².
#[test]
fn the_limit_of_the_new_model_is_derived_and_follows_the_closed_form() {
    for (mechanism, regime, rate) in [
        (Mechanism::Label, Regime::Degenerate, 2.0),
        (Mechanism::AntiPgd, Regime::NonDegenerate, 4.0),
    ] {
        let derived = derive(Parabola, mechanism, &[1.0, 1.0]);
        assert_eq!(derived.regime, regime);
        let times = [0.1, 0.3, 1.0];
        for (w, time) in derived.flow(&times).iter().zip(times) {
            let exact = exact_x(1.0, rate, time);
            assert!((w[0] - exact).abs() < 1e-7, "{mechanism}");
            assert!((w[1] - exact * exact).abs() < 1e-7, "{mechanism}");
        }
    }
}
// ANCHOR_END: model-test

// ANCHOR: noise
/// Noise on the input of a network: all hidden units of a sample see the same factor 1 + η.
///
/// A noise that is not among the built-in ones is a rewiring of a model's sockets. Here one coordinate, plugged in where
/// Dropout would be, feeds all hidden units.
#[derive(Clone, Copy, Debug)]
struct InputNoise(TwoProducts);

impl InputNoise {
    /// Calls `then` with the noise as the inner model takes it.
    fn rewired<S: Scalar, T>(noise: &Injection<S>, then: impl FnOnce(&Injection<S>) -> T) -> T {
        match noise.units {
            [eta] => then(&Injection {
                units: &[*eta, *eta],
                ..*noise
            }),
            _ => then(noise),
        }
    }
}

impl Model for InputNoise {
    type Vector<S: Scalar> = <TwoProducts as Model>::Vector<S>;

    fn zeros<S: Scalar>(&self) -> Self::Vector<S> {
        self.0.zeros()
    }

    fn parameter_names(&self) -> Vec<String> {
        self.0.parameter_names()
    }

    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            units: 1,
            ..self.0.sockets()
        }
    }

    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        Self::rewired(noise, |noise| self.0.loss(w, noise))
    }

    fn gradient<S: Scalar>(
        &self,
        w: &[S],
        noise: &Injection<S>,
        scratch: &mut [S],
        gradient: &mut [S],
    ) {
        Self::rewired(noise, |noise| self.0.gradient(w, noise, scratch, gradient));
    }

    fn card(&self) -> &'static ModelCard {
        self.0.card()
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        self.0.observe(index, w)
    }
}
// ANCHOR_END: noise

// ANCHOR: noise-test
/// f scales with its input, so that ½ ∂²_η L̂ = ½f² is constant on Γ and G is that of label noise: what is fast for
/// Dropout on the units is slow for noise on the input.
#[test]
fn noise_on_the_input_is_degenerate_and_drifts_as_label_noise_does() {
    let start = [0.5, 0.4, 1.0, 0.8];
    let dropout = derive(TwoProducts, Mechanism::Dropout, &start);
    let label = derive(TwoProducts, Mechanism::Label, &start);
    let input = derive(InputNoise(TwoProducts), Mechanism::Dropout, &start);
    assert_eq!(dropout.regime, Regime::NonDegenerate);
    assert_eq!(input.regime, Regime::Degenerate);
    assert!((input.drift() - label.drift()).norm() < 1e-12);
    assert!(input.drift().norm() > 0.1);
}
// ANCHOR_END: noise-test

// ANCHOR: observable
/// Mean and standard error of an observable over the iterates of label noise, α and σ being those of the run, at slow
/// time kα²σ² = `time`.
fn mean_over_iterates<M: Model>(
    derived: &Derived<M>,
    observe: impl Fn(&[f64]) -> f64 + Sync,
    (step_size, sigma, time): (f64, f64, f64),
) -> (f64, f64) {
    let steps = (time / (step_size * sigma).powi(2)).round() as u64;
    let plan = DescentPlan {
        start: derived.start.as_slice(),
        step_sizes: StepSizes::Constant(step_size),
        sigma,
        paths: 4096,
        first_path: 0,
        record_at: &[steps],
        values_per_record: 1,
        seed: 1,
        level: 0,
        shared_streams: false,
    };
    let run = run_descent_of(
        derived.noisy.model(),
        derived.noisy.sources(),
        &plan,
        &|_, w, out| out[0] = observe(w),
        &|_| true,
    );
    assert!(run.diverged.is_empty());
    let summary = summarize(&run.values).unwrap();
    (summary.mean, summary.std_error.unwrap())
}

#[test]
fn an_observable_takes_the_same_value_along_iterates_and_limit() {
    let derived = derive(Parabola, Mechanism::Label, &[1.0, 1.0]);
    let curvature = Observable::find("curvature", &Parabola).unwrap();
    let observe = |w: &[f64]| curvature.value(&derived.noisy, w, derived.rank, Masks::NonLocal);
    let (sigma, time) = (0.5, 0.6);
    let limit = observe(derived.flow(&[time])[0].as_slice());
    let displacement = limit - observe(derived.start.as_slice());

    // The error is c·α + O(α²): two step sizes extrapolate it to α → 0.
    let (coarse, coarse_error) = mean_over_iterates(&derived, observe, (0.05, sigma, time));
    let (fine, fine_error) = mean_over_iterates(&derived, observe, (0.025, sigma, time));
    let mean = 2.0 * fine - coarse;
    let std_error = (4.0 * fine_error.powi(2) + coarse_error.powi(2)).sqrt();
    let margin = 0.1 * displacement.abs();
    let agree = equivalence(mean, std_error, None, limit, margin, 1e-4).unwrap();
    assert_eq!(
        agree.outcome,
        Outcome::Pass,
        "{mean} ± {std_error}: {limit}"
    );

    // The same test rejects a limit that drifts twice as far.
    let wrong = limit + displacement;
    let differ = equivalence(mean, std_error, None, wrong, margin, 1e-4).unwrap();
    assert_eq!(differ.outcome, Outcome::Rejected);
}
// ANCHOR_END: observable

// ANCHOR: integrator
/// One step of Heun's method, of order 2, for ẋ = f(x).
fn heun_step<E>(
    x: &DVector<f64>,
    h: f64,
    f: impl Fn(&DVector<f64>) -> Result<DVector<f64>, E>,
) -> Result<DVector<f64>, E> {
    let first = f(x)?;
    let second = f(&(x + &first * h))?;
    Ok(x + (first + second) * (0.5 * h))
}

/// A deterministic limit by Heun steps, each followed by the projection on Γ.
fn heun_flow<M: Model>(
    process: &LimitProcess<M>,
    start: &DVector<f64>,
    horizon: f64,
    steps: u32,
) -> Result<DVector<f64>, GeometryError> {
    let (mut w, _) = project(process.noisy, start, process.rank)?;
    let h = horizon / f64::from(steps);
    for _ in 0..steps {
        let moved = heun_step(&w, h, |x| process.drift(x, 0.0))?;
        (w, _) = process.land(&moved)?;
    }
    Ok(w)
}
// ANCHOR_END: integrator

// ANCHOR: integrator-test
/// "Converges at its order" and "to the right limit" are two claims; a first-order method fails the first.
#[test]
fn the_new_integrator_converges_at_order_two_to_the_right_limit() {
    let derived = derive(Parabola, Mechanism::Label, &[1.0, 1.0]);
    let exact = exact_x(1.0, 2.0, 0.5);
    let error = |steps| {
        let w = heun_flow(&derived.limit(), &derived.start, 0.5, steps).unwrap();
        (w[0] - exact).abs()
    };
    let (coarse, fine) = (error(16), error(32));
    let order = (coarse / fine).log2();
    assert!((order - 2.0).abs() < 0.3, "order {order}");
    assert!(fine < 1e-4, "{fine:.1e}");
}
// ANCHOR_END: integrator-test
