"""From samples to messages: the whole behaviour of a sensor, with no clock, no radio and no file.

Runs under MicroPython and CPython alike. `slow` devices are given rows, `fast` ones runs of samples; both put finished
messages into the buffer that they are given. What the C core in `firmware/c` sends for the same samples is the same,
byte for byte.
"""

import struct

from shared.messages import compact
from shared.model_image import ImageContent
from shared.quantized.packed import refuse_packed
from shared.quantized.samples import RowWindow, centred_inputs
from shared.quantized.scorer import Scorer
from shared.signal import definition
from shared.signal.envelope import EnvelopePlan
from shared.signal.fast import fast_features
from shared.signal.integer import SlowWindow, clamp16, gap_between, hold_missing, scale
from shared.signal.spectrum import SpectrumPlan


class Device:
    """One sensor. `image` says what it computes; `take_message(sequence, readings, head, tail)` receives its messages.

    A message closes at 16 readings, when its readings span 10 s, when its stretch ends, and when the model changes.
    """

    def __init__(self, device: str, boot: int, image: ImageContent, take_message) -> None:  # type: ignore[no-untyped-def]
        self.device = device
        self.boot = boot
        self.take_message = take_message
        #: The next reading's number.
        self.sequence = 0
        self.stretch = 0
        #: Values that did not fit int16, since boot.
        self.clipped = 0
        self._previous_ns: "int | None" = None
        self._times: "list[int]" = []
        self._scores: "list[int]" = []
        self._tops: "list[int]" = []
        self._payload: "list[bytes]" = []
        self.install(image)

    def install(self, image: ImageContent) -> None:
        """Run another image from the next reading on. Windows fill anew; boot, sequence and stretch go on.

        ImageError: it is packed for another processor; nothing was changed.
        """
        refuse_packed(image)
        self.close_message()
        self.image = image
        self.scorer = Scorer(image) if image.layers else None
        #: Scaled features of the reading judged last (slow: only once the window is full, none with samples as input).
        self.features: "list[int]" = []
        #: What the model was given last: these features, or the samples of the window.
        self.inputs: "list[int]" = []
        channels = len(image.channels)
        if image.kind == definition.KIND_SLOW:
            self._windows = [] if image.samples else [SlowWindow(image.window) for _ in range(channels)]
            self._rows = RowWindow(image.window if image.samples else 0, channels)
            self._counts_format = "<" + str(channels) + "i"
        else:
            self._plan = SpectrumPlan(image.window)
            self._envelope: "EnvelopePlan | None" = None
            if image.envelope_edges:
                self._envelope = EnvelopePlan(
                    self._plan, image.envelope_first, image.envelope_bins, image.envelope_edges
                )
            self._features_format = "<" + str(len(image.features)) + "h"
        self._begin_stretch()

    def _begin_stretch(self) -> None:
        if self.image.kind == definition.KIND_SLOW:
            for window in self._windows:
                window.reset()
            self._rows.reset()
        else:
            self._samples: "list[list[int]]" = [[] for _ in self.image.channels]
            self._skip = 0
        self._last = [0] * len(self.image.channels)

    def end_stretch(self) -> None:
        """What follows is not a continuation: a gap, or another clip."""
        self.close_message()
        self.stretch += 1
        self._begin_stretch()

    def _check_gap(self, time_ns: int) -> None:
        previous = self._previous_ns
        if previous is not None and gap_between(previous, time_ns, self.image.gap_ns):
            self.end_stretch()

    def _scaled_features(self, raw: "list[int]") -> "list[int]":
        features = []
        scalings = self.image.features
        for i in range(len(raw)):
            scaling = scalings[i]
            value = scale(raw[i], scaling.centre, scaling.multiplier, scaling.shift)
            limited = clamp16(value)
            if limited != value:
                self.clipped += 1
            features.append(limited)
        return features

    def push_row(self, time_ns: int, counts: "list[int]") -> None:
        """A slow device's next row: one int32 count per channel, `definition.MISSING` where there is none."""
        self._check_gap(time_ns)
        self._previous_ns = time_ns
        scalings = self.image.channels
        last = self._last
        for i in range(len(counts)):
            scaling = scalings[i]
            value = hold_missing(counts[i], scaling.centre, scaling.multiplier, scaling.shift, last[i])
            limited = clamp16(value)
            if limited != value:
                self.clipped += 1
            last[i] = limited
        score = compact.NO_SCORE
        top = compact.NO_FEATURE
        if self._push_window() and self.scorer is not None:
            if self.image.samples:
                self.inputs = self._rows.inputs()
            else:
                raw: "list[int]" = []
                for window in self._windows:
                    raw.extend(window.features())
                self.features = self._scaled_features(raw)
                self.inputs = self.features
            score, top = self.scorer.score(self.inputs)
        self._add_reading(time_ns, score, top, struct.pack(self._counts_format, *counts))

    def _push_window(self) -> bool:
        """Put the row held last into the window; whether that is full."""
        if self.image.samples:
            self._rows.push(self._last)
            return self._rows.full
        for i in range(len(self._windows)):
            self._windows[i].push(self._last[i])
        return self._windows[0].filled == self.image.window

    def push_run(self, times_ns: "list[int]", columns: "list[list[int]]") -> None:
        """A fast device's next samples, without a gap among them: their times, and the counts of each channel."""
        total = len(times_ns)
        if not total:
            return
        self._check_gap(times_ns[0])
        self._previous_ns = times_ns[total - 1]
        window = self.image.window
        position = 0
        while position < total:
            if self._skip:
                step = min(self._skip, total - position)
                self._skip -= step
                position += step
                continue
            step = min(window - len(self._samples[0]), total - position)
            for i in range(len(columns)):
                self._collect(i, columns[i][position : position + step])
            position += step
            if len(self._samples[0]) == window:
                self._close_window(times_ns[position - 1])

    def _collect(self, channel: int, counts: "list[int]") -> None:
        scaling = self.image.channels[channel]
        samples = self._samples[channel]
        last = self._last[channel]
        for count in counts:
            value = hold_missing(count, scaling.centre, scaling.multiplier, scaling.shift, last)
            last = clamp16(value)
            if last != value:
                self.clipped += 1
            samples.append(last)
        self._last[channel] = last

    def _close_window(self, time_ns: int) -> None:
        image = self.image
        raw: "list[int]" = []
        for samples in self._samples:
            raw.extend(fast_features(self._plan, samples, image.edges, self._envelope))
        self.features = self._scaled_features(raw)
        self.inputs = self.features
        if image.samples:
            self.inputs, clipped = centred_inputs(self._samples)
            self.clipped += clipped
        if image.hop >= image.window:
            self._skip = image.hop - image.window
            self._samples = [[] for _ in self._samples]
        else:
            self._samples = [samples[image.hop :] for samples in self._samples]
        score = compact.NO_SCORE
        top = compact.NO_FEATURE
        if self.scorer is not None:
            score, top = self.scorer.score(self.inputs)
        self._add_reading(time_ns, score, top, struct.pack(self._features_format, *self.features))

    def _add_reading(self, time_ns: int, score: int, top: int, payload: bytes) -> None:
        self._times.append(time_ns)
        self._scores.append(score)
        self._tops.append(top)
        self._payload.append(payload)
        self.sequence += 1
        readings = len(self._times)
        if readings == definition.MESSAGE_READINGS or time_ns - self._times[0] >= definition.MESSAGE_SPAN_NS:
            self.close_message()

    def close_message(self) -> None:
        """Hand over the readings collected so far, if any."""
        readings = len(self._times)
        if not readings:
            return
        payload = b"".join(self._payload)
        slow = self.image.kind == definition.KIND_SLOW
        sequence = self.sequence - readings
        tail = compact.data_tail(
            self.stretch,
            self.image.version if self.image.layers else 0,
            self.clipped,
            struct.pack("<" + str(readings) + "q", *self._times),
            struct.pack("<" + str(readings) + "I", *self._scores),
            struct.pack("<" + str(readings) + "H", *self._tops),
            payload if slow else None,
            None if slow else payload,
        )
        self._times = []
        self._scores = []
        self._tops = []
        self._payload = []
        self.take_message(sequence, readings, compact.data_head(self.device, self.boot, sequence), tail)
