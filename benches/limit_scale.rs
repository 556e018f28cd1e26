//! What one evaluation of the label-noise limit costs as the parameters m and the samples N grow: `cargo bench`.
//!
//! `project` and `retract` are two ways to end a step of a stochastic limit on Γ: by Newton's method with new frames, and with
//! the J⁺ of the point that the step comes from. The unit is a full-batch gradient of the same network, measured in the same run; the goal is below 5·N of them, with
//! memory of a few times m·N numbers and no m×m array.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use nalgebra::DVector;
use singlim::derive::{Frame, Jacobian, Regime, project, retract};
use singlim::limit::{Faults, LimitProcess};
use singlim::models::{Activation, Data, Injection, Model, Perceptron, Regression, Samples};
use singlim::noise::{Mechanism, NoisyLoss, Source};
use singlim::random::Law;

const INPUTS: usize = 20;
/// Length of a tangential step.
const STEP: f64 = 0.03;

fn generic(count: usize, seed: f64) -> Vec<f64> {
    (0..count)
        .map(|i| (1.0 + seed + 7.31 * i as f64 + 0.37 * (i * i % 9973) as f64).sin())
        .collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn seconds(repeats: usize, mut f: impl FnMut()) -> f64 {
    let once = |f: &mut dyn FnMut()| {
        let begin = Instant::now();
        f();
        begin.elapsed().as_secs_f64()
    };
    median((0..repeats).map(|_| once(&mut f)).collect())
}

/// The largest memory that the process has had, in MB; Linux only.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<f64>()
        .ok()
        .map(|kb| kb / 1024.0)
}

fn main() {
    println!(
        "{:>7} {:>5} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12} {:>9} {:>10} {:>10}",
        "m",
        "N",
        "gradient s",
        "J s",
        "frame s",
        "project s",
        "retract s",
        "drift s",
        "drift/5N",
        "m·N MB",
        "peak MB"
    );
    for (width, samples) in [
        (45, 10),
        (45, 100),
        (450, 10),
        (450, 30),
        (450, 100),
        (1430, 100),
        (4545, 10),
        (4545, 30),
        (4545, 100),
    ] {
        let network = Perceptron::new(vec![INPUTS, width, 1], Activation::Tanh, true);
        let train = Samples {
            count: samples,
            inputs: generic(samples * INPUTS, 0.3),
            targets: generic(samples, 1.7),
        };
        let mut data = Data {
            features: INPUTS,
            targets: 1,
            train,
            ..Data::default()
        };
        let model = Regression::new(network.clone(), Arc::new(data.clone()));
        let m = model.dimension();
        let fan_in = model.fan_in();
        let w = DVector::from_iterator(
            m,
            generic(m, 0.2)
                .iter()
                .zip(fan_in)
                .map(|(x, n)| x / (n as f64).sqrt()),
        );
        // Targets that this network has, so that w lies on Γ.
        let Some(jacobian) = Jacobian::at(&model, &w) else {
            continue;
        };
        for (target, r) in data.train.targets.iter_mut().zip(jacobian.residuals.iter()) {
            *target += r;
        }
        drop(jacobian);
        let model = Regression::new(network, Arc::new(data));
        let source = Source::new(Mechanism::Label, Law::Gaussian);
        let Ok(noisy) = NoisyLoss::new(model.clone(), vec![source]) else {
            continue;
        };
        let mut gradient = vec![0.0; m];
        let mut scratch = vec![0.0; model.scratch()];
        let of_gradient = seconds(5, || {
            model.gradient(w.as_slice(), &Injection::NONE, &mut scratch, &mut gradient);
            black_box(&gradient);
        });
        let of_jacobian = seconds(3, || {
            black_box(Jacobian::at(&model, &w));
        });
        let rank = samples;
        let of_frame = seconds(3, || {
            let _ = black_box(Frame::at(&noisy, &w, rank));
        });
        let Ok(frame) = Frame::at(&noisy, &w, rank) else {
            continue;
        };
        let along = frame.tangent_part(&DVector::from_vec(generic(m, 0.9)));
        let moved = &w + &along * (STEP / along.norm());
        let of_project = seconds(3, || {
            let _ = black_box(project(&noisy, &moved, rank));
        });
        let of_retract = seconds(3, || {
            let _ = black_box(retract(&noisy, &moved, &frame, rank));
        });
        drop(frame);
        let process = LimitProcess {
            noisy: &noisy,
            regime: Regime::Degenerate,
            rank,
            faults: Faults::default(),
        };
        let of_drift = seconds(3, || {
            let _ = black_box(process.drift(&w, 0.0));
        });
        println!(
            "{m:>7} {samples:>5} {of_gradient:>12.2e} {of_jacobian:>12.2e} {of_frame:>12.2e} {of_project:>12.2e} {of_retract:>12.2e} {of_drift:>12.2e} {:>9.3} {:>10.1} {:>10.1}",
            of_drift / of_gradient / (5.0 * samples as f64),
            m as f64 * samples as f64 * 8e-6,
            peak_memory().unwrap_or(f64::NAN)
        );
    }
}
