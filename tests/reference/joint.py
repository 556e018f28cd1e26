"""Writes joint.json: reference values for the joint order of convergence and for simultaneous bands.

Every expected value is computed by numpy or scipy, never by a port of the Rust code.
To renew: `pip install numpy scipy`, then `python tests/reference/joint.py`.
"""

import json
from pathlib import Path

import numpy as np
from scipy import optimize, stats

rng = np.random.default_rng(20261124)


def draw(values):
    """Rounds to what the JSON file holds, so that both sides see the same numbers."""
    return np.round(values, 6)


def joint_order(exponent, coefficients, with_nuisance):
    """Fits c_j alpha^p (+ d_j sigma^2) to all series by nonlinear least squares."""
    alpha = np.array([0.2, 0.1, 0.05, 0.025, 0.1, 0.1])
    sigma = np.array([0.3, 0.3, 0.3, 0.3, 0.2, 0.1])
    if not with_nuisance:
        alpha, sigma = alpha[:4], sigma[:4]
    series = len(coefficients)
    std_errors = draw(rng.uniform(1e-3, 4e-3, (series, len(alpha))))
    truth = np.outer(coefficients, alpha**exponent)
    if with_nuisance:
        truth += np.outer(rng.uniform(-1, 1, series), sigma**2)
    errors = draw(truth + std_errors * rng.normal(size=truth.shape))

    def model(parameters):
        fitted = np.outer(parameters[1 : 1 + series], alpha ** parameters[0])
        if with_nuisance:
            fitted = fitted + np.outer(parameters[1 + series :], sigma**2)
        return ((errors - fitted) / std_errors).ravel()

    start = np.concatenate([[exponent], coefficients, np.zeros(series if with_nuisance else 0)])
    fit = optimize.least_squares(model, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    return {
        "step_sizes": alpha.tolist(),
        "nuisance": [(sigma**2).tolist()] if with_nuisance else [],
        "errors": errors.tolist(),
        "std_errors": std_errors.tolist(),
        "exponent": fit.x[0],
        "exponent_std_error": float(np.sqrt(covariance[0, 0])),
        "coefficients": fit.x[1 : 1 + series].tolist(),
        "chi_squared": 2 * fit.cost,
        "degrees_of_freedom": errors.size - len(fit.x),
    }


def critical_value(correlation, count, degrees_of_freedom, level):
    """c with P(max |T_j| <= c) = 1 - 2 level, for equally correlated entries (Dunnett's integral over the common part)."""
    root = np.sqrt(correlation)
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def covered_by_normal(c):
        upper = (c - root * nodes) / np.sqrt(1 - correlation)
        lower = (-c - root * nodes) / np.sqrt(1 - correlation)
        return weights @ (stats.norm.cdf(upper) - stats.norm.cdf(lower)) ** count

    def covered(c):
        if degrees_of_freedom is None:
            return covered_by_normal(c)
        quantiles = stats.chi2.ppf((np.arange(4000) + 0.5) / 4000, degrees_of_freedom)
        return np.mean([covered_by_normal(c * s) for s in np.sqrt(quantiles / degrees_of_freedom)])

    c = optimize.brentq(lambda c: covered(c) - (1 - 2 * level), 1.0, 20.0)
    return {
        "correlation": correlation,
        "count": count,
        "degrees_of_freedom": degrees_of_freedom,
        "level": level,
        "critical_value": c,
    }


reference = {
    "joint_orders": [
        joint_order(1.0, np.array([0.5]), False),
        joint_order(1.0, np.array([0.5, -0.8, 0.02]), False),
        joint_order(2.0, np.array([1.5, -3.0]), False),
        joint_order(1.0, np.array([0.7, -0.4, 0.9]), True),
    ],
    "critical_values": [
        critical_value(0.0, 5, None, 0.025),
        critical_value(0.5, 5, None, 0.01),
        critical_value(0.9, 8, None, 0.025),
        critical_value(0.5, 4, 10, 0.025),
        critical_value(0.9, 1, 5, 0.025),
    ],
}
target = Path(__file__).with_name("joint.json")
target.write_text(json.dumps(reference, indent=1, sort_keys=True) + "\n")
