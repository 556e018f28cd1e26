"""W1–W5 in JAX: one compiled scan over the steps, vectorised over the paths, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
VERSION = jax.__version__
# Paths of a large ensemble: the fastest of 16 to 16 384, where the works leave it open.
PATHS = {"W1": 16_384, "W2": 16_384, "W3": 128, "W4": 64, "W5": 10_000}


def unit(paths):
    """Steps are taken in multiples of this, the length of the scan."""
    return 4000 if paths == 1 else 100


def build(work, problem, paths, seed):
    """advance(n) takes n steps of every path, check() returns one number a path."""
    step, size = BUILDERS[work](problem)
    length = unit(paths)
    # The noise of so many steps is drawn at once.
    drawn = min(length, max(1, 2**16 // (paths * size)))
    while length % drawn:
        drawn -= 1

    @jax.jit
    def chunk(w, key):
        def several(w, key):
            eta = jax.random.normal(key, (drawn, size, paths))
            return jax.lax.scan(lambda w, eta: (step(w, eta), None), w, eta)

        return jax.lax.scan(several, w, jax.random.split(key, length // drawn))[0]

    start = jnp.array(problem["start"])
    state = {"w": jnp.repeat(start[:, None], paths, axis=1), "key": jax.random.key(seed)}

    def advance(steps):
        for _ in range(steps // length):
            state["key"], key = jax.random.split(state["key"])
            state["w"] = chunk(state["w"], key)
        state["w"].block_until_ready()

    def check():
        square = np.asarray(state["w"]) ** 2
        return square[0] - square[1] if work in ("W1", "W2") else square.sum(axis=0)

    return advance, check


def label_noise(problem):
    alpha, sigma = problem["step_size"], problem["sigma"]

    def step(w, eta):
        u, v = w
        r = alpha * (u * v - 1.0 - sigma * eta[0])
        return jnp.stack([u - r * v, v - r * u])

    return step, 1


def anti_pgd(problem):
    alpha, sigma = problem["step_size"], problem["sigma"]

    def step(w, eta):
        a, b = w + sigma * eta
        r = alpha * (a * b - 1.0)
        return w - jnp.stack([r * b, r * a])

    return step, 2


def diagonal_network(problem):
    alpha, sigma = problem["step_size"], problem["sigma"]
    inputs, targets = jnp.array(problem["inputs"]), jnp.array(problem["targets"])[:, None]
    samples, features = inputs.shape

    def step(w, eta):
        u, v = w[:features], w[features:]
        residual = inputs @ (u * u - v * v) - targets - sigma * eta
        pulled = (2.0 * alpha / samples) * (inputs.T @ residual)
        return jnp.concatenate([u - u * pulled, v + v * pulled])

    return step, samples


def perceptron(problem):
    alpha, sigma = problem["step_size"], problem["sigma"]
    inputs, targets = jnp.array(problem["inputs"]), jnp.array(problem["targets"])[:, None]
    samples = len(targets)

    def loss(w, eta):
        first, biases, outer, bias = w[:64].reshape(32, 2), w[64:96], w[96:128], w[128]
        hidden = jnp.tanh(inputs @ first.T + biases)
        residual = hidden @ outer + bias - targets[:, 0] - sigma * eta
        return 0.5 * jnp.mean(residual**2)

    gradient = jax.vmap(jax.grad(loss), in_axes=1, out_axes=1)
    return lambda w, eta: w - alpha * gradient(w, eta), samples


def ornstein_uhlenbeck(problem):
    step, rate = problem["time_step"], problem["rate"]
    scale = problem["strength"] * step**0.5
    return lambda x, shock: x - (rate * step) * x + scale * shock, 2


BUILDERS = {
    "W1": label_noise,
    "W2": anti_pgd,
    "W3": diagonal_network,
    "W4": perceptron,
    "W5": ornstein_uhlenbeck,
}
