"""W1–W5 in Numba: plain loops, path by path, normal numbers from a PCG64 generator, sums free to be reordered."""

import math

import numba
import numpy as np
from numba import njit

VERSION = numba.__version__
# Paths of a large ensemble; path by path their number hardly matters.
PATHS = {"W1": 4096, "W2": 4096, "W3": 512, "W4": 512, "W5": 10_000}


def unit(paths):
    """Steps are taken in multiples of this."""
    return 1


def build(work, problem, paths, seed):
    """advance(n) takes n steps of every path, check() returns one number a path."""
    random = np.random.Generator(np.random.PCG64(seed))
    state = np.tile(np.array(problem["start"]), (paths, 1))
    if work == "W5":
        step = problem["time_step"]
        scale = problem["strength"] * math.sqrt(step)
        loop, rest = ornstein_uhlenbeck, (1.0 - problem["rate"] * step, scale)
    else:
        loop, rest = LOOPS[work], (problem["step_size"], problem["sigma"])
    if work in ("W3", "W4"):
        rest += (np.array(problem["inputs"]), np.array(problem["targets"]))

    def check():
        square = state * state
        return square[:, 0] - square[:, 1] if work in ("W1", "W2") else square.sum(axis=1)

    return lambda steps: loop(random, state, steps, *rest), check


@njit(fastmath=True, cache=True, nogil=True)
def label_noise(random, state, steps, alpha, sigma):
    for path in range(len(state)):
        u, v = state[path, 0], state[path, 1]
        for _ in range(steps):
            r = alpha * (u * v - 1.0 - sigma * random.standard_normal())
            u, v = u - r * v, v - r * u
        state[path, 0], state[path, 1] = u, v


@njit(fastmath=True, cache=True, nogil=True)
def anti_pgd(random, state, steps, alpha, sigma):
    for path in range(len(state)):
        u, v = state[path, 0], state[path, 1]
        for _ in range(steps):
            a = u + sigma * random.standard_normal()
            b = v + sigma * random.standard_normal()
            r = alpha * (a * b - 1.0)
            u, v = u - r * b, v - r * a
        state[path, 0], state[path, 1] = u, v


@njit(fastmath=True, cache=True, nogil=True)
def diagonal_network(random, state, steps, alpha, sigma, inputs, targets):
    samples, features = inputs.shape
    beta, pulled = np.empty(features), np.empty(features)
    scale = 2.0 * alpha / samples
    for path in range(len(state)):
        u, v = state[path, :features], state[path, features:]
        for _ in range(steps):
            for j in range(features):
                beta[j] = u[j] * u[j] - v[j] * v[j]
                pulled[j] = 0.0
            for i in range(samples):
                r = -targets[i] - sigma * random.standard_normal()
                for j in range(features):
                    r += inputs[i, j] * beta[j]
                r *= scale
                for j in range(features):
                    pulled[j] += r * inputs[i, j]
            for j in range(features):
                u[j] *= 1.0 - pulled[j]
                v[j] *= 1.0 + pulled[j]


@njit(fastmath=True, cache=True, nogil=True)
def perceptron(random, state, steps, alpha, sigma, inputs, targets):
    samples, width = len(targets), 32
    hidden, pulled = np.empty(width), np.empty(state.shape[1])
    for path in range(len(state)):
        w = state[path]
        for _ in range(steps):
            pulled[:] = 0.0
            for i in range(samples):
                x, y = inputs[i, 0], inputs[i, 1]
                r = w[128] - targets[i] - sigma * random.standard_normal()
                for j in range(width):
                    hidden[j] = math.tanh(w[2 * j] * x + w[2 * j + 1] * y + w[64 + j])
                    r += w[96 + j] * hidden[j]
                r *= alpha / samples
                for j in range(width):
                    back = r * w[96 + j] * (1.0 - hidden[j] * hidden[j])
                    pulled[2 * j] += back * x
                    pulled[2 * j + 1] += back * y
                    pulled[64 + j] += back
                    pulled[96 + j] += r * hidden[j]
                pulled[128] += r
            for j in range(len(w)):
                w[j] -= pulled[j]


@njit(fastmath=True, cache=True, nogil=True)
def ornstein_uhlenbeck(random, state, steps, decay, scale):
    for path in range(len(state)):
        x, y = state[path, 0], state[path, 1]
        for _ in range(steps):
            x = decay * x + scale * random.standard_normal()
            y = decay * y + scale * random.standard_normal()
        state[path, 0], state[path, 1] = x, y


LOOPS = {"W1": label_noise, "W2": anti_pgd, "W3": diagonal_network, "W4": perceptron}
