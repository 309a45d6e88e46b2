"""NumPy files: an archive of arrays (.npz), one array of it (``file.npz::array``), or a single array (.npy).

Arrays of our own simulator carry what NumPy alone cannot: when `tocsin_recording` is in the archive, `names`, `units`,
`sample_rate_hz`, `start_ns` and `scale` (physical units per count) describe the array `counts`.
"""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recordings.cells import numbers as read_cells
from shared.recordings.columns import Column, Table, without_infinity
from shared.recordings.stamps import StampFormat, calendar_format, number_format
from shared.recordings.timing import looks_like_time

#: Key that marks an archive of our own; its value is the version of the layout.
OWN_FORMAT = "tocsin_recording"
_EXAMPLE_ROWS = 2_000


def read_arrays(
    path: Path,
    array: str | None,
    healthy_rows: int | None,
    ignore: Sequence[str],
    time_column: str | None,
    transpose: bool,
) -> Table:
    """The columns of one NumPy file; arrays that hold Python objects are refused, never unpickled."""
    arrays = _load(path, array, ignore)
    if OWN_FORMAT in arrays:
        return _own(path, arrays)
    notes: list[str] = []
    columns: list[Column] = []
    lengths = {}
    for name, values in arrays.items():
        if values.ndim == 0:
            notes.append(f"Array {name!r} is a single value and was left out.")
            continue
        if values.ndim > 2:
            raise UsageError(
                f"{path} holds {name!r} with {values.ndim} dimensions; give (rows) or (rows, channels), or choose an "
                f"array with {path.name}::<array>"
            )
        turned = values.T if values.ndim == 2 and transpose else values
        lengths[name] = len(turned)
        table = turned.reshape(len(turned), -1) if turned.size else turned.reshape(len(turned), 1)[:0]
        single = array is not None and name == array and len(arrays) - len(set(ignore) & set(arrays)) == 1
        for index in range(table.shape[1]):
            own = name if table.shape[1] == 1 else f"column_{index + 1}" if single else f"{name}_{index + 1}"
            columns.append(_column(path, own, table[:, index], healthy_rows, len(columns), name in ignore, time_column))
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} ({rows} rows)" for name, rows in lengths.items())
        raise UsageError(f"{path} holds arrays of different lengths: {told}; choose one with {path.name}::<array>")
    if not lengths or not next(iter(lengths.values())):
        raise UsageError(f"{path} holds no rows; give a recording with at least one row of numbers")
    notes.insert(0, f"NumPy file, arrays {', '.join(lengths)}.")
    return Table(columns, next(iter(lengths.values())), [0], notes)


def _load(path: Path, array: str | None, ignore: Sequence[str]) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {path.stem: loaded}
            names = list(loaded.files)
            if array is not None:
                if array not in names:
                    raise UsageError(f"{path} has no array {array!r}; it has {', '.join(names)}")
                names = [name for name in names if name == array or (name in ignore and name != array)]
                length = len(np.atleast_1d(loaded[array]))
                return {n: loaded[n] for n in names if n == array or len(np.atleast_1d(loaded[n])) == length}
            return {name: loaded[name] for name in names}
    except (OSError, ValueError, EOFError, KeyError, SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = "it holds Python objects" if "allow_pickle" in str(error) else "it is damaged or no NumPy file"
        raise UsageError(f"{path} cannot be read: {reason}; save plain numeric arrays with numpy.savez") from error


def _column(
    path: Path,
    name: str,
    values: NDArray[Any],
    healthy_rows: int | None,
    position: int,
    label: bool,
    time_column: str | None,
) -> Column:
    """One array, or one column of it; times may be numpy's own, numbers or text."""
    kind = values.dtype.kind
    examples = values[: min(_EXAMPLE_ROWS, healthy_rows or _EXAMPLE_ROWS)]
    if kind == "M":
        stamps = values.astype("datetime64[ns]").astype(np.int64)
        return Column(name, "", np.full(len(values), np.nan), stamps=stamps, stamp_format=StampFormat("epoch", 1))
    if kind in "US":
        cells = [str(cell) for cell in (np.char.decode(values, "latin-1") if kind == "S" else values)]
        form = calendar_format(cells[: len(examples)])
        floats, refused = read_cells(cells, decimal_comma=False)
        floats, infinite = without_infinity(floats)
        column = Column(name, "", floats, np.array(refused, np.int64), infinite, texts=cells if label else None)
        if form is not None:
            column.stamps, column.stamp_format = form.read(cells), form
        return column
    if kind not in "biuf":
        raise UsageError(f"{path} holds {name!r} of type {values.dtype}; give real numbers")
    floats = np.ascontiguousarray(values, dtype=np.float64)
    finite, infinite = without_infinity(floats)
    column = Column(name, "", finite, infinite=infinite)
    head = floats[: len(examples)]
    if kind != "b" and (name == time_column or (time_column is None and looks_like_time(name, head, position))):
        form = number_format(examples, name)
        column.stamps, column.stamp_format = form.read_numbers(values), form
    return column


def _own(path: Path, arrays: dict[str, NDArray[Any]]) -> Table:
    try:
        counts, scale = arrays["counts"], arrays["scale"].astype(np.float64)
        names, units = [str(name) for name in arrays["names"]], [str(unit) for unit in arrays["units"]]
        rate, start = float(arrays["sample_rate_hz"]), int(arrays["start_ns"])
        if counts.ndim != 2 or not counts.shape[1] == len(names) == len(units) == len(scale):
            raise ValueError("shapes")
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is marked as a simulated recording and is incomplete; write it again") from error
    columns = [
        Column(name, unit, counts[:, index].astype(np.float64) * scale[index])
        for index, (name, unit) in enumerate(zip(names, units, strict=True))
    ]
    return Table(columns, len(counts), [0], ["Recording of the simulator, counts with their scale."], rate, start)
