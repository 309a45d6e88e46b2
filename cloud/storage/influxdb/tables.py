"""The CSV of an answer as arrays: tables stand one after another, an empty line between those of different columns."""

import io
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from cloud.errors import CloudError

_BOOLEANS, _FLOATS = frozenset({"flagged", "alarm"}), frozenset({"sensor_score", "gateway_score", "score", "value"})
_TIME = pa.timestamp("ns", tz="UTC")
_NAMES = pa.dictionary(pa.int32(), pa.string())


def kind_of(field: str) -> pa.DataType:
    """The type of a field of the measurement ``readings``."""
    return pa.bool_() if field in _BOOLEANS else pa.float64() if field in _FLOATS else pa.int64()


def sections(content: bytes) -> Iterator[bytes]:
    """The parts of an answer, each with one header."""
    begin = 0
    while begin < len(content):
        end = content.find(b"\r\n\r\n", begin)
        end = len(content) if end < 0 else end
        part = content[begin : end + 2].lstrip(b"\r\n")  # a result without tables leaves an empty line of its own
        if part:
            yield part
        begin = end + 4


def read(section: bytes, types: dict[str, pa.DataType]) -> pa.Table:
    """The columns of a part that `types` names.

    Raises
    ------
    CloudError
        The answer breaks off with an error, or a column has another type.
    """
    header = section[: section.find(b"\r\n")].decode().split(",")
    if "error" in header:
        raise CloudError(f"InfluxDB broke off an answer ({section.decode(errors='replace')[:300]!r}): see its log.")
    try:
        return pyarrow.csv.read_csv(
            io.BytesIO(section),
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 22),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types, include_columns=[name for name in types if name in header]
            ),
        )
    except pa.ArrowInvalid as error:
        raise CloudError(
            f"InfluxDB answered with something else than readings ({error}): see whether something else writes into "
            "the bucket."
        ) from error


def first_row(section: bytes) -> dict[str, str]:
    """The first row of a part. Only for columns without commas: those before the values, and the names of fields."""
    end = section.find(b"\r\n", section.find(b"\r\n") + 2)
    header, row = section[:end].decode().split("\r\n")
    return dict(zip(header.split(","), row.split(","), strict=False))


def numbers(column: Any) -> NDArray[Any]:
    """A column as an array; times as int64 ns."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    array: NDArray[Any] = column.to_numpy()
    return array


def series(content: bytes) -> dict[str, tuple[NDArray[np.int64], NDArray[Any]]]:
    """Times (ns) and values of each field in an answer with ``_time, _value, _field``."""
    found: dict[str, list[tuple[NDArray[np.int64], NDArray[Any]]]] = {}
    for section in sections(content):
        table = read(section, {"_time": _TIME, "_value": kind_of(first_row(section)["_field"]), "_field": _NAMES})
        times, values = numbers(table["_time"]), numbers(table["_value"])
        names = table["_field"].unify_dictionaries().combine_chunks()
        codes = names.indices.to_numpy()
        edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
        labels = names.dictionary.to_pylist()
        for begin, end in itertools.pairwise(edges):
            found.setdefault(labels[codes[begin]], []).append((times[begin:end], values[begin:end]))
    return {
        name: (np.concatenate([times for times, _ in parts]), np.concatenate([values for _, values in parts]))
        for name, parts in found.items()
    }


def windows(
    content: bytes, kinds: dict[str, pa.DataType], time: str = "_start"
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[Any]]]:
    """Name, times (ns) and values of each result of an answer with the columns `time` and ``_value``.

    `kinds` are the types of the values by the name of the result.
    """
    for section in sections(content):
        kind = kinds[first_row(section)["result"]]
        table = read(section, {"result": _NAMES, time: _TIME, "_value": kind})
        names = table["result"].unify_dictionaries().combine_chunks()
        codes = names.indices.to_numpy()
        starts, values = numbers(table[time]), numbers(table["_value"])
        for code, name in enumerate(names.dictionary.to_pylist()):
            yield name, starts[codes == code], values[codes == code]
