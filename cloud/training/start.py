"""Where training starts: the best linear denoiser of the rows, in closed form, so that luck has little to decide.

What a linear autoencoder learns when a part of its inputs is hidden and noise is added to the others needs no steps:
the expectation over all that may be hidden is a formula of the rows' covariance (Chen, Xu, Weinberger and Sha,
"Marginalized Denoising Autoencoders for Domain Adaptation", 2012), and the best map of a given rank follows from a
singular value decomposition (reduced-rank regression). The units of the autoencoder carry it in the linear part of
their ReLU; units that are left begin silent, with weights of their own: they are what the seed still decides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Wide = NDArray[np.float64]

#: A unit's ReLU begins so many of its deviations below its mean: healthy rows see a line.
LINEAR_DEVIATIONS = 3.0
#: A unit that hardly moves is not scaled up beyond this deviation of its input.
_DEVIATION_MIN = 0.05


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What a denoising autoencoder is asked to undo: the part of the inputs that is hidden, noise on the others."""

    hidden_part: float
    noise: float


@dataclass(frozen=True, eq=False)
class LinearDenoiser:
    """``mean + (x - mean) @ encoder @ decoder`` of rank k: `encoder` (features, k), `decoder` (k, features).

    `deviations` (k,): how far each column of the code moves, noise included.
    """

    mean: Wide
    encoder: Wide
    decoder: Wide
    deviations: Wide


def linear_denoiser(x: Floats, rank: int, disturbance: Disturbance) -> LinearDenoiser:
    """The map of `rank` that best restores rows (rows, features) of which a part is hidden, the rest noisy.

    >>> x = np.random.default_rng(0).normal(size=(500, 1)) * np.ones((1, 4))
    >>> found = linear_denoiser(x.astype(np.float32), 1, Disturbance(0.3, 0.3))
    >>> restored = np.array([1.0, 1.0, 1.0, 0.0]) @ found.encoder @ found.decoder
    >>> bool((np.abs(restored - 1) < 0.15).all())
    True
    """
    mean = x.mean(axis=0, dtype=np.float64)
    centred = x.astype(np.float64) - mean
    covariance = centred.T @ centred / len(x)
    shown = 1.0 - disturbance.hidden_part
    seen = shown * shown * covariance
    np.fill_diagonal(seen, shown * (np.diag(covariance) + disturbance.noise**2))
    restoring = np.linalg.solve(seen, shown * covariance)
    values, vectors = np.linalg.eigh(seen)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    _, _, directions = np.linalg.svd(root @ restoring)
    decoder = directions[:rank]
    encoder = restoring @ decoder.T
    deviations = np.sqrt(np.maximum(np.einsum("ik,ij,jk->k", encoder, seen, encoder), 0.0))
    return LinearDenoiser(mean, encoder, decoder, deviations)


def started(weights: list[Floats], denoiser: LinearDenoiser, norm_max: float) -> list[Floats]:
    """`weights` (kernel, bias, kernel, bias, ...) with the denoiser in the first units of every hidden layer.

    Units behind them keep the weights that lead to them and get a bias that puts their kink into the middle of the
    rows; nothing leads from them to what the denoiser computes. No unit's weights have a norm above `norm_max`.
    """
    kernels = [weight.astype(np.float64) for weight in weights[0::2]]
    biases = [weight.astype(np.float64) for weight in weights[1::2]]
    rank = denoiser.encoder.shape[1]
    norms = np.linalg.norm(denoiser.encoder, axis=0)
    scale = np.maximum(np.maximum(denoiser.deviations, norms / norm_max), _DEVIATION_MIN)
    kernels[0][:, :rank] = denoiser.encoder / scale
    biases[0][:] = -denoiser.mean @ kernels[0]
    biases[0][:rank] += LINEAR_DEVIATIONS
    for kernel, bias in zip(kernels[1:-1], biases[1:-1], strict=True):
        kernel[:, :rank] = 0.0
        kernel[:rank, :rank] = np.eye(rank)
        bias[rank:] = -LINEAR_DEVIATIONS * kernel[:rank, rank:].sum(axis=0)
    kernels[-1][:rank] = scale[:, None] * denoiser.decoder
    kernels[-1][rank:] = 0.0
    biases[-1][:] = denoiser.mean - LINEAR_DEVIATIONS * kernels[-1][:rank].sum(axis=0)
    pairs = zip(kernels, biases, strict=True)
    return [weight.astype(np.float32) for pair in pairs for weight in pair]
