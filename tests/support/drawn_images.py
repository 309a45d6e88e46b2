"""Images with drawn numbers: wholly random ones, and ones whose scalings fit given healthy samples."""

import itertools

import numpy as np
from drawn_layers import drawn_chain
from numpy_device import raw_features, readings_of

from shared import model_image
from shared.model_image import ImageContent, Layer, Scaling
from shared.quantized.scorer import Scorer
from shared.signal import definition


def scaling_for(centre: float, deviation: float, units: int) -> Scaling:
    """`units` per deviation, within what an image may say."""
    factor = units / max(deviation, 1e-6)
    shift = 30
    while factor * 2.0**shift >= 2**30 and shift > 1:
        shift -= 1
    while factor * 2.0**shift < 2**15 and shift < model_image.SCALE_SHIFT_MAX:
        shift += 1
    multiplier = min(max(round(factor * 2.0**shift), 1), 2**30 - 1)
    return Scaling(int(np.clip(round(centre), -(2**31), 2**31 - 1)), multiplier, shift)


class Images:
    """Makes images: wholly random ones, and ones whose scalings fit given healthy samples."""

    def layers(self, rng: np.random.Generator, widths: list[int], extreme: bool = False) -> list[Layer]:
        made = []
        for inputs, outputs in itertools.pairwise(widths):
            weights = (
                rng.choice([-128, 127], (outputs, inputs)) if extreme else rng.integers(-128, 128, (outputs, inputs))
            )
            # so that outputs spread over int8 for inputs of about 40
            gain = 40.0 / (74.0 * 40.0 * np.sqrt(inputs))
            shifts = [int(shift) for shift in rng.integers(33, 44, outputs)]
            made.append(
                Layer(
                    inputs,
                    outputs,
                    weights.astype(np.int8).tobytes(),
                    [int(bias) for bias in rng.integers(-4000, 4000, outputs)],
                    [min(max(int(gain * rng.uniform(0.5, 2.0) * 2.0**shift), 1), 2**31 - 1) for shift in shifts],
                    shifts,
                    int(rng.integers(-128, 128)) if extreme else int(rng.integers(-10, 11)),
                    int(rng.choice([-128, 0])),
                )
            )
        return made

    def finished(self, content: ImageContent, rng: np.random.Generator) -> ImageContent:
        """With a golden vector, if it has layers."""
        if content.layers:
            content.golden_features = [int(value) for value in rng.integers(-300, 300, content.inputs)]
            scorer = Scorer(content)
            content.golden_score = scorer.score(content.golden_features)[0]
            content.golden_output = list(scorer.output)
        return content

    def random(
        self,
        seed: int,
        *,
        kind: int = definition.KIND_SLOW,
        channels: int = 3,
        window: int = 32,
        hop: int = 1,
        bands: int = 0,
        hidden: tuple[int, ...] = (7, 3, 7),
        layers: bool = True,
        gap_ns: int = 5_000_000_000,
        version: int = 1,
        extreme: bool = False,
        plain: bool = False,
        samples: bool = False,
        kinds: str | None = None,
        envelope: tuple[int, int, list[int]] | None = None,
    ) -> ImageContent:
        """Any image that the reader accepts.

        `extreme` draws multipliers, shifts and zeros from their whole ranges; `plain` makes every scaling 1. The model
        has dense layers of `hidden` widths or layers of the `kinds` of `drawn_chain`, and reads features or `samples`.
        `envelope` is its first bin, its bins and its edges.
        """
        rng = np.random.default_rng(seed)
        first_bin, bins, envelope_edges = envelope or (0, 0, [])
        features = channels * (4 if kind == definition.KIND_SLOW else 3 + bands + max(len(envelope_edges) - 1, 0))
        if samples and kind == definition.KIND_SLOW:
            features = 0
        inputs = channels * window if samples else features
        edges = sorted(int(edge) for edge in rng.choice(window // 2 + 2, bands + 1, replace=False)) if bands else []

        def scalings(count: int, spread: int) -> list[Scaling]:
            if plain:
                return [Scaling(0, 1 << 14, 14) for _ in range(count)]
            if extreme:
                return [
                    Scaling(int(rng.integers(-(2**31), 2**31)), int(rng.integers(1, 2**30)), int(rng.integers(1, 47)))
                    for _ in range(count)
                ]
            return [
                scaling_for(rng.integers(-spread, spread), rng.uniform(0.1, 1.0) * spread, 64) for _ in range(count)
            ]

        def chain() -> list[Layer]:
            if kinds is not None:
                return drawn_chain(rng, inputs, channels if samples else 1, kinds, extreme=extreme)
            return self.layers(rng, [inputs, *hidden, inputs], extreme) if layers else []

        return self.finished(
            ImageContent(
                version=version,
                kind=kind,
                bands=bands,
                window=window,
                hop=hop,
                gap_ns=gap_ns,
                profile_digest=bytes(range(8)),
                sample_rate_millihertz=1000,
                channels=scalings(channels, 1 << 16),
                edges=edges,
                features=scalings(features, 1 << 10),
                weights=[int(weight) for weight in rng.integers(0, 65536 if extreme else 200, inputs)],
                layers=chain(),
                input_multiplier=int(rng.integers(1, 2**31)) if extreme else 1 << 30,
                input_shift=int(rng.integers(1, 63)) if extreme else 32,
                input_zero=int(rng.integers(-128, 128)) if extreme else int(rng.integers(-5, 6)),
                output_multiplier=1 << 30,
                output_shift=28,
                output_zero=int(rng.integers(-128, 128)) if extreme else int(rng.integers(-5, 6)),
                threshold=int(rng.integers(1, 1 << 39)) if extreme else int(rng.integers(1, 1 << 22)),
                samples=samples,
                envelope_first=first_bin,
                envelope_bins=bins,
                envelope_edges=envelope_edges,
            ),
            rng,
        )

    def fitted(
        self,
        counts: np.ndarray,
        times_ns: np.ndarray,
        *,
        kind: int,
        window: int,
        hop: int,
        bands: int,
        gap_ns: int,
        starts: np.ndarray,
    ) -> ImageContent:
        """Scalings from healthy counts, pseudo-random weights: every stage works within its range on real samples."""
        rng = np.random.default_rng(3)
        units = definition.UNITS_PER_DEVIATION if kind == definition.KIND_SLOW else definition.FAST_UNITS_PER_DEVIATION
        held = np.where(counts == definition.MISSING, 0, counts).astype(np.float64)
        content = self.random(
            3, kind=kind, channels=counts.shape[1], window=window, hop=hop, bands=bands, gap_ns=gap_ns
        )
        if bands:
            content.edges = definition.band_edges(window, bands)
        content.channels = [scaling_for(c, d, units) for c, d in zip(held.mean(0), held.std(0), strict=True)]
        content.features = [Scaling(0, 1, 1) for _ in content.features]
        found = readings_of(content, times_ns, counts, starts)
        raw = raw_features(content, found)[found.full]
        content.features = [
            scaling_for(c, d, 64) for c, d in zip(raw.mean(0), np.maximum(raw.std(0), 1.0), strict=True)
        ]
        content.threshold = 1 << 16
        return self.finished(content, rng)
