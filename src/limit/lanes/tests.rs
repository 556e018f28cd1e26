//! Eight paths at once against one by one: the same scheme with the same normal numbers.

use nalgebra::DVector;

use crate::derive::{Frame, Masks, Regime};
use crate::limit::{EnsemblePlan, Faults, LimitProcess, run_ensemble, run_ensemble_of};
use crate::models::{
    AnyModel, Circle, Product, Profile, Sphere, TwoProducts, Valley, WideningValley,
};
use crate::noise::{Mechanism, NoisyLoss, Source};
use crate::random::Law;

struct Case {
    noisy: NoisyLoss<AnyModel>,
    start: Vec<f64>,
}

fn case(model: AnyModel, start: &[f64], sources: &[(Mechanism, Law, f64)]) -> Case {
    let source = |&(mechanism, law, scale): &(Mechanism, Law, f64)| Source {
        scale,
        ..Source::new(mechanism, law)
    };
    Case {
        noisy: NoisyLoss::new(model, sources.iter().map(source).collect()).unwrap(),
        start: start.to_vec(),
    }
}

fn cases() -> Vec<Case> {
    use Law::{Bernoulli, Gaussian};
    use Mechanism::{Dropconnect, Dropout, Label, Minibatch, Sgld};
    let sgld = [(Sgld, Gaussian, 1.3)];
    let product = || AnyModel::Product(Product);
    let valley = |profile| AnyModel::Valley(Valley::new(profile, 1.0));
    let widening = |width| AnyModel::WideningValley(WideningValley::new(width));
    vec![
        case(product(), &[1.2, 0.8], &sgld),
        case(valley(Profile::ExpSine), &[0.4, 0.0], &sgld),
        case(valley(Profile::Quadratic), &[0.4, 0.0], &sgld),
        case(valley(Profile::Cosh), &[0.4, 0.0], &sgld),
        case(AnyModel::Circle(Circle), &[0.6, 0.8], &sgld),
        case(
            AnyModel::Sphere(Sphere::new(4)),
            &[0.6, 0.0, 0.8, 0.0],
            &sgld,
        ),
        case(
            AnyModel::Sphere(Sphere::new(6)),
            &[0.6, 0.0, 0.0, 0.8, 0.0, 0.0],
            &sgld,
        ),
        case(
            AnyModel::TwoProducts(TwoProducts),
            &[0.8, 0.9, 0.7, 0.4],
            &sgld,
        ),
        case(widening(3), &[1.0, -0.5, 0.3, 0.0], &sgld),
        case(widening(6), &[1.0, -0.5, 0.3, 0.2, 0.1, 0.0, 0.0], &sgld),
        case(product(), &[1.2, 0.8], &[(Label, Gaussian, 1.0)]),
        case(
            product(),
            &[1.2, 0.8],
            &[(Label, Gaussian, 1.0), (Sgld, Gaussian, 0.5)],
        ),
        case(
            AnyModel::TwoProducts(TwoProducts),
            &[0.8, 0.9, 0.7, 0.4],
            &[
                (Dropconnect, Gaussian, 1.0),
                (Sgld, Gaussian, 0.5),
                (Label, Gaussian, 0.7),
            ],
        ),
        // Columns that are not normal to Γ: the mixed term, and normal numbers along them.
        case(
            AnyModel::TwoProducts(TwoProducts),
            &[0.8, 0.9, 0.7, 0.4],
            &[(Dropconnect, Bernoulli, 0.6), (Sgld, Gaussian, 0.5)],
        ),
        case(
            product(),
            &[1.2, 0.8],
            &[
                (Dropout, Bernoulli, 1.0),
                (Minibatch, Gaussian, 1.0),
                (Label, Gaussian, 0.7),
            ],
        ),
    ]
}

type Rows = Vec<Vec<(Vec<f64>, Frame)>>;

/// Both ways, recorded at every time.
fn both(case: &Case, faults: Faults, plan: &EnsemblePlan) -> (Rows, Rows) {
    let process = LimitProcess {
        noisy: &case.noisy,
        regime: Regime::Degenerate,
        rank: 1,
        faults,
    };
    let start = DVector::from_vec(case.start.clone());
    let alpha = |t: f64| 0.05 + 0.1 * t;
    let record = |_: usize, w: &DVector<f64>, frame: &Frame| (w.as_slice().to_vec(), frame.clone());
    let together = run_ensemble(&process, &start, plan, alpha, record, || true);
    let alone = run_ensemble_of(&process, &start, plan, alpha, record, || true);
    let unwrapped = |rows: Vec<Result<_, _>>| rows.into_iter().map(|row| row.unwrap()).collect();
    (unwrapped(together), unwrapped(alone))
}

fn plan<'a>(times: &'a [f64], merged: usize) -> EnsemblePlan<'a> {
    EnsemblePlan {
        paths: 9,
        first_path: 3,
        times,
        time_step: 0.004,
        merged,
        seed: 5,
        level: 2,
    }
}

fn largest_difference(together: &Rows, alone: &Rows) -> f64 {
    let mut worst: f64 = 0.0;
    assert_eq!(together.len(), alone.len());
    for (together, alone) in together.iter().zip(alone) {
        assert_eq!(together.len(), alone.len());
        for ((w, frame), (exact, exact_frame)) in together.iter().zip(alone) {
            for (x, y) in w.iter().zip(exact) {
                worst = worst.max((x - y).abs());
            }
            let projector = |frame: &Frame| &frame.normal * frame.normal.transpose();
            worst = worst.max((projector(frame) - projector(exact_frame)).amax());
            worst = worst.max((&frame.eigenvalues - &exact_frame.eigenvalues).amax());
        }
    }
    worst
}

fn all_faults() -> Vec<Faults> {
    let none = Faults::default();
    vec![
        none,
        Faults {
            drift_scale: 1.2,
            ..none
        },
        Faults {
            diffusion_scale: 0.7,
            ..none
        },
        Faults {
            diffusion_scale: 0.0,
            ..none
        },
        Faults {
            ito_correction: false,
            ..none
        },
        Faults {
            masks: Masks::Local,
            ..none
        },
        Faults {
            lyapunov: true,
            ..none
        },
    ]
}

/// At every step of 12: positions, projectors and eigenvalues.
#[test]
fn eight_paths_at_once_are_those_that_run_one_by_one_step_by_step() {
    let times: Vec<f64> = (1..=12).map(|k| f64::from(k) * 0.004).collect();
    for (number, case) in cases().iter().enumerate() {
        for faults in all_faults() {
            let (together, alone) = both(case, faults, &plan(&times, 1));
            let worst = largest_difference(&together, &alone);
            assert!(worst < 1e-9, "case {number}, {faults:?}: {worst:.1e}");
            let moved = together[0].last().unwrap().0[0] - case.start[0];
            assert!(
                moved.abs() > 1e-7 || faults != Faults::default(),
                "case {number}"
            );
        }
    }
}

#[test]
fn without_projection_they_leave_the_manifold_together() {
    let faults = Faults {
        projection: false,
        ..Faults::default()
    };
    for (number, case) in cases().iter().enumerate() {
        let (together, alone) = both(case, faults, &plan(&[0.004, 0.02], 1));
        let worst = largest_difference(&together, &alone);
        assert!(worst < 1e-9, "case {number}: {worst:.1e}");
    }
}

/// 7 and 13 steps, the last of which are not whole pairs, and more than one stretch.
#[test]
fn merged_steps_are_driven_by_the_same_brownian_path() {
    for case in &cases() {
        let (together, alone) = both(case, Faults::default(), &plan(&[0.028, 0.08, 0.8], 2));
        assert!(largest_difference(&together, &alone) < 1e-9);
    }
}

#[test]
fn a_path_has_the_same_bits_in_every_lane_beside_any_neighbours_and_at_any_number_of_threads() {
    let pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
    };
    let times = [0.1, 0.2];
    for case in &cases()[..10] {
        let of = |first_path, paths| {
            let process = LimitProcess {
                noisy: &case.noisy,
                regime: Regime::Degenerate,
                rank: 1,
                faults: Faults::default(),
            };
            let start = DVector::from_vec(case.start.clone());
            let plan = EnsemblePlan {
                paths,
                first_path,
                ..plan(&times, 1)
            };
            let record = |_: usize, w: &DVector<f64>, _: &Frame| w.as_slice().to_vec();
            let rows = run_ensemble(&process, &start, &plan, |_| 0.0, record, || true);
            rows.into_iter().map(|row| row.unwrap()).collect::<Vec<_>>()
        };
        let all = pool(1).install(|| of(0, 37));
        assert_eq!(pool(3).install(|| of(0, 37)), all);
        assert_eq!(of(0, 11), all[..11]);
        assert_eq!(of(5, 3), all[5..8]);
        let mut ends: Vec<_> = all.iter().map(|row| row[1][0].to_bits()).collect();
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len(), 37, "no two paths share their noise");
    }
}

/// Steps so long that Newton's method does not find back to the hyperbola on some paths: these end with the error that they
/// have alone, and the others go on.
#[test]
fn a_path_that_fails_says_why_and_its_neighbours_go_on() {
    let sgld = [(Mechanism::Sgld, Law::Gaussian, 3.0)];
    let case = case(AnyModel::Product(Product), &[1.2, 0.8], &sgld);
    let process = LimitProcess {
        noisy: &case.noisy,
        regime: Regime::Degenerate,
        rank: 1,
        faults: Faults::default(),
    };
    let start = DVector::from_vec(case.start);
    let plan = EnsemblePlan {
        paths: 64,
        time_step: 0.5,
        ..plan(&[0.5, 1.0], 1)
    };
    let record = |_: usize, w: &DVector<f64>, _: &Frame| w.as_slice().to_vec();
    let together = run_ensemble(&process, &start, &plan, |_| 0.0, record, || true);
    let alone = run_ensemble_of(&process, &start, &plan, |_| 0.0, record, || true);
    let failed = alone.iter().filter(|row| row.is_err()).count();
    assert!(0 < failed && failed < 64, "{failed} of 64 fail");
    for (together, alone) in together.iter().zip(&alone) {
        match (together, alone) {
            (Ok(together), Ok(alone)) => {
                for (x, y) in together.iter().flatten().zip(alone.iter().flatten()) {
                    assert!((x - y).abs() < 1e-9);
                }
            }
            _ => assert_eq!(together, alone),
        }
    }
}
