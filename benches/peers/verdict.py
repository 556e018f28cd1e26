"""Time to a verdict: `singlim verify` of three scenarios against the same study as a Numba script.

The script takes the rungs, paths and record points of the run, estimates the mean at every record on every rung with
its standard error, and extrapolates the mean at the horizon to α → 0 by weighted least squares on 1, α, α². Its time
is that of the simulation on two threads, scaled by (its standard error/ours)², ours being that of the same
extrapolation of the run's means: the standard error falls as paths^(−1/2), the time grows as paths. Compilation is
shown apart.
`singlim verify` also derives and integrates the limit, fits exponents and makes all its checks in its time.
"""

import argparse
import csv
import json
import math
import subprocess
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from by_numba import anti_pgd, label_noise
from numba import njit

THREADS = 2
# Scenario, observable.
STUDIES = {
    "product-label-noise": "imbalance",
    "product-anti-pgd": "imbalance",
    "two-layer-dropout": "norm",
}


@njit(fastmath=True, cache=True, nogil=True)
def dropout(random, state, steps, alpha, sigma, inputs, targets):
    """A network d–h–1 with tanh and no biases; one Gaussian mask of the hidden units a step."""
    samples, features = inputs.shape
    width = state.shape[1] // (features + 1)
    hidden, mask, pulled = np.empty(width), np.empty(width), np.empty(state.shape[1])
    outer = width * features
    for path in range(len(state)):
        w = state[path]
        for _ in range(steps):
            pulled[:] = 0.0
            for j in range(width):
                mask[j] = 1.0 + sigma * random.standard_normal()
            for i in range(samples):
                r = -targets[i]
                for j in range(width):
                    sum_in = 0.0
                    for k in range(features):
                        sum_in += w[j * features + k] * inputs[i, k]
                    hidden[j] = math.tanh(sum_in)
                    r += w[outer + j] * hidden[j] * mask[j]
                r *= alpha / samples
                for j in range(width):
                    back = r * w[outer + j] * mask[j] * (1.0 - hidden[j] * hidden[j])
                    for k in range(features):
                        pulled[j * features + k] += back * inputs[i, k]
                    pulled[outer + j] += r * hidden[j] * mask[j]
            for k in range(len(w)):
                w[k] -= pulled[k]


LOOPS = {"product-label-noise": label_noise, "product-anti-pgd": anti_pgd, "two-layer-dropout": dropout}


def observe(observable, state):
    if observable == "imbalance":
        return state[:, 0] ** 2 - state[:, 1] ** 2
    return np.sqrt((state**2).sum(axis=1))


def rungs_of(folder, observable):
    """Of every rung α, σ, paths, iterations of the records, and the run's mean and standard error at the horizon."""
    rungs = {}
    with open(folder / "summary.csv") as file:
        for row in csv.DictReader(file):
            if row["process"] == "descent" and row["observable"] == observable:
                rung = rungs.setdefault(int(row["level"]), {"records": []})
                rung["step_size"], rung["sigma"] = float(row["step_size"]), float(row["sigma"])
                rung["records"].append(int(row["iteration"]))
                rung["paths"] = int(row["paths"])
                rung["mean"] = float(row["mean"]), float(row["std_error"])
    return [rungs[level] for level in sorted(rungs)]


def simulate(loop, start, observable, rung, data, seeds):
    """Mean and standard error of the observable at every record, the paths shared out to the threads."""
    sizes = [len(part) for part in np.array_split(np.arange(rung["paths"]), THREADS)]

    def share(size, seed):
        random = np.random.Generator(np.random.PCG64(seed))
        state, values, done = np.tile(start, (size, 1)), [], 0
        for record in rung["records"]:
            loop(random, state, record - done, rung["step_size"], rung["sigma"], *data)
            values.append(observe(observable, state))
            done = record
        return np.array(values)

    with ThreadPoolExecutor(THREADS) as pool:
        values = np.concatenate(list(pool.map(share, sizes, seeds)), axis=1)
    return values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(rung["paths"])


def extrapolate(step_sizes, means):
    """The mean at α → 0 with its standard error."""
    alpha = np.array(step_sizes)
    value, error = np.array(means).T
    design = np.stack([np.ones_like(alpha), alpha, alpha**2], axis=1) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    return (covariance @ design.T @ (value / error))[0], math.sqrt(covariance[0, 0])


def study(name, singlim, problems, folder):
    """One line of the table."""
    observable, loop = STUDIES[name], LOOPS[name]
    out = Path(folder) / name
    scenario = f"scenarios/{name}.toml"
    begin = time.perf_counter()
    subprocess.run(
        [singlim, "verify", scenario, "--out", out, "--force", "--quiet", "--threads", str(THREADS)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    ours = time.perf_counter() - begin
    rungs = rungs_of(out, observable)
    with open(scenario, "rb") as file:
        ladder = len(tomllib.load(file)["ladder"]["step_sizes"])
    problem = problems[{"product-label-noise": "W1", "product-anti-pgd": "W2"}.get(name, name)]
    start = np.array(problem["start"])
    data = [np.array(problem[key]) for key in ("inputs", "targets") if key in problem]

    begin = time.perf_counter()
    loop(np.random.Generator(np.random.PCG64(0)), start[None].copy(), 1, 0.01, 0.1, *data)
    compilation = time.perf_counter() - begin
    seeds = np.random.SeedSequence(1).spawn(THREADS * len(rungs))
    begin = time.perf_counter()
    found = [
        simulate(loop, start, observable, rung, data, seeds[THREADS * i : THREADS * (i + 1)])
        for i, rung in enumerate(rungs)
    ]
    seconds = time.perf_counter() - begin
    at_horizon = [(means[-1], errors[-1]) for means, errors in found]
    for rung, (value, error) in zip(rungs, at_horizon, strict=True):
        known, its_error = rung["mean"]
        distance = abs(value - known) / math.hypot(error, its_error)
        if not distance < 5:
            alpha = rung["step_size"]
            raise SystemExit(f"{name}, α = {alpha}: {value}, not {known}: {distance:.1f} standard errors apart")
    step_sizes = [rung["step_size"] for rung in rungs[:ladder]]
    _, their_error = extrapolate(step_sizes, at_horizon[:ladder])
    _, our_error = extrapolate(step_sizes, [rung["mean"] for rung in rungs[:ladder]])
    scaled = seconds * (their_error / our_error) ** 2
    return {
        "scenario": name,
        "observable": observable,
        "path_steps": sum(rung["paths"] * rung["records"][-1] for rung in rungs),
        "std_error": our_error,
        "singlim": ours,
        "script": scaled,
        "compilation": compilation,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("singlim", help="the program")
    parser.add_argument("problem", help="data of the works, from cargo bench --bench works -- --problem FILE")
    parser.add_argument("folder", help="for run folders")
    parser.add_argument("json", help="where the figures go")
    given = parser.parse_args()
    problems = json.loads(Path(given.problem).read_text())
    studies = [study(name, given.singlim, problems, given.folder) for name in STUDIES]
    Path(given.json).write_text(json.dumps(studies))


if __name__ == "__main__":
    main()
