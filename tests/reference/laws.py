"""Writes laws.json: pairs of samples with their distances, for the tests of `singlim::statistics`.

Every expected value is computed by dcor, scipy, POT or the defining sum in numpy, never by a port of
the Rust code. To renew: `pip install numpy scipy dcor POT`, then `python tests/reference/laws.py`.
"""

import json
from pathlib import Path

import dcor
import numpy as np
import ot
from scipy import stats
from scipy.spatial import distance

rng = np.random.default_rng(20240521)


def case(a, b):
    """Points are the rows of a and b, rounded to what the file holds."""
    a, b = (np.round(np.asarray(x, dtype=float), 6) for x in (a, b))
    pooled = np.concatenate([a, b])
    pairs = np.sort(distance.pdist(pooled))
    pairs = pairs[pairs > 0]
    median = pairs[(len(pairs) - 1) // 2]
    kernel = lambda x, y: np.exp(-distance.cdist(x, y, "sqeuclidean") / (2 * median**2)).mean()
    return {
        "dimension": a.shape[1],
        "a": a.ravel().tolist(),
        "b": b.ravel().tolist(),
        "energy_dcor": float(dcor.energy_distance(a, b)),
        "energy_scipy": stats.energy_distance(a.ravel(), b.ravel()) if a.shape[1] == 1 else None,
        "median": median,
        "mmd_squared": kernel(a, a) + kernel(b, b) - 2 * kernel(a, b),
        "sliced_pot": float(ot.sliced_wasserstein_distance(a, b, n_projections=20000, seed=1, p=1)),
    }


cases = [
    case(rng.normal(size=(30, 1)), rng.normal(0.5, 2.0, size=(47, 1))),
    case(rng.exponential(size=(80, 1)), rng.standard_t(2, size=(80, 1))),
    case(rng.integers(0, 4, size=(25, 1)), rng.integers(1, 6, size=(31, 1))),
    case(rng.normal(size=(40, 2)), rng.normal(0.3, 1.0, size=(70, 2))),
    case(rng.normal(size=(20, 10)), rng.uniform(-2, 2, size=(33, 10))),
]
Path(__file__).with_name("laws.json").write_text(json.dumps(cases) + "\n")
