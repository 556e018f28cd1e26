"""What antithetic pairs of paths would do to the standard errors of means: python3 benches/antithetic.py (NumPy; some seconds).

Each row is a noise on the product model 1/2 (uv - 1)^2 at alpha = 0.04, sigma = 0.1; each number the variance of the mean of two
independent paths over that of two paths with opposite noise, from 1000 pairs of both kinds. Below 1 antithetic pairs lose.
"""

import numpy as np

ALPHA, SIGMA, PAIRS = 0.04, 0.1, 1000


def gradient(noise, u, v, eta):
    """The gradient of the noisy loss; eta has the two rows of noise, of which label noise and Dropout use the first."""
    if noise == "label noise":
        r = u * v - 1 - eta[0]
        return r * v, r * u
    if noise == "Dropout (Gaussian)":
        factor = 1 + eta[0]
        r = factor * u * v - 1
        return factor * r * v, factor * r * u
    if noise == "anti-PGD":
        u, v = u + eta[0], v + eta[1]
        r = u * v - 1
        return r * v, r * u
    r = u * v - 1
    return r * v + eta[0], r * u + eta[1]


def variances(noise, steps, antithetic, rng):
    """The variances of the pair means of u and of u^2 - v^2 at the end."""
    u, v = np.full(2 * PAIRS, 2.0), np.full(2 * PAIRS, 0.5)
    for _ in range(steps):
        eta = SIGMA * rng.standard_normal((2, PAIRS if antithetic else 2 * PAIRS))
        if antithetic:
            eta = np.concatenate([eta, -eta], axis=1)
        du, dv = gradient(noise, u, v, eta)
        u, v = u - ALPHA * du, v - ALPHA * dv
    return [x.reshape(2, PAIRS).mean(0).var() for x in (u, u * u - v * v)]


def main():
    rng = np.random.default_rng(1)
    print("| noise | u | imbalance u² − v² |\n|---|---|---|")
    for noise in ("label noise", "Dropout (Gaussian)", "anti-PGD", "Langevin"):
        steps = round(0.5 / (ALPHA * SIGMA) ** 2) if noise == "Langevin" else round(1 / (ALPHA * SIGMA**2))
        independent = variances(noise, steps, False, rng)
        opposite = variances(noise, steps, True, rng)
        print(f"| {noise} |", " | ".join(f"{a / b:.1f}" for a, b in zip(independent, opposite)), "|")


if __name__ == "__main__":
    main()
