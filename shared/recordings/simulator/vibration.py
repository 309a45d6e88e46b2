"""What the accelerometer of a healthy pump shows, block by block; any block can be made without the others."""

import numpy as np
from numpy.typing import NDArray

from shared.recordings.simulator.machine import (
    FULL_SCALE_G,
    HARMONICS,
    LINE_HZ,
    SAMPLE_RATE_HZ,
    SCALE_G,
    STREAM_NOISE,
    Machine,
    flow_shape,
    stream,
)
from shared.recordings.simulator.schedule import BLOCK, BLOCK_S, Operation

#: Noise of one block fades into the next over this many samples.
_FADE = 128
_NOISE = BLOCK + _FADE
_SPEED_POWER = 1.5  # broadband force against speed
_SAMPLES = np.arange(BLOCK, dtype=np.float64)
_ALONG = (_SAMPLES / BLOCK).astype(np.float32)
_FADE_IN = np.sin(0.5 * np.pi * (np.arange(_FADE) + 0.5) / _FADE).astype(np.float32)
_FADE_OUT = _FADE_IN[::-1].copy()


class HealthyVibration:
    """Acceleration of a healthy machine. Blocks are independent: the same block is the same bytes in any selection."""

    def __init__(self, seed: int, machine: Machine, operation: Operation) -> None:
        self.seed = seed
        self.machine = machine
        self.operation = operation
        frequency = np.arange(_NOISE // 2 + 1, dtype=np.float64) * (SAMPLE_RATE_HZ / _NOISE)
        self._structure = machine.response(frequency) ** 2 * machine.noise_density[:, None]
        self._flow = flow_shape(frequency) * machine.flow_density[:, None]
        self._floor = machine.noise_floor_g**2 / (SAMPLE_RATE_HZ / 2)
        self._orders = (*HARMONICS, machine.vanes, 2 * machine.vanes)

    def acceleration(self, blocks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Acceleration in g of shape (blocks, 3, BLOCK), static part included."""
        signal = self._noise(blocks)
        signal += self.tones(blocks)
        signal += self.machine.gravity_g.astype(np.float32)[:, None]
        return signal

    def _noise(self, blocks: NDArray[np.int64]) -> NDArray[np.float32]:
        wanted = np.unique(np.concatenate([blocks, blocks - 1]))
        wanted = wanted[wanted >= 0]
        middle = wanted + 0.5
        speed, load = self.operation.at(middle * BLOCK_S)
        relative = speed / self.machine.rated_speed_hz
        excitation = relative ** (2 * _SPEED_POWER) * (0.65 + 0.35 * load)
        density = (
            excitation[:, None, None] * self._structure
            + (relative**3 * load**2)[:, None, None] * self._flow
            + self._floor
        )
        scale = np.sqrt(density * (SAMPLE_RATE_HZ * _NOISE / 4)).astype(np.float32)
        spectrum = np.empty(scale.shape, dtype=np.complex64)
        for place, block in enumerate(wanted.tolist()):
            random = stream(self.seed, STREAM_NOISE, block)
            pairs = random.standard_normal((*scale.shape[1:], 2), dtype=np.float32)
            spectrum[place] = pairs.view(np.complex64)[..., 0]
        spectrum *= scale
        spectrum[..., 0] = 0
        noise = np.fft.irfft(spectrum, _NOISE, axis=-1).astype(np.float32, copy=False)
        rows = np.searchsorted(wanted, blocks)
        signal: NDArray[np.float32] = noise[rows, :, :BLOCK]
        later = blocks > 0
        signal[later, :, :_FADE] *= _FADE_IN
        signal[later, :, :_FADE] += noise[rows[later] - 1, :, BLOCK:] * _FADE_OUT
        return signal

    def tones(self, blocks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Shaft and vane harmonics and twice the line frequency, in g, shape (blocks, 3, BLOCK)."""
        wave = turned(self.operation.angle(blocks, _SAMPLES))
        basis = np.empty((len(blocks), 2 * len(self._orders) + 2, BLOCK), dtype=np.float32)
        power = wave
        order = 1
        for place, wanted in sorted(enumerate(self._orders), key=lambda pair: pair[1]):
            while order < wanted:
                power = power * wave
                order += 1
            basis[:, 2 * place] = power.real
            basis[:, 2 * place + 1] = power.imag
        line = turned(2 * LINE_HZ * (blocks[:, None] * BLOCK_S + _SAMPLES / SAMPLE_RATE_HZ))
        basis[:, -2] = line.real
        basis[:, -1] = line.imag
        first: NDArray[np.float32] = self._coefficients(blocks) @ basis
        last: NDArray[np.float32] = self._coefficients(blocks + 1) @ basis
        return first + (last - first) * _ALONG

    def _coefficients(self, edges: NDArray[np.int64]) -> NDArray[np.float32]:
        """Amplitudes of the basis at block edges, shape (edges, 3, waves)."""
        machine = self.machine
        speed, load = self.operation.speed_hz[edges], self.operation.load[edges]
        force = (speed / machine.rated_speed_hz) ** 2
        orders = np.array(self._orders, dtype=np.float64)
        gain = 1 + np.moveaxis(machine.response(speed[:, None] * orders), 0, 1)  # (edges, 3, orders)
        amplitude = np.concatenate([machine.harmonic_g, machine.vane_g], axis=1) * gain * force[:, None, None]
        amplitude[:, :, len(HARMONICS) :] *= (0.4 + 0.6 * load)[:, None, None]
        phase = np.concatenate([machine.harmonic_phase, machine.vane_phase], axis=1)
        line = machine.line_g * ((speed > 0) * (0.3 + 0.7 * load))[:, None]
        waves = np.empty((len(edges), 3, 2 * len(orders) + 2), dtype=np.float32)
        waves[:, :, 0:-2:2] = amplitude * np.cos(phase)
        waves[:, :, 1:-2:2] = amplitude * np.sin(phase)
        waves[:, :, -2] = line
        waves[:, :, -1] = 0
        return waves


def turned(turns: NDArray[np.float64]) -> NDArray[np.complex64]:
    """``exp(2j pi turns)`` in single precision, the whole turns taken off before.

    >>> turned(np.array([1000.25])).round(4)
    array([-0.+1.j], dtype=complex64)
    """
    angle = ((turns - np.floor(turns)) * (2 * np.pi)).astype(np.float32)
    wave = np.empty(angle.shape, dtype=np.complex64)
    wave.real = np.cos(angle)
    wave.imag = np.sin(angle)
    return wave


def quantized(acceleration_g: NDArray[np.float32]) -> NDArray[np.int16]:
    """Counts of the converter: rounded, held at full scale.

    >>> quantized(np.array([1.0, 100.0, -100.0], dtype=np.float32)).tolist()
    [2048, 32767, -32768]
    """
    limit = FULL_SCALE_G / SCALE_G
    held = np.clip(np.rint(acceleration_g / np.float32(SCALE_G)), -limit, limit - 1)
    return held.astype(np.int16)  # type: ignore[no-any-return]
