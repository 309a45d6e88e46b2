"""What a model that reads samples is given: the samples of the window, sample by sample. Runs in MicroPython too.

The value of channel c at sample t, t = 0 the oldest, stands at ``t * channels + c``. A slow device's samples are its
scaled values as they are held; those of a fast device have the mean of their window taken away.
"""

from shared.signal.integer import clamp16


class RowWindow:
    """The last rows of a slow device: one list of ``rows * channels`` values, written round and round.

    >>> window = RowWindow(2, 1)
    >>> window.push([5]), window.full, window.push([6]), window.push([7]), window.full, window.inputs()
    (None, False, None, None, True, [6, 7])
    """

    def __init__(self, rows: int, channels: int) -> None:
        self.channels = channels
        self.values = [0] * (rows * channels)
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new stretch."""
        self.position = 0
        self.full = False

    def push(self, row: "list[int]") -> None:
        """Take the next row: one scaled value, int16, per channel."""
        position = self.position
        for value in row:
            self.values[position] = value
            position += 1
        if position == len(self.values):
            position = 0
            self.full = True
        self.position = position

    def inputs(self) -> "list[int]":
        """A full window from its oldest row to its newest; a new list."""
        return self.values[self.position :] + self.values[: self.position]


def centred_inputs(columns: "list[list[int]]") -> "tuple[list[int], int]":
    """Inputs of a fast window, and how many of them int16 did not hold: each channel's samples less their mean.

    `columns`: per channel the scaled samples, int16, a power of two of them; the mean is rounded half up.

    >>> centred_inputs([[3, 4], [-32768, 32767]])
    ([-1, -32768, 0, 32767], 0)
    >>> centred_inputs([[32767, -32768, -32768, -32768]])
    ([32767, -16384, -16384, -16384], 1)
    """
    channels = len(columns)
    samples = len(columns[0])
    inputs = [0] * (channels * samples)
    clipped = 0
    for channel in range(channels):
        column = columns[channel]
        mean = (sum(column) + (samples >> 1)) // samples
        place = channel
        for value in column:
            centred = value - mean
            limited = clamp16(centred)
            if limited != centred:
                clipped += 1
            inputs[place] = limited
            place += channels
    return inputs, clipped
