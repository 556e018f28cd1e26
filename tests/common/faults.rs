//! The catalogue of planted faults, and the small studies that they are planted in.

/// A small study of each kind of limit: name, scenario, overrides.
pub const STUDIES: [(&str, &str, &[&str]); 6] = [
    (
        "anti-PGD",
        "product-anti-pgd",
        &[
            "ladder.step_sizes=[0.08, 0.04, 0.02, 0.01]",
            "ladder.records=3",
            "ladder.paths=2000",
        ],
    ),
    (
        "label noise",
        "product-label-noise",
        &[
            "ladder.step_sizes=[0.08, 0.04, 0.02, 0.01]",
            "ladder.records=3",
            "ladder.paths=2000",
        ],
    ),
    (
        "Bernoulli masks",
        "circle-bernoulli-dropconnect",
        &[
            "ladder.step_sizes=[0.08, 0.04, 0.02, 0.01]",
            "ladder.records=3",
            "ladder.paths=3000",
            "margins.mean=0.03",
        ],
    ),
    (
        "Langevin, valley",
        "valley-sgld",
        &[
            "ladder.records=3",
            "ladder.paths=8000",
            "ladder.sigma_factors=[]",
            "limit.time_step=0.01",
            "margins.mean=0.15",
            "margins.square=0.18",
        ],
    ),
    (
        "Langevin, hyperbola",
        "product-sgld",
        &[
            "ladder.records=3",
            "ladder.paths=12000",
            "ladder.sigma_factors=[]",
            "limit.time_step=0.01",
        ],
    ),
    (
        "Dropout, network",
        "two-layer-dropout",
        &["ladder.records=3", "ladder.paths=200"],
    ),
];

/// A fault: what it is, how it is planted, and in which of [`STUDIES`] it can be.
pub const FAULTS: [(&str, &str, &[usize]); 12] = [
    ("drift × 1.05", "limit.drift_scale=1.05", &[0, 1, 2, 3, 5]),
    ("drift × 1.1", "limit.drift_scale=1.1", &[0, 1, 2, 3, 5]),
    ("drift × 1.2", "limit.drift_scale=1.2", &[0, 1, 2, 3, 5]),
    ("diffusion × 1.1", "limit.diffusion_scale=1.1", &[3, 4]),
    (
        "Itô correction missing",
        "limit.ito_correction=false",
        &[1, 3],
    ),
    ("the slow clock for the fast", "limit.clock=slow", &[0, 2]),
    (
        "the fast clock for the slow",
        "limit.clock=fast",
        &[1, 3, 4],
    ),
    ("Gaussian regulariser for masks", "limit.masks=local", &[2]),
    (
        "another regime expected",
        "expect.regime=trivial",
        &[0, 1, 2, 3, 4, 5],
    ),
    (
        "random numbers shared by paths",
        "ladder.shared_streams=true",
        &[0, 1, 2, 3, 4, 5],
    ),
    (
        "no projection on Γ",
        "limit.projection=false",
        &[0, 1, 2, 3, 4, 5],
    ),
    (
        "labels off by one record time",
        "ladder.late_labels=true",
        &[0, 1, 2, 3, 4, 5],
    ),
];
