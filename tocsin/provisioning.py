"""From a recording to a device that can run: profile, first model, and what the device will be fed.

Joins the reader (shared), training (cloud) and the replay (firmware): this is why it stands here and not in a tier.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloud.training.recipe import Recipe, recipe_for
from firmware.host.replay import Source
from shared import model_image
from shared.errors import UsageError
from shared.identity import DeviceProfile
from shared.model_image import ImageContent
from shared.recordings import Recording
from shared.recordings.profile import profile_of

Progress = Callable[[str, int, int], None]
#: The image that a device is provisioned with; everything that the cloud trains later has a higher version.
FIRST_VERSION = 1


@dataclass(frozen=True, eq=False)
class Provisioned:
    """A device with its first image and its recording.

    `healthy_readings` of the readings that `source` gives lie in the healthy part.
    """

    profile: DeviceProfile
    source: Source
    image: bytes
    healthy_readings: int
    provisional: bool

    @property
    def content(self) -> ImageContent:
        """The image, read."""
        return model_image.read(self.image)


def stretch_borders(times_ns: NDArray[np.int64], clip_starts: NDArray[np.int64], gap_ns: int) -> list[int]:
    """Rows where stretches begin, and the number of rows.

    >>> stretch_borders(np.array([0, 1, 2, 50, 51, 40]), np.array([0, 2]), 10)
    [0, 2, 3, 5, 6]
    """
    steps = np.diff(times_ns)
    breaks = set((np.flatnonzero((steps < 0) | (steps > gap_ns)) + 1).tolist())
    return sorted(breaks | {0, len(times_ns)} | {int(row) for row in clip_starts})


def reading_rows(
    content: ImageContent, times_ns: NDArray[np.int64], clip_starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The last row of each reading that a device with this image makes of a recording, in order."""
    rows = len(times_ns)
    if content.kind == 0:
        return np.arange(rows)
    borders = stretch_borders(times_ns, clip_starts, content.gap_ns)
    ends = [np.arange(begin + content.window - 1, end, content.hop) for begin, end in itertools.pairwise(borders)]
    return np.concatenate(ends) if ends else np.zeros(0, np.int64)


def provision(
    recording: Recording,
    device: str,
    asset: str,
    healthy_rows: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    model: bool = True,
    samples: bool = False,
) -> Provisioned:
    """Train the first model on the healthy part and put everything together.

    Without `model` the device gets the recipe of its features alone and gives no score: the gateway judges alone. With
    `samples` its model reads the samples of a window instead of their features.

    Raises
    ------
    UsageError
        The healthy part is too short to train on, its time runs backwards, or the rate is beyond what windows can span.
    """
    # TensorFlow is loaded only by those who train.
    from cloud.training.train import READINGS_MIN, recipe_image, train_image

    profile, counts = profile_of(recording, healthy_rows, device, asset)
    healthy_times = recording.times_ns[:healthy_rows]
    clips = np.array([row for row in recording.clip_starts if row < healthy_rows], np.int64)
    clip_lengths = np.diff(np.concatenate([clips, [healthy_rows]])) if len(clips) else np.array([healthy_rows])
    try:
        recipe = recipe_for(
            profile,
            healthy_rows,
            shortest_stretch=int(clip_lengths.min()) if len(clips) > 1 else None,
            steps_ns=np.diff(healthy_times),
            samples=samples,
        )
    except ValueError as error:
        raise UsageError(f"{profile.sample_rate_hz:g} Hz cannot be judged ({error}); correct --sample-rate") from error
    borders = stretch_borders(healthy_times, clips, recipe.gap_ns)
    _check_windows(recipe, borders, READINGS_MIN, "a training" if model else "the scaling of a device")
    starts = np.zeros(healthy_rows, bool)
    starts[borders[:-1]] = True
    provisional = False
    if model:
        trained = train_image(
            profile,
            recipe,
            healthy_times,
            starts,
            counts[:healthy_rows],
            seed=seed,
            version=FIRST_VERSION,
            progress=progress,
        )
        unsigned, provisional = trained.unsigned, trained.provisional
    else:
        unsigned = recipe_image(profile, recipe, counts[:healthy_rows], begins=starts, version=FIRST_VERSION)
    image = model_image.seal(unsigned)
    content = model_image.read(image)
    ends = reading_rows(content, recording.times_ns, recording.clip_starts)
    healthy_readings = int(np.count_nonzero(ends < healthy_rows))
    return Provisioned(
        profile, Source(recording.times_ns, counts, recording.clip_starts), image, healthy_readings, provisional
    )


def _check_windows(recipe: Recipe, borders: list[int], wanted: int, what: str) -> None:
    """UsageError unless the stretches between `borders` hold the `wanted` full windows that `what` needs."""
    stretches = list(itertools.pairwise(borders))
    found = sum(len(range(begin + recipe.window - 1, end, recipe.hop)) for begin, end in stretches)
    if found >= wanted:
        return
    rows = borders[-1]
    if len(stretches) > max(2, rows // recipe.window):
        raise UsageError(
            f"time steps back or leaps at {len(stretches) - 1} of the {rows} healthy rows, so that only {found} "
            f"windows of {recipe.window} rows fill; sort the rows by time, or name another --time-column"
        )
    raise UsageError(
        f"the {rows} healthy rows fill {found} windows of {recipe.window} rows, and {what} needs {wanted}; "
        "declare a longer healthy part"
    )


def healthy_part(recording: Recording, declared: int | None, path: str | Path) -> int:
    """How many first rows are healthy: what was declared, or UsageError that says how to declare it."""
    if declared is not None:
        return declared
    if recording.healthy_rows is not None:
        return recording.healthy_rows
    raise UsageError(
        f"nothing says which rows of {path} are healthy; add --healthy-rows N (or, to score and replay, --healthy FILE)"
    )
