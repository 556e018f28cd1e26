"""Path-steps per second of W1–W5 by one Python peer: in one process, in two at once, and of a single path.

A process has one thread and one core of its own; of JAX one process with two threads is measured as well.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import time

WORKS = ["W1", "W2", "W3", "W4", "W5"]


def start_peer(name, cores):
    """Imports a peer, which then sees these cores only."""
    os.sched_setaffinity(0, cores)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(len(cores))
    if len(cores) == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return importlib.import_module(f"by_{name}")


def rate(peer, work, problem, paths, seconds, seed, barrier):
    """Path-steps per second, after warming up; starts with the other processes at the barrier."""
    advance, _ = peer.build(work, problem, paths, seed)
    steps = peer.unit(paths)
    advance(steps)
    taken = 0.0
    while taken < 0.05:
        begin = time.perf_counter()
        advance(steps)
        taken = time.perf_counter() - begin
        steps *= 2
    steps = max(1, round(steps / 2 * seconds / taken / peer.unit(paths))) * peer.unit(paths)
    barrier.wait()
    begin = time.perf_counter()
    advance(steps)
    return paths * steps / (time.perf_counter() - begin)


def mean(peer, work, problem, seed):
    """Mean and standard error of the check after the steps that the problem names."""
    advance, check = peer.build(work, problem, problem["paths"], seed)
    advance(problem["steps"])
    values = check()
    return [float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)]


def measure(name, problems, settings, cores, seconds, seed, barrier, results):
    """One process: the rates of all works in each setting, and the means."""
    peer = start_peer(name, cores)
    rates, means = {}, {}
    for work in WORKS:
        problem = problems[work]
        for setting in settings:
            paths = 1 if setting == "single" else peer.PATHS[work]
            found = rate(peer, work, problem, paths, seconds, seed, barrier)
            rates.setdefault(work, {})[setting] = [found]
        if "single" in settings:
            means[work] = mean(peer, work, problem, seed)
    results.put({"version": peer.VERSION, "rates": rates, "means": means})


def run(name, problems, settings, cores, seconds, seed):
    """As many processes as there are sets of cores, all at the same time; their rates are added."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(len(cores)), context.Queue()
    processes = [
        context.Process(
            target=measure,
            args=(name, problems, settings, mine, seconds, seed + i, barrier, results),
        )
        for i, mine in enumerate(cores)
    ]
    for process in processes:
        process.start()
    first, *others = [results.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    for other in others:
        for work, rates in other["rates"].items():
            for setting, [found] in rates.items():
                first["rates"][work][setting][0] += found
    return first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["numpy", "numba", "jax"])
    parser.add_argument("problem", help="data of the works, from cargo bench --bench works -- --problem FILE")
    parser.add_argument("json", help="where the figures go")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with open(given.problem) as file:
        problems = json.load(file)
    a, b = sorted(os.sched_getaffinity(0))[:2]
    figures = run(given.peer, problems, ["one", "single"], [{a}], given.seconds, given.seed)
    together = [(["two"], [{a}, {b}])]
    if given.peer == "jax":
        together.append((["threads"], [{a, b}]))
    for settings, cores in together:
        more = run(given.peer, problems, settings, cores, given.seconds, given.seed)
        for work, rates in more["rates"].items():
            figures["rates"][work].update(rates)
    with open(given.json, "w") as file:
        json.dump({"peer": given.peer, **figures}, file)


if __name__ == "__main__":
    main()
