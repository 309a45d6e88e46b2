"""The features against floating point: how near they are, over how many decibels, at which amplitudes."""

import itertools

import numpy as np
import pytest

from shared.signal import arrays
from shared.signal.definition import band_edges

BANDS = 16
#: Decibels of one step of a feature, and of one step of twice a level.
STEP = 10 * np.log10(2) / 256


def tones(samples, amplitude, rng):
    """A loud tone sweeps through the spectrum, one of a thousandth of its amplitude stands elsewhere."""
    time = np.arange(samples)
    loud = np.linspace(2, samples / 2 - 2, 100)[:, None]
    phases = rng.uniform(0, 2 * np.pi, (2, 100, 1))
    made = np.sin(2 * np.pi * loud * time / samples + phases[0])
    return amplitude * (made + 1.2e-3 * np.sin(2 * np.pi * np.roll(loud, 50, 0) * time / samples + phases[1]))


def noise(samples, amplitude, rng):
    """Noise whose bands lie up to 58 dB below the largest."""
    spectrum = np.fft.rfft(rng.normal(0, 1, (100, samples)), axis=1)
    edges = band_edges(samples, BANDS)
    gains = 10 ** (-rng.uniform(0, 58, (100, BANDS)) / 20)
    for band in range(BANDS):
        spectrum[:, edges[band] : edges[band + 1]] *= gains[:, band : band + 1]
    made = np.fft.irfft(spectrum, samples, axis=1)
    return amplitude * made / np.abs(made).max(axis=1, keepdims=True)


def exact(windows, edges):
    """Level, crest, kurtosis and bands in dB, and the bands' energies."""
    x = windows - windows.mean(axis=1, keepdims=True)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(windows.shape[1]) / windows.shape[1])
    bins = np.abs(np.fft.rfft(x * hann, axis=1)) ** 2
    bands = np.stack([bins[:, low:high].sum(axis=1) for low, high in itertools.pairwise(edges)], axis=1)
    energy, largest, fourth = (x**2).sum(axis=1), (x**2).max(axis=1), (x**4).sum(axis=1)
    moments = np.stack([energy, largest / energy, fourth / 2**16 / energy**2], axis=1)
    return 10 * np.log10(moments), 10 * np.log10(bands), bands


@pytest.mark.parametrize("signal", [tones, noise])
@pytest.mark.parametrize(
    ("amplitude", "decibels", "allowed"),
    [(32000, 60, 0.013), (32000, 80, 0.013), (3000, 60, 0.013), (3000, 80, 0.013), (300, 60, 0.02)],
)
@pytest.mark.parametrize("samples", [256, 1024, 4096])
def test_bands_are_near_down_to_far_below_the_largest(signal, amplitude, decibels, allowed, samples):
    edges = band_edges(samples, BANDS)
    windows = np.rint(signal(samples, amplitude, np.random.default_rng(samples))).astype(np.int64)
    found = arrays.fast_features(windows, tuple(edges))[:, 3:] * STEP
    _, bands, energies = exact(windows, edges)
    heard = energies > energies.max(axis=1, keepdims=True) * 10 ** (-decibels / 10)
    assert heard.sum() > 150
    assert np.abs(found - bands)[heard].max() < allowed


@pytest.mark.parametrize("signal", [tones, noise])
@pytest.mark.parametrize(("amplitude", "allowed"), [(32000, (0.013, 0.015, 0.03)), (3000, (0.013, 0.02, 0.03)),
                                                    (300, (0.013, 0.07, 0.03)), (30, (0.03, 0.5, 0.15))])  # fmt: skip
def test_level_crest_and_kurtosis_are_near(signal, amplitude, allowed):
    windows = np.rint(signal(1024, amplitude, np.random.default_rng(7))).astype(np.int64)
    edges = band_edges(1024, BANDS)
    found = arrays.fast_features(windows, tuple(edges))[:, :3] * STEP
    moments, _, _ = exact(windows, edges)
    assert (np.abs(found - moments).max(axis=0) < allowed).all()


def modulated(samples, amplitude, rng):
    """Tones within the band, by a thousandth up to wholly modulated by others."""
    time = 2 * np.pi * np.arange(samples) / samples
    carrier, rate = rng.uniform(0.2, 0.3, (60, 1)) * samples, rng.uniform(3, samples / 40, (60, 1))
    depth = 10 ** rng.uniform(-3, 0, (60, 1))
    return amplitude * (1 + depth * np.cos(rate * time)) / (1 + depth) * np.cos(carrier * time)


def knocking(samples, amplitude, rng):
    """Knocks that ring a resonance within the band, in noise down to 60 dB below them."""
    rate, ringing = rng.uniform(2, 20, (60, 1)), rng.uniform(5, samples / 40, (60, 1))
    phase = (rate * np.arange(samples) / samples + rng.random((60, 1))) % 1 * samples / rate
    made = np.exp(-phase / ringing) * np.cos(np.pi * rng.uniform(0.45, 0.55, (60, 1)) * phase)
    made += rng.normal(0, 1, (60, samples)) * 10 ** rng.uniform(-3, 0, (60, 1))
    return amplitude * made / np.abs(made).max(axis=1, keepdims=True)


def exact_envelope(windows, first, bins, edges):
    """Energies of the envelope's bands in the features' unit, and the one that would modulate the envelope wholly."""
    samples = windows.shape[1]
    band = np.fft.fft(windows - windows.mean(axis=1, keepdims=True))[:, first : first + bins]
    squares = 256 * np.abs(np.fft.ifft(band) * 2 * bins / samples) ** 2
    mean = squares.mean(axis=1, keepdims=True)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(bins) / bins)
    energies = np.abs(np.fft.rfft((squares - mean) * hann)) ** 2
    bands = np.stack([energies[:, low:high].sum(axis=1) for low, high in itertools.pairwise(edges)], axis=1)
    return bands, (mean * bins / 2) ** 2


@pytest.mark.parametrize("signal", [modulated, knocking])
@pytest.mark.parametrize("amplitude", [32000, 3200, 320, 32])
@pytest.mark.parametrize(("samples", "bins"), [(256, 64), (1024, 256), (4096, 1024), (4096, 256)])
def test_envelope_bands_are_near_over_60_decibels_of_amplitude_and_of_depth(signal, amplitude, samples, bins):
    edges, first = band_edges(bins, 16), samples // 4 - bins // 2
    windows = np.rint(signal(samples, amplitude, np.random.default_rng(samples))).astype(np.int64)
    found = arrays.fast_features(windows, (1, 2), (first, bins, tuple(edges)))[:, 4:] * STEP
    energies, whole = exact_envelope(windows, first, bins, edges)
    errors = np.abs(found - 10 * np.log10(energies))
    for decibels, allowed in ((60, 0.02), (80, 0.15)):
        heard = energies > whole * 10 ** (-decibels / 10)
        assert heard.sum() > 80
        assert errors[heard].max() < allowed
