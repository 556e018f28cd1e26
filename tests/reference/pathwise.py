"""Reference values for src/statistics/pathwise.rs: `python tests/reference/pathwise.py` rewrites pathwise.json.

Needs numpy and scipy.
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats


def case(rng, paths, bound):
    step_sizes = np.array([0.2, 0.1, 0.05, 0.025])
    shared = rng.standard_normal(paths)
    rows = [np.sqrt(a) * (shared + rng.standard_normal(paths)) + 0.3 * a for a in step_sizes]
    rows = np.round(rows, 4)
    squares = rows**2
    means = squares.mean(axis=1)
    errors = stats.sem(squares, axis=1)
    slope = np.polyfit(np.log(step_sizes), np.log(means), 1, w=means / errors)[0]
    # The linear map from mean squares to the intercept of the weighted fit on 1, α, α².
    design = np.vander(step_sizes, 3, increasing=True)
    root = design / errors[:, None]
    at_zero = (np.linalg.pinv(root) / errors)[0] @ squares
    at_most = stats.ttest_1samp(at_zero, bound, alternative="greater")
    at_least = stats.ttest_1samp(at_zero, bound, alternative="less")
    interval = ninety_percent(at_zero)
    return {
        "step_sizes": step_sizes.tolist(),
        "differences": rows.tolist(),
        "root_mean_squares": [[m**0.5, e / (2 * m**0.5)] for m, e in zip(means.tolist(), errors.tolist())],
        "order": slope / 2,
        "square_at_zero": float(at_zero.mean()),
        "bound": bound,
        "p_at_most": float(at_most.pvalue),
        "p_at_least": float(at_least.pvalue),
        "interval": interval,
    }


def ninety_percent(values):
    """The 90 % interval of the mean."""
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    return [float(interval.low), float(interval.high)]


rng = np.random.default_rng(4)
cases = [case(rng, paths, bound) for paths, bound in [(2, 0.0), (5, 0.01), (40, -0.02), (40, 0.0)]]
Path(__file__).with_suffix(".json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")
