"""Writes statistics.json: inputs and reference values for the tests of `singlim::statistics`.

Every expected value is computed by numpy, scipy or statsmodels, never by a port of the Rust code.
To renew: `pip install numpy scipy statsmodels`, then `python tests/reference/statistics.py`.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, special, stats
from statsmodels.stats.weightstats import ttost_ind

rng = np.random.default_rng(20240117)


def draw(values):
    """Rounds to what the JSON file holds, so that both sides see the same numbers."""
    return [float(v) for v in np.round(values, 6)]


def one_sample_summary(values):
    x = np.array(values)
    return {
        "values": values,
        "mean": x.mean(),
        "variance": x.var(ddof=1),
        "std_error": stats.sem(x),
        "quantiles": list(np.quantile(x, [0.05, 0.5, 0.95])),
        "fourth_central_moment": stats.moment(x, order=4),
        # Unbiased estimate of Var(s²) from k-statistics: close to the delta method for large samples.
        "variance_of_variance": stats.kstatvar(x, 2) if len(x) > 30 else None,
    }


def equivalence_from_summary(estimate, std_error, dof, target, margin, level):
    law = stats.norm() if dof is None else stats.t(dof)
    half = law.ppf(1 - level) * std_error
    return {
        "estimate": estimate,
        "std_error": std_error,
        "degrees_of_freedom": dof,
        "target": target,
        "margin": margin,
        "level": level,
        "lower": estimate - half,
        "upper": estimate + half,
        "p_value": max(
            law.sf((estimate - target + margin) / std_error),
            law.cdf((estimate - target - margin) / std_error),
        ),
    }


def welch(a, b, margin, level):
    p_value, _, _ = ttost_ind(np.array(a), np.array(b), -margin, margin, usevar="unequal")
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(1 - 2 * level)
    return {
        "a": a,
        "b": b,
        "margin": margin,
        "level": level,
        "estimate": np.mean(a) - np.mean(b),
        "lower": interval.low,
        "upper": interval.high,
        "p_value": p_value,
    }


def weighted_fit(regressors, values, std_errors):
    design = np.array(regressors).T
    result = sm.WLS(values, design, weights=1 / np.array(std_errors) ** 2).fit()
    chi_squared = float(np.sum(result.wresid**2))
    return {
        "regressors": regressors,
        "values": values,
        "std_errors": std_errors,
        "coefficients": list(result.params),
        "covariance": result.normalized_cov_params.tolist(),
        "chi_squared": chi_squared,
        "degrees_of_freedom": int(result.df_resid),
        "p_value": stats.chi2.sf(chi_squared, result.df_resid),
    }


def polyfit(x, values, std_errors, degree):
    coefficients, covariance = np.polyfit(x, values, degree, w=1 / np.array(std_errors), cov="unscaled")
    return {
        "x": x,
        "values": values,
        "std_errors": std_errors,
        "coefficients": list(coefficients[::-1]),
        "covariance": covariance[::-1, ::-1].tolist(),
    }


def power_law(step_sizes, errors, std_errors, start):
    parameters, covariance = optimize.curve_fit(
        lambda a, c, p: c * a**p,
        step_sizes,
        errors,
        p0=start,
        sigma=std_errors,
        absolute_sigma=True,
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    residuals = (np.array(errors) - parameters[0] * np.array(step_sizes) ** parameters[1]) / std_errors
    chi_squared = float(np.sum(residuals**2))
    dof = len(errors) - 2
    return {
        "step_sizes": step_sizes,
        "errors": errors,
        "std_errors": std_errors,
        "coefficient": parameters[0],
        "exponent": parameters[1],
        "exponent_std_error": float(np.sqrt(covariance[1, 1])),
        "chi_squared": chi_squared,
        "p_value": stats.chi2.sf(chi_squared, dof) if dof > 0 else None,
    }


def two_samples(a, b):
    ks = stats.ks_2samp(a, b, method="asymp")
    exact = stats.ks_2samp(a, b, method="exact")
    root = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    return {
        "a": a,
        "b": b,
        "wasserstein_1": stats.wasserstein_distance(a, b),
        "statistic": ks.statistic,
        # Stephens (1970): the limit law at (√n + 0.12 + 0.11/√n)·D.
        "p_stephens": special.kolmogorov((root + 0.12 + 0.11 / root) * ks.statistic),
        "p_exact": exact.pvalue,
    }


def one_sample_ks(values):
    ks = stats.ks_1samp(values, stats.norm.cdf, method="exact")
    root = np.sqrt(len(values))
    return {
        "values": values,
        "statistic": ks.statistic,
        "p_stephens": special.kolmogorov((root + 0.12 + 0.11 / root) * ks.statistic),
        "p_exact": ks.pvalue,
    }


def time_scale(step_sizes, sigmas, iterations, std_errors, level, constant_sigma):
    """log K = κ − a·log α − b·log σ by statsmodels; σ is left out when it is constant."""
    design = [np.ones(len(step_sizes)), -np.log(step_sizes)]
    if not constant_sigma:
        design.append(-np.log(sigmas))
    weights = (np.array(iterations) / np.array(std_errors)) ** 2
    result = sm.WLS(np.log(iterations), np.array(design).T, weights=weights).fit()
    chi_squared = float(np.sum(result.wresid**2))
    dof = int(result.df_resid)
    inflation = float(np.sqrt(max(1.0, chi_squared / dof)))
    errors = np.sqrt(np.diag(result.normalized_cov_params)) * inflation
    quantile = stats.t(dof).ppf(1 - level) if inflation > 1 else stats.norm.ppf(1 - level)
    return {
        "step_sizes": step_sizes,
        "sigmas": sigmas,
        "iterations": iterations,
        "std_errors": std_errors,
        "level": level,
        "log_prefactor": result.params[0],
        "exponents": list(result.params[1:]),
        "exponent_std_errors": list(errors[1:]),
        "half_widths": list(quantile * errors[1:]),
        "covariance": None if constant_sigma else result.normalized_cov_params[1, 2] * inflation**2,
        "chi_squared": chi_squared,
        "degrees_of_freedom": dof,
        "p_value": stats.chi2.sf(chi_squared, dof),
        "inflation": inflation,
    }


heavy = draw(rng.standard_t(5, 400) * 1.7 + 3.0)
step_sizes = [0.2, 0.1, 0.05, 0.025, 0.0125]
rung_errors = [0.01, 0.007, 0.005, 0.004, 0.003]
first_order = draw([0.9 * a + s * z for a, s, z in zip(step_sizes, rung_errors, rng.standard_normal(5))])
half_order = draw([-0.4 * a**0.5 + s * z for a, s, z in zip(step_sizes, rung_errors, rng.standard_normal(5))])

grid_alpha = [a for a in (0.1, 0.05, 0.025) for _ in range(3)]
grid_sigma = [s for _ in range(3) for s in (0.5, 1.0, 2.0)]
hitting = np.array([7.0 / (a**2 * s**1.5) for a, s in zip(grid_alpha, grid_sigma)])
quiet = draw(hitting * (1 + 0.01 * rng.standard_normal(9)))
uneven_errors = draw(hitting * np.linspace(0.005, 0.03, 9))  # correlates the two exponents
biased = draw(hitting * (1 + 2.0 * np.array(grid_alpha) * rng.standard_normal(9)))

reference = {
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
    "summaries": [
        one_sample_summary(draw(rng.standard_normal(37))),
        one_sample_summary(heavy),
        one_sample_summary([1.0, 2.0]),
        one_sample_summary([4.0, 4.0, 1.0, 4.0, 9.5]),
    ],
    "normal_quantiles": [[q, stats.norm.ppf(1 - q)] for q in (0.4, 0.1, 0.05, 0.025, 1e-3, 1e-6)],
    "student_quantiles": [
        [q, d, stats.t(d).ppf(1 - q)] for q in (0.4, 0.05, 0.025, 1e-4) for d in (1, 2.5, 7, 63.4, 1e4, 1e6, 1e7)
    ],
    "student_tails": [[t, d, stats.t(d).sf(t)] for t in (-3.0, 0.0, 0.7, 2.2, 9.0) for d in (1, 3.3, 40, 1e5)],
    "chi_squared_tails": [[x, d, stats.chi2.sf(x, d)] for x in (0.1, 1.0, 7.7, 60.0) for d in (1, 2, 5, 30)],
    "kolmogorov": [[x, special.kolmogorov(x)] for x in (0.1, 0.3, 0.6, 0.9, 1.1, 1.18, 1.3, 1.36, 2.0, 4.0)],
    "equivalence": [
        equivalence_from_summary(0.31, 0.04, None, 0.3, 0.1, 0.05),
        equivalence_from_summary(0.31, 0.04, 6.5, 0.3, 0.1, 0.05),
        equivalence_from_summary(-1.2, 0.3, 12, 0.0, 0.5, 0.01),
        equivalence_from_summary(2.0, 0.001, 100, 2.0005, 0.01, 0.025),
    ],
    "welch": [
        welch(draw(rng.normal(0, 1, 60)), draw(rng.normal(0.05, 2, 45)), 1.0, 0.05),
        welch(draw(rng.normal(0, 1, 12)), draw(rng.normal(1.5, 0.2, 200)), 0.5, 0.05),
        welch(draw(rng.normal(0, 1, 25)), draw(rng.normal(0.4, 1, 25)), 0.5, 0.01),
        welch([1.0, 2.0], [1.5, 1.75], 5.0, 0.05),
    ],
    "weighted_fits": [
        weighted_fit([[1.0] * 5, step_sizes], first_order, rung_errors),
        weighted_fit([step_sizes, [0.5, 0.1, 0.4, 0.2, 0.3]], half_order, rung_errors),
        weighted_fit([step_sizes], first_order, rung_errors),
    ],
    "polyfit": polyfit(step_sizes, half_order, rung_errors, 2),
    "power_laws": [
        power_law(step_sizes, first_order, rung_errors, (1.0, 1.0)),
        power_law(step_sizes, half_order, rung_errors, (-0.5, 0.5)),
        power_law([0.2, 0.05], [0.4, 0.1004], [0.01, 0.01], (1.0, 1.0)),
    ],
    "two_samples": [
        two_samples(draw(rng.normal(0, 1, 80)), draw(rng.normal(0.3, 1.2, 111))),
        two_samples(draw(rng.exponential(1, 150)), draw(rng.exponential(1, 40))),
        two_samples([float(v) for v in rng.integers(0, 5, 60)], [float(v) for v in rng.integers(1, 6, 75)]),
        two_samples([0.0, 1.0], [0.5, 3.0]),
    ],
    "one_sample_ks": [one_sample_ks(draw(rng.normal(0, 1, 90))), one_sample_ks(draw(rng.normal(0.4, 1.3, 40)))],
    "time_scales": [
        time_scale(grid_alpha, grid_sigma, quiet, draw(0.01 * hitting), 0.05, False),
        time_scale(grid_alpha, grid_sigma, biased, uneven_errors, 0.05, False),
        time_scale(
            step_sizes,
            [0.3] * 5,
            draw([5.0 / a * (1 + a) for a in step_sizes]),
            draw([0.1 / a for a in step_sizes]),
            0.025,
            True,
        ),
    ],
}

target = Path(__file__).with_suffix(".json")
target.write_text(json.dumps(reference, indent=None, allow_nan=False, default=float) + "\n")
print(f"wrote {target}")
