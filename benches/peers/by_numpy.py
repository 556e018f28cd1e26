"""W1–W5 in NumPy: every line of a step acts on all paths at once, in place."""

import numpy as np

VERSION = np.__version__
# Paths of a large ensemble: the fastest of 16 to 16 384, where the works leave it open.
PATHS = {"W1": 16_384, "W2": 16_384, "W3": 128, "W4": 128, "W5": 10_000}


def unit(paths):
    """Steps are taken in multiples of this."""
    return 1


def build(work, problem, paths, seed):
    """advance(n) takes n steps of every path, check() returns one number a path."""
    random = np.random.Generator(np.random.SFC64(seed))
    return BUILDERS[work](problem, paths, random)


def label_noise(problem, paths, random):
    alpha, sigma = problem["step_size"], problem["sigma"]
    u, v = (np.full(paths, x) for x in problem["start"])
    eta, r, g = np.empty(paths), np.empty(paths), np.empty(paths)

    def advance(steps):
        for _ in range(steps):
            random.standard_normal(out=eta)
            np.multiply(eta, sigma, out=eta)
            np.multiply(u, v, out=r)
            np.subtract(r, 1.0, out=r)
            np.subtract(r, eta, out=r)
            np.multiply(r, alpha, out=r)
            np.multiply(r, v, out=g)
            np.multiply(r, u, out=r)
            np.subtract(u, g, out=u)
            np.subtract(v, r, out=v)

    return advance, lambda: u * u - v * v


def anti_pgd(problem, paths, random):
    alpha, sigma = problem["step_size"], problem["sigma"]
    u, v = (np.full(paths, x) for x in problem["start"])
    point, r, g = np.empty((2, paths)), np.empty(paths), np.empty(paths)

    def advance(steps):
        for _ in range(steps):
            random.standard_normal(out=point)
            np.multiply(point, sigma, out=point)
            np.add(point[0], u, out=point[0])
            np.add(point[1], v, out=point[1])
            np.multiply(point[0], point[1], out=r)
            np.subtract(r, 1.0, out=r)
            np.multiply(r, alpha, out=r)
            np.multiply(r, point[1], out=g)
            np.multiply(r, point[0], out=r)
            np.subtract(u, g, out=u)
            np.subtract(v, r, out=v)

    return advance, lambda: u * u - v * v


def diagonal_network(problem, paths, random):
    alpha, sigma = problem["step_size"], problem["sigma"]
    inputs, targets = np.array(problem["inputs"]), np.array(problem["targets"])[:, None]
    samples, features = inputs.shape
    transposed = np.ascontiguousarray(inputs.T) * (2 * alpha / samples)
    start = np.array(problem["start"])[:, None]
    u, v = (np.repeat(x, paths, axis=1) for x in (start[:features], start[features:]))
    beta, square, pulled = (np.empty((features, paths)) for _ in range(3))
    residual, eta = (np.empty((samples, paths)) for _ in range(2))

    def advance(steps):
        for _ in range(steps):
            random.standard_normal(out=eta)
            np.multiply(eta, sigma, out=eta)
            np.multiply(u, u, out=beta)
            np.multiply(v, v, out=square)
            np.subtract(beta, square, out=beta)
            np.matmul(inputs, beta, out=residual)
            np.subtract(residual, targets, out=residual)
            np.subtract(residual, eta, out=residual)
            np.matmul(transposed, residual, out=pulled)
            np.subtract(1.0, pulled, out=beta)
            np.multiply(u, beta, out=u)
            np.add(1.0, pulled, out=pulled)
            np.multiply(v, pulled, out=v)

    return advance, lambda: (u * u).sum(axis=0) + (v * v).sum(axis=0)


def perceptron(problem, paths, random):
    alpha, sigma = problem["step_size"], problem["sigma"]
    targets = np.array(problem["targets"])
    samples = len(targets)
    # A column of ones: the hidden bias is a third weight.
    inputs = np.column_stack([problem["inputs"], np.ones(samples)])
    transposed = np.ascontiguousarray(inputs.T)
    weights, biases, outer, bias = np.split(np.array(problem["start"]), [64, 96, 128])
    first = np.column_stack([weights.reshape(32, 2), biases])
    first = np.repeat(first[None], paths, axis=0)
    outer, bias = np.repeat(outer[None], paths, axis=0), np.repeat(bias, paths)
    hidden, slope = (np.empty((paths, 32, samples)) for _ in range(2))
    rows = (paths * 32, samples)
    eta, pulled = np.empty((paths, samples)), np.empty((paths * 32, 3))

    def advance(steps):
        for _ in range(steps):
            random.standard_normal(out=eta)
            np.multiply(eta, sigma, out=eta)
            np.matmul(first.reshape(-1, 3), transposed, out=hidden.reshape(rows))
            np.tanh(hidden, out=hidden)
            residual = np.matmul(outer[:, None, :], hidden)[:, 0]
            residual += bias[:, None]
            residual -= targets
            residual -= eta
            residual *= alpha / samples
            np.multiply(hidden, hidden, out=slope)
            np.subtract(1.0, slope, out=slope)
            np.multiply(slope, outer[:, :, None], out=slope)
            np.multiply(slope, residual[:, None, :], out=slope)
            np.matmul(slope.reshape(rows), inputs, out=pulled)
            np.subtract(outer, np.matmul(hidden, residual[:, :, None])[:, :, 0], out=outer)
            np.subtract(bias, residual.sum(axis=1), out=bias)
            np.subtract(first, pulled.reshape(first.shape), out=first)

    def check():
        return (first**2).sum(axis=(1, 2)) + (outer**2).sum(axis=1) + bias**2

    return advance, check


def ornstein_uhlenbeck(problem, paths, random):
    step, rate = problem["time_step"], problem["rate"]
    decay, scale = 1.0 - rate * step, problem["strength"] * step**0.5
    x = np.repeat(np.array(problem["start"])[:, None], paths, axis=1)
    shock = np.empty_like(x)

    def advance(steps):
        for _ in range(steps):
            random.standard_normal(out=shock)
            np.multiply(shock, scale, out=shock)
            np.multiply(x, decay, out=x)
            np.add(x, shock, out=x)

    return advance, lambda: (x * x).sum(axis=0)


BUILDERS = {
    "W1": label_noise,
    "W2": anti_pgd,
    "W3": diagonal_network,
    "W4": perceptron,
    "W5": ornstein_uhlenbeck,
}
