"""The C core as a process: the byte streams that `firmware/c/ports/host` reads and writes, and one run of it.

The header `host_streams.h` tells the formats.
"""

import struct
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.errors import FirmwareError

_FLAG_CLIP = 1
_FLAG_NEXT_IMAGE = 2


@dataclass(frozen=True, eq=False)
class Trace:
    """What the core computed for each reading.

    Attributes
    ----------
    features
        int16, shape (readings, features); zeros where there are none.
    outputs
        int8, shape (readings, inputs of the model): its output; zeros where there is none.
    scores, tops
        uint32 Q12 and uint16, shape (readings,).
    """

    features: NDArray[np.int16]
    outputs: NDArray[np.int8]
    scores: NDArray[np.uint32]
    tops: NDArray[np.uint16]


def sample_stream(
    kind: int,
    times_ns: NDArray[np.int64],
    counts: NDArray[np.int32],
    clip_starts: Iterable[int] = (),
    next_image_at: int | None = None,
) -> bytes:
    """Samples as the host program reads them.

    `counts` has shape (rows, channels); a clip begins at each row of `clip_starts`, and the image of `--next` runs from
    row `next_image_at` on.

    >>> stream = sample_stream(0, np.array([7]), np.array([[1, -1]], np.int32), [0])
    >>> stream[:8], stream[8:].hex()
    (b'TCSR\\x00\\x00\\x02\\x00', '07000000000000000101000000ffffffff')
    """
    rows, channels = counts.shape
    records = np.zeros(rows, np.dtype([("time", "<i8"), ("flags", "u1"), ("counts", "<i4", (channels,))]))
    records["time"] = times_ns
    records["counts"] = counts
    records["flags"][list(clip_starts)] |= _FLAG_CLIP
    if next_image_at is not None:
        records["flags"][next_image_at] |= _FLAG_NEXT_IMAGE
    return struct.pack("<4sBBH", b"TCSR", kind, 0, channels) + records.tobytes()


def messages_of(output: bytes) -> list[bytes]:
    """The messages in what the program wrote."""
    messages = []
    position = 0
    while position < len(output):
        if len(output) - position < 4:
            raise FirmwareError("the device program ended within the length of a message; build it again")
        length = int.from_bytes(output[position : position + 4], "little")
        position += 4
        if length > len(output) - position:
            raise FirmwareError("the device program ended within a message; build it again")
        messages.append(output[position : position + length])
        position += length
    return messages


def trace_of(content: bytes, features: int, inputs: int | None = None) -> Trace:
    """The trace file of an image with that many features, and inputs of its model if they are not the features."""
    outputs = features if inputs is None else inputs
    record = np.dtype(
        [("features", "<i2", (features,)), ("outputs", "i1", (outputs,)), ("score", "<u4"), ("top", "<u2")]
    )
    table = np.frombuffer(content, record)
    return Trace(table["features"], table["outputs"], table["score"], table["top"])


def run_device(
    program: Path,
    image: bytes,
    device: str,
    boot: int,
    stream: bytes,
    *,
    features: int,
    inputs: int | None = None,
    next_image: bytes | None = None,
    limit_seconds: float = 300.0,
) -> tuple[list[bytes], Trace]:
    """Run the host program over a whole stream; its messages, and what it computed for each reading.

    `features` is the number of features of the image, and of the next one where there is one; `inputs` that of the
    model's inputs, if these are not the features.

    Raises FirmwareError, with what the program said, when it does not end well.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-device-") as folder:
        place = Path(folder)
        (place / "image").write_bytes(image)
        command = [str(program), str(place / "image"), device, str(boot), "--trace", str(place / "trace")]
        if next_image is not None:
            (place / "next").write_bytes(next_image)
            command += ["--next", str(place / "next")]
        try:
            result = subprocess.run(command, input=stream, capture_output=True, timeout=limit_seconds, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FirmwareError(f"{program} did not run to its end: {error}; build it again") from error
        if result.returncode:
            said = result.stderr.decode(errors="replace").strip()
            raise FirmwareError(said or f"{program} ended with status {result.returncode}")
        return messages_of(result.stdout), trace_of((place / "trace").read_bytes(), features, inputs)
