"""The metrics of an evaluation against worked vectors, naive programs and what must hold for any input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.evaluation.metrics import nab
from tocsin.evaluation.metrics.counts import NOTHING, Counts
from tocsin.evaluation.metrics.events import events, healthy_days, threshold_for_false_alarms
from tocsin.evaluation.metrics.intervals import bootstrap, mean
from tocsin.evaluation.metrics.ranking import average_precision, roc_auc
from tocsin.evaluation.metrics.vus import soft_labels, usual_window, vus_pr

LABELLED = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=60)


def arrays(rows):
    return np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])


@given(LABELLED)
def test_the_area_is_the_share_of_pairs_in_order(rows):
    labels, scores = arrays(rows)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels] for b in scores[~labels]]
    if not pairs:
        assert math.isnan(roc_auc(labels, scores))
        return
    assert roc_auc(labels, scores) == pytest.approx(sum(pairs) / len(pairs))
    assert roc_auc(labels, -scores) == pytest.approx(1.0 - roc_auc(labels, scores))


@given(LABELLED)
def test_average_precision_sums_precision_over_what_each_threshold_adds(rows):
    labels, scores = arrays(rows)
    if not labels.any():
        assert math.isnan(average_precision(labels, scores))
        return
    total, before = 0.0, 0
    for level in sorted(set(scores.tolist()), reverse=True):
        flagged = scores >= level
        hits = int((flagged & labels).sum())
        total += (hits - before) / labels.sum() * hits / flagged.sum()
        before = hits
    assert average_precision(labels, scores) == pytest.approx(total)


def test_rows_without_a_score_rank_last():
    labels = np.array([1, 0, 0, 1], bool)
    assert roc_auc(labels, np.array([2.0, np.nan, 1.0, np.nan])) == 0.625
    assert average_precision(labels, np.array([2.0, np.nan, 1.0, np.nan])) == pytest.approx(0.75)


@given(LABELLED)
def test_flagging_everything_misses_nothing(rows):
    labels, _ = arrays(rows)
    counts = Counts.of(labels, np.ones(len(labels), bool)) + NOTHING
    if labels.any():
        assert counts.missed_alarm_rate == 0.0
        assert counts.f1 == pytest.approx(2 * labels.sum() / (labels.sum() + len(labels)))
    if not labels.all():
        assert counts.false_alarm_rate == 1.0


# Values of the authors' own program for these inputs.
@pytest.mark.parametrize(
    ("seed", "rows", "anomalies", "window", "thresholds", "expected"),
    [
        (0, 200, [(40, 56), (120, 131)], 10, 50, 0.657318866508),
        (1, 300, [(50, 61), (150, 181), (250, 256)], 20, 100, 0.720301443269),
    ],
)
def test_volume_under_the_surface_is_that_of_its_authors(seed, rows, anomalies, window, thresholds, expected):
    generator = np.random.RandomState(seed)
    labels = np.zeros(rows, bool)
    for begin, end in anomalies:
        labels[begin:end] = True
    scores = generator.rand(rows)
    scores[labels] += 0.5
    scores = (scores - scores.min()) / (scores.max() - scores.min())
    assert vus_pr(labels, scores, window, thresholds=thresholds) == pytest.approx(expected, abs=1e-10)


@given(LABELLED, st.integers(0, 8))
def test_the_volume_stays_between_nothing_and_everything(rows, window):
    labels, scores = arrays(rows)
    value = vus_pr(labels, scores, window)
    assert math.isnan(value) if labels.all() or not labels.any() else 0.0 <= value <= 1.0 + 1e-12
    assert soft_labels(labels, window).max() <= 1.0
    assert usual_window(labels) <= len(labels)


def naive_nab(scores, windows, threshold, profile):
    """The protocol word by word for one recording: the sum of what each window and each false detection gives."""
    rows = len(scores)
    probation = nab.probation_rows(rows)
    detected = [row for row in range(probation, rows) if scores[row] >= threshold]
    total = 0.0
    for first, last in windows:
        if last < probation:
            continue
        inside = [row for row in detected if first <= row <= last]
        if inside:
            position = -(last - inside[0] + 1) / (last - first + 1)
            total += profile.true_positive * nab.scaled_sigmoid(position) / nab.scaled_sigmoid(-1.0)
        else:
            total -= profile.false_negative
    for row in detected:
        if any(first <= row <= last for first, last in windows):
            continue
        before = [(first, last) for first, last in windows if last < row]
        if not before:
            total -= profile.false_positive
        else:
            first, last = before[-1]
            total += profile.false_positive * nab.scaled_sigmoid((row - last) / max(last - first, 1))
    scored = sum(last >= probation for _, last in windows)
    worst = -profile.false_negative * scored
    return 100.0 * (total - worst) / (profile.true_positive * scored - worst)


@given(st.integers(0, 10_000), st.sampled_from(nab.PROFILES), st.floats(0.0, 1.0))
def test_nab_scores_what_its_protocol_says(seed, profile, threshold):
    generator = np.random.default_rng(seed)
    scores = generator.random(100).round(1)
    windows = ((30, 39), (60, 60), (75, 95))
    stream = nab.Stream(scores, windows)
    assert nab.score([stream], threshold, profile) == pytest.approx(naive_nab(scores, windows, threshold, profile))
    level, best = nab.best_threshold([stream], profile)
    assert best >= nab.score([stream], threshold, profile) - 1e-9
    assert best == pytest.approx(nab.score([stream], level, profile))


def test_a_window_within_the_probation_is_not_scored():
    stream = nab.Stream(np.zeros(100), ((5, 10), (50, 59)))
    perfect = np.zeros(100)
    perfect[50] = 1.0
    assert nab.score([stream], 1.0) == 0.0
    assert nab.score([nab.Stream(perfect, stream.windows)], 1.0) == pytest.approx(100.0)


def test_the_threshold_of_one_false_alarm_is_the_lowest_before_a_second_begins():
    scores = np.array([0.0, 5.0, 4.0, 0.0, 3.0, 0.0, 9.0])
    healthy = np.array([1, 1, 1, 1, 1, 1, 0], bool)
    assert threshold_for_false_alarms(scores, healthy, 1.0, 1.0) == 4.0
    assert threshold_for_false_alarms(scores, healthy, 2.0, 1.0) == 0.0
    assert threshold_for_false_alarms(scores, healthy, 0.1, 1.0) == math.inf


def test_events_outside_of_detections_are_missed():
    times = np.arange(8) * 60 * 10**9
    labels = np.array([0, 1, 1, 0, 1, 1, 1, 0], bool)
    found = events(times, labels, np.array([0, 0, 0, 1, 0, 1, 1, 1], bool))
    assert (found.caught, found.count, found.delays_seconds) == (1, 2, (60.0,))
    assert healthy_days(times, ~labels) == pytest.approx(180 / 86_400)


def test_an_interval_holds_the_middle_of_what_recordings_give():
    values = [float(value) for value in range(20)]
    low, high = bootstrap(values, mean, seed=3)
    assert low < mean(values) < high
    assert bootstrap(values, mean, seed=3) == (low, high)
    assert all(map(math.isnan, bootstrap([1.0], mean, seed=3)))
