"""The tables of the embedded store and the columns of a batch."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.storage.port import Block
from shared.messages import compact
from shared.messages.codec import ALARM, FLAGGED, Rescore

#: What a reading is, in the order of the table, of the segments and of the view that joins them.
READING_COLUMNS = (
    ("device", "VARCHAR"),
    ("boot", "BIGINT"),
    ("sequence", "BIGINT"),
    ("time_ns", "BIGINT"),
    ("stretch", "BIGINT"),
    ("model_version", "BIGINT"),
    ("sensor_score", "DOUBLE"),
    ("gateway_score", "DOUBLE"),
    ("score", "DOUBLE"),
    ("flagged", "BOOLEAN"),
    ("alarm", "BOOLEAN"),
    ("top_channel", "INTEGER"),
    ("counts", "INTEGER[]"),
    ("features", "SMALLINT[]"),
)
NAMES = ", ".join(name for name, _ in READING_COLUMNS)
#: What a rescore replaces.
SCORE_NAMES = ("gateway_score", "score", "flagged", "alarm", "top_channel")

MARK_COLUMNS = (
    "gateway", "epoch", "next_sequence", "taken", "duplicates", "lost", "early", "undecodable", "received_bytes",
)  # fmt: skip
POSITION_COLUMNS = (
    "device", "boot", "next_sequence", "stored", "lost", "duplicates", "time_ns", "received_ns", "model_version",
    "sensor_score", "gateway_score", "score", "flagged", "alarm", "top_channel",
)  # fmt: skip

#: `arrival` numbers the batches: what arrived first is sealed first, whatever its time stamps say.
CREATE = (
    "CREATE TABLE IF NOT EXISTS readings ("
    + ", ".join(f"{name} {kind}" for name, kind in READING_COLUMNS)
    + ", arrival BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS marks (gateway VARCHAR, epoch BIGINT, "
    + ", ".join(f"{name} BIGINT NOT NULL" for name in MARK_COLUMNS[2:])
    + ", PRIMARY KEY (gateway, epoch))",
    (
        "CREATE TABLE IF NOT EXISTS positions (device VARCHAR, boot BIGINT, next_sequence BIGINT NOT NULL, "
        "stored BIGINT NOT NULL, lost BIGINT NOT NULL, duplicates BIGINT NOT NULL, time_ns BIGINT, "
        "received_ns BIGINT NOT NULL, model_version BIGINT NOT NULL, sensor_score DOUBLE, gateway_score DOUBLE, "
        "score DOUBLE, flagged BOOLEAN NOT NULL, alarm BOOLEAN NOT NULL, top_channel INTEGER, "
        "PRIMARY KEY (device, boot))"
    ),
    "CREATE TABLE IF NOT EXISTS segments (name VARCHAR PRIMARY KEY, rows BIGINT NOT NULL)",
)


def _nullable(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _tops(tops: NDArray[np.uint16]) -> pa.Array:
    return pa.array(tops.astype(np.int32), mask=tops == compact.NO_FEATURE)


def _lists(rows: Sequence[NDArray[np.integer] | None], lengths: Sequence[int], kind: pa.DataType) -> pa.Array:
    """One list per reading; the readings of a block without such values have none."""
    width = [0 if values is None else values.shape[1] for values in rows]
    offsets = np.concatenate(([0], np.cumsum(np.repeat(width, lengths)))).astype(np.int32)
    absent = np.repeat([values is None for values in rows], lengths)
    flat = [values.reshape(-1) for values in rows if values is not None]
    content = pa.array(np.concatenate(flat) if flat else np.zeros(0, np.int32), kind)
    return pa.ListArray.from_arrays(pa.array(offsets), content, mask=pa.array(absent))


def reading_table(blocks: Sequence[tuple[Block, int]], arrival: int) -> pa.Table:
    """Columns of the readings of `blocks`, each from its index on, ready to be inserted into ``readings``."""
    lengths = [len(block.data) - first for block, first in blocks]

    def each(values: Sequence[object], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(pa.array(np.repeat(np.arange(len(blocks)), lengths)))

    def joined(arrays: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([array[first:] for array, (_, first) in zip(arrays, blocks, strict=True)])

    data = [block.data for block, _ in blocks]
    judged = [block.judged for block, _ in blocks]
    sensor_q12 = joined([item.scores_q12 for item in data])
    flags = joined([item.flags for item in judged])
    sequences = [np.arange(len(item), dtype=np.int64) + item.sequence for item in data]
    kept_counts = [None if b.data.counts is None else b.data.counts[first:] for b, first in blocks]
    kept_features = [None if b.data.features is None else b.data.features[first:] for b, first in blocks]
    integer = pa.int64()
    columns = {
        "device": each([item.device for item in data], pa.string()),
        "boot": each([item.boot for item in data], integer),
        "sequence": pa.array(joined(sequences)),
        "time_ns": pa.array(joined([item.times_ns for item in data])),
        "stretch": each([item.stretch for item in data], integer),
        "model_version": each([item.model_version for item in data], integer),
        "sensor_score": pa.array(sensor_q12.astype(np.float64) / 4096.0, mask=sensor_q12 == compact.NO_SCORE),
        "gateway_score": _nullable(joined([item.gateway_scores for item in judged]).astype(np.float64)),
        "score": _nullable(joined([item.fused_scores for item in judged]).astype(np.float64)),
        "flagged": pa.array((flags.astype(np.uint8) & FLAGGED) != 0),
        "alarm": pa.array((flags.astype(np.uint8) & ALARM) != 0),
        "top_channel": _tops(joined([item.top_channels for item in judged]).astype(np.uint16)),
        "counts": _lists(kept_counts, lengths, pa.int32()),
        "features": _lists(kept_features, lengths, pa.int16()),
    }
    columns["arrival"] = pa.array(np.full(sum(lengths), arrival, np.int64))
    return pa.table(columns)


def rescore_table(rescore: Rescore) -> pa.Table:
    """Columns ``sequence`` and those of `SCORE_NAMES`."""
    flags = rescore.flags
    return pa.table(
        {
            "sequence": pa.array(np.arange(len(flags), dtype=np.int64) + rescore.sequence),
            "gateway_score": _nullable(rescore.gateway_scores),
            "score": _nullable(rescore.fused_scores),
            "flagged": pa.array((flags & FLAGGED) != 0),
            "alarm": pa.array((flags & ALARM) != 0),
            "top_channel": _tops(rescore.top_channels),
        }
    )
