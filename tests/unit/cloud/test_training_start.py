"""Where a training starts, and how its weights are rounded: both by formulas that luck has no part in."""

import itertools

import numpy as np
import pytest

from cloud.training.autoencoder import Autoencoder, widths_for
from cloud.training.copies import copies_that_pay, with_copies
from cloud.training.ranges import Representative, equalized, extremes, representative
from cloud.training.rounding import rounded
from cloud.training.start import Disturbance, linear_denoiser, started

FEATURES = 16


@pytest.fixture(scope="module")
def rows():
    """Sixteen features that follow three hidden causes, off centre."""
    draw = np.random.default_rng(1)
    causes = draw.normal(size=(600, 3))
    return (causes @ draw.normal(size=(3, FEATURES)) / 2 + 0.2 * draw.normal(size=(600, FEATURES)) + 0.5).astype("f4")


def drawn(seed: int) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    widths = widths_for(FEATURES)
    shapes = itertools.pairwise(widths)
    return [w.astype("f4") for shape in shapes for w in (draw.uniform(-0.5, 0.5, shape), np.zeros(shape[1]))]


def as_autoencoder(weights: list[np.ndarray]) -> Autoencoder:
    return Autoencoder(tuple(weights[0::2]), tuple(weights[1::2]))


def test_the_start_is_the_linear_denoiser_whatever_was_drawn(rows):
    denoiser = linear_denoiser(rows, 4, Disturbance(0.3, 0.3))
    centred = rows - denoiser.mean
    expected = denoiser.mean + centred @ denoiser.encoder @ denoiser.decoder
    # where no unit is below the begin of its ReLU the two are the same map
    inside = (np.abs(centred @ denoiser.encoder) < 2.9 * denoiser.deviations).all(axis=1)
    assert inside.mean() > 0.9
    for seed in (1, 2):
        weights = started(drawn(seed), denoiser, 2.0)
        np.testing.assert_allclose(as_autoencoder(weights).forward(rows)[inside], expected[inside], atol=1e-4)
        assert max(np.linalg.norm(kernel, axis=0).max() for kernel in weights[0::2]) < 2.001


def test_the_denoiser_restores_hidden_features_better_than_principal_components(rows):
    draw = np.random.default_rng(2)
    shown = np.where(draw.random(rows.shape) < 0.7, rows - rows.mean(axis=0), 0.0)
    denoiser = linear_denoiser(rows, 3, Disturbance(0.3, 0.0))
    _, _, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    wanted = rows - rows.mean(axis=0)
    errors = [
        float(np.mean((wanted - restored) ** 2))
        for restored in (shown @ denoiser.encoder @ denoiser.decoder, shown @ directions[:3].T @ directions[:3])
    ]
    assert errors[0] < 0.9 * errors[1]


def test_silent_units_are_not_dead(rows):
    denoiser = linear_denoiser(rows, 4, Disturbance(0.3, 0.3))
    kernel, bias = started(drawn(3), denoiser, 2.0)[:2]
    active = (rows @ kernel + bias > 0)[:, 4:].mean(axis=0)
    assert ((active > 0.1) & (active < 0.9)).all()


def test_a_constant_feature_and_few_rows_have_a_start(rows):
    few = rows[:5].copy()
    few[:, 0] = 3.0
    weights = started(drawn(4), linear_denoiser(few, 4, Disturbance(0.3, 0.3)), 2.0)
    assert all(np.isfinite(weight).all() for weight in weights)


@pytest.fixture(scope="module")
def autoencoder(rows):
    return as_autoencoder(started(drawn(5), linear_denoiser(rows, 4, Disturbance(0.3, 0.3)), 2.0))


def test_rounded_weights_follow_the_layers_and_the_converter_finds_them_again(rows, autoencoder):
    chosen = Representative(rows, 3 * rows)
    found = rounded(autoencoder, chosen)
    for before, after in zip(autoencoder.kernels, found.kernels, strict=True):
        largest = np.abs(after).max(axis=0)
        np.testing.assert_allclose(largest, np.abs(before).max(axis=0), rtol=1e-6)
        steps = after / (largest / 127)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    nearest = Autoencoder(
        tuple(np.rint(k / (s := np.abs(k).max(axis=0) / 127)) * s for k in autoencoder.kernels), autoencoder.biases
    )
    wanted = autoencoder.forward(chosen.rows)
    errors = [np.sqrt(np.mean((other.forward(chosen.rows) - wanted) ** 2)) for other in (found, nearest)]
    assert errors[0] < 0.7 * errors[1]


def test_equalized_units_are_equally_large_and_the_map_is_the_same(rows, autoencoder):
    found = equalized(autoencoder, rows)
    np.testing.assert_allclose(found.forward(rows), autoencoder.forward(rows), atol=1e-4)
    hidden = np.maximum(rows @ found.kernels[0] + found.biases[0], 0).max(axis=0)
    assert hidden.max() < 1.001 * hidden.min()
    before = np.maximum(rows @ autoencoder.kernels[0] + autoencoder.biases[0], 0).max(axis=0)
    assert before.max() > 2 * before.min()


def test_a_unit_that_all_outputs_follow_is_copied_with_interleaved_steps(rows):
    draw = np.random.default_rng(6)
    level = (draw.normal(size=(800, 1)) + 0.05 * draw.normal(size=(800, 48))).astype("f4")
    kernels = [draw.normal(size=shape).astype("f4") / 20 for shape in ((48, 12), (12, 48))]
    kernels[0][:, 0], kernels[1][0] = 1 / 48, 1.0
    single = Autoencoder(tuple(kernels), (np.full(12, 3, "f4"), np.full(48, -3, "f4")))
    found = with_copies(single, level)
    copies = found.kernels[0].shape[1] - 12
    assert 1 <= copies <= 0.25 * 12
    np.testing.assert_array_equal(found.kernels[0][:, 12], kernels[0][:, 0])
    step = np.maximum(level @ kernels[0] + 3, 0).max() / 255
    np.testing.assert_allclose(found.forward(level), single.forward(level), atol=step)

    def noise_of(model: Autoencoder) -> float:
        hidden = np.maximum(level @ model.kernels[0] + model.biases[0], 0)
        return float(np.mean(((np.rint(hidden / step) * step - hidden) @ model.kernels[1]) ** 2))

    assert noise_of(found) < 0.5 * noise_of(single)


def test_a_single_layer_has_nothing_to_copy(rows):
    single = Autoencoder((np.eye(FEATURES, dtype="f4"),), (np.zeros(FEATURES, "f4"),))
    np.testing.assert_array_equal(with_copies(single, rows).kernels[0], single.kernels[0])


def test_a_machine_that_never_moves_needs_no_copies(autoencoder):
    still = Autoencoder(tuple(0 * kernel for kernel in autoencoder.kernels), tuple(0 * b for b in autoencoder.biases))
    found = with_copies(still, np.zeros((40, FEATURES), "f4"))
    assert [kernel.shape for kernel in found.kernels] == [kernel.shape for kernel in still.kernels]


def test_copies_stop_where_they_cost_more_than_they_bring(autoencoder):
    even = [np.ones(kernel.shape[1]) for kernel in autoencoder.kernels[:-1]]
    assert all((count == 1).all() for count in copies_that_pay(even, 0.0, autoencoder))
    loud = [np.where(np.arange(len(noise)) == 1, 1e6, noise) for noise in even]
    counts = copies_that_pay(loud, 0.0, autoencoder)
    assert all((count[1] > 1) and count.sum() - count[1] == len(count) - 1 for count in counts)
    pairs = zip(autoencoder.kernels, autoencoder.kernels[1:], strict=False)
    added = sum(
        (count.sum() - len(count)) * (a.shape[0] + b.shape[1]) for count, (a, b) in zip(counts, pairs, strict=True)
    )
    assert added <= 0.25 * sum(kernel.size for kernel in autoencoder.kernels)


def test_rows_are_stretched_as_far_as_the_inputs_reach(rows, autoencoder):
    chosen = representative(autoencoder, rows, 5.0)
    assert np.abs(chosen.stretched).max() <= 5.0
    reach = np.abs(chosen.stretched - np.median(rows, axis=0)).sum() / np.abs(rows - np.median(rows, axis=0)).sum()
    assert 1.5 < reach < 3.0
    untouched = np.abs(autoencoder.forward(chosen.stretched)).max(axis=1) > 5.0
    np.testing.assert_array_equal(chosen.stretched[untouched], chosen.healthy[untouched])
    few = extremes(autoencoder, chosen.rows)
    assert len(few) <= 10
    for part in (few, chosen.rows):
        restored = autoencoder.forward(part)
        ends = (part.min(), part.max(), restored.min(), restored.max())
        np.testing.assert_allclose(ends, (chosen.rows.min(), chosen.rows.max(), *_ends(autoencoder, chosen.rows)), 1e-5)


def _ends(autoencoder: Autoencoder, rows: np.ndarray) -> tuple[float, float]:
    restored = autoencoder.forward(rows)
    return restored.min(), restored.max()
