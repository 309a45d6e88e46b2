"""A score knows the healthy part and the rows up to its own: not the future, the row's number, the file or the names.

The gateway's tier, on made recordings of every kind, and every detector of the registry in its place. The sensor's
tier, with a training for each case, is held to the same by `test_score_contract.py`.
"""

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_recordings import KINDS, START_NS, head, made
from numpy.typing import NDArray

from shared.recordings import Recording, read_recording
from tocsin.evaluation.candidates.detectors import SINGLES
from tocsin.evaluation.device_arrays import data_of
from tocsin.evaluation.trial import Scores
from tocsin.provisioning import provision
from tocsin.score import ASSET, DEVICE, Verdicts, judge, lines

every_kind = pytest.mark.parametrize("kind", KINDS)
CHANGES = ("noise", "constant", "missing", "reversed in time", "huge", "absent")


def judged(recording: Recording, healthy_rows: int) -> tuple[Verdicts, tuple[str, ...]]:
    """The verdicts that `tocsin score --tier gateway` writes down, and the names of the channels that they mean."""
    provisioned = provision(recording, DEVICE, ASSET, healthy_rows, model=False)
    verdicts = judge(provisioned, tier="gateway", false_alarms_per_day=1 / 7, data=data_of(provisioned))
    return verdicts, tuple(channel.name for channel in provisioned.profile.channels)


def said(recording: Recording, healthy_rows: int) -> list[tuple[int, str, bool, bool, str]]:
    """Of each reading its row, its score to the bit, flag, alarm, and the name of the top channel."""
    verdicts, names = judged(recording, healthy_rows)
    scores = [float(score).hex() for score in verdicts.scores]
    tops = [names[top] if top >= 0 else "" for top in verdicts.top_channels.tolist()]
    flags = (verdicts.flagged.tolist(), verdicts.alarm.tolist())
    return list(zip(verdicts.rows.tolist(), scores, *flags, tops, strict=True))


@cache
def usual(kind: str) -> list[tuple[int, str, bool, bool, str]]:
    return said(*made(kind))


def until(row: int, found: list[tuple[int, str, bool, bool, str]]) -> list[tuple[int, str, bool, bool, str]]:
    return [reading for reading in found if reading[0] < row]


def changed(whole: Recording, cut: int, change: str) -> Recording:
    """Other rows from `cut` on."""
    if change == "absent":
        return head(whole, cut)
    values, times = whole.values.copy(), whole.times_ns.copy()
    random = np.random.default_rng(cut)
    if change == "noise":
        values[cut:] += random.normal(0.0, 50.0, values[cut:].shape)
    elif change == "constant":
        values[cut:] = 17.0
    elif change == "missing":
        values[cut:] = np.nan
    elif change == "huge":
        values[cut:] *= random.choice([1e9, -1e12], values[cut:].shape)
    else:
        times[cut:] = times[cut] - 3 * (times[cut:] - times[cut])
    return replace(whole, values=values, times_ns=times)


@pytest.mark.parametrize("change", CHANGES)
@every_kind
@settings(max_examples=3, deadline=None, derandomize=True)
@given(share=st.floats(0.0, 1.0))
def test_other_rows_later_change_no_bit_before(kind: str, change: str, share: float) -> None:
    whole, healthy = made(kind)
    cut = healthy + 1 + int(share * (whole.rows - healthy - 2))
    assert until(cut, said(changed(whole, cut, change), healthy)) == until(cut, usual(kind))


@every_kind
def test_the_past_and_the_fault_do_count(kind: str) -> None:
    """What the other tests rest upon: verdicts are there, are not all alike, and hang on the rows."""
    whole, healthy = made(kind)
    scores = judged(whole, healthy)[0].scores
    assert np.isfinite(scores[-20:]).all()
    assert np.median(scores[-10:]) > 1.0, "the fault at the end is flagged"
    assert said(changed(whole, healthy + 5, "noise"), healthy) != usual(kind)


@every_kind
def test_when_it_was_and_what_channels_are_called_do_not_matter(kind: str) -> None:
    whole, healthy = made(kind)
    names = tuple(f"{9 - index} other, name" for index in range(len(whole.names)))
    units = ("bar", "degC", "", "V")[: len(names)]
    moved = replace(whole, names=names, units=units, times_ns=whole.times_ns - START_NS)
    renamed = dict(zip(whole.names, names, strict=True)) | {"": ""}
    assert said(moved, healthy) == [(*reading, renamed[top]) for *reading, top in usual(kind)]


@every_kind
def test_the_order_of_channels_changes_no_bit(kind: str) -> None:
    whole, healthy = made(kind)
    for turn in range(1, len(whole.names)):
        order = np.roll(np.arange(len(whole.names)), turn)
        turned = replace(whole, values=whole.values[:, order], names=tuple(whole.names[index] for index in order))
        assert said(turned, healthy) == usual(kind)


@every_kind
def test_powers_of_two_change_no_bit_and_other_units_nothing_that_counts(kind: str) -> None:
    whole, healthy = made(kind)
    channels = len(whole.names)
    powers = np.array([8.0, 2.0**-10, 1.0, 2.0**20])[:channels]
    assert said(replace(whole, values=whole.values * powers), healthy) == usual(kind)
    factors, shifts = np.array([9 / 5, 1e3, 1e-3, 60.0])[:channels], np.array([32.0, -500.0, 0.0, 7.0])[:channels]
    expected, _ = judged(whole, healthy)
    found, _ = judged(replace(whole, values=whole.values * factors + shifts), healthy)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    assert np.array_equal(found.alarm, expected.alarm)


def test_the_same_file_under_another_name_has_the_same_lines(tmp_path: Path) -> None:
    whole, healthy = made("rig")
    for number, name in enumerate(("valve 1.csv", "anomaly-free, healthy.csv", "0099_fault.csv")):
        order = np.roll(np.arange(4), number)
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([whole.names[index] for index in order])
            writer.writerows([[repr(float(cell)) for cell in row] for row in whole.values[:, order]])
    found = []
    for path in sorted(tmp_path.iterdir(), reverse=True):
        read = read_recording(path, healthy_rows=healthy)
        found.append(list(lines(read, *judged(read, healthy), 0)))
    assert len(found[0]) == whole.rows
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("single", SINGLES, ids=lambda single: single.name)
@pytest.mark.parametrize("kind", ["rig", "clips"])
def test_every_detector_in_the_recipe_s_place_keeps_the_same_promises(single, kind: str) -> None:  # type: ignore[no-untyped-def]
    whole, healthy = made(kind)
    expected = single.judge(whole, healthy, None, 0)
    assert np.isfinite(expected.scores[-20:]).all()
    cut = healthy + (whole.rows - healthy) // 2
    for change in ("noise", "absent"):
        found = single.judge(changed(whole, cut, change), healthy, None, 0)
        assert same(found, expected, cut)
    assert not same(single.judge(changed(whole, cut, "noise"), healthy, None, 0), expected, whole.rows)
    turned = replace(whole, values=whole.values[:, ::-1] * 4.0, names=whole.names[::-1])
    assert same(single.judge(turned, healthy, None, 0), expected, whole.rows)


def same(found: Scores, expected: Scores, rows: int) -> bool:
    def bits(scores: Scores) -> tuple[bytes, ...]:
        arrays: tuple[NDArray[np.generic], ...] = (scores.scores, scores.flagged, scores.alarm)
        return tuple(array[:rows].tobytes() for array in arrays)

    return bits(found) == bits(expected)
