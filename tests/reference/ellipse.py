"""Writes ellipse.json: reference values for joint confidence ellipses.

Quantiles and tails by scipy.stats, axes by numpy.linalg.eigh, the nearest point of a rectangle by scipy.optimize.
To renew: `pip install numpy scipy`, then `python tests/reference/ellipse.py`.
"""

import json
from pathlib import Path

import numpy as np
from scipy import optimize, stats


def case(centre, variances, covariance, degrees, level, target, margin):
    centre = np.array(centre)
    matrix = np.array([[variances[0], covariance], [covariance, variances[1]]])
    inverse = np.linalg.inv(matrix)

    def distance(point):
        return (np.array(point) - centre) @ inverse @ (np.array(point) - centre)

    def tail(m):
        return stats.chi2.sf(m, 2) if degrees is None else stats.f.sf(m / 2, 2, degrees)

    quantile = stats.chi2.isf(2 * level, 2) if degrees is None else 2 * stats.f.isf(2 * level, 2, degrees)
    values, vectors = np.linalg.eigh(matrix)
    bounds = [(t - margin, t + margin) for t in target]
    nearest = optimize.minimize(distance, target, bounds=bounds, method="L-BFGS-B",
                                options={"ftol": 1e-15, "gtol": 1e-12})
    points = [[1.0, 2.0], [2.0, 2.0], [1.1, 1.9]]
    return {
        "centre": centre.tolist(),
        "variances": variances,
        "covariance": covariance,
        "degrees_of_freedom": degrees,
        "level": level,
        "quantile": quantile,
        "half_axes": np.sqrt(quantile * values[::-1]).tolist(),
        "slope": vectors[1, 1] / vectors[0, 1],
        "points": points,
        "p_values": [tail(distance(point)) for point in points],
        "target": target,
        "margin": margin,
        "p_rectangle": tail(nearest.fun),
    }


cases = [
    case([1.04, 2.01], [0.0016, 0.0025], 0.0008, None, 0.01, [2.0, 2.0], 0.9),
    case([2.1, 1.9], [0.02, 0.05], -0.021, 9.0, 0.01, [1.0, 2.0], 0.25),
    case([1.3, 2.4], [0.04, 0.01], 0.015, 3.0, 0.05, [1.0, 2.0], 0.25),
    case([0.5, 2.2], [0.09, 0.04], 0.03, None, 0.005, [1.0, 2.0], 0.25),
    case([1.1, 2.2], [0.09, 0.04], 0.03, 4.0, 0.005, [1.0, 2.0], 0.25),
]
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(cases, indent=1) + "\n")
