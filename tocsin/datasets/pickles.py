"""Arrays that someone published as pickles, read without running anything that a pickle may ask for."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import TocsinError

#: What a pickled array of numbers is made of, in old and new versions of NumPy; nothing else is ever called.
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np._core.multiarray._reconstruct for core in ("core", "_core")},  # type: ignore[attr-defined]
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): lambda values, dtype, shape, order: np.frombuffer(
            values, dtype=dtype
        ).reshape(shape, order=order)
        for core in ("core", "_core")
    },
    ("_codecs", "encode"): lambda text, encoding="latin1": text.encode("latin1") if encoding == "latin1" else b"",
}

#: What the reader of pickles raises on bytes that are none, or that ask for something else.
_DAMAGED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


class _ArrayUnpickler(pickle.Unpickler):
    """Knows arrays of numbers, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_array(path: Path, address: str) -> NDArray[Any]:
    """The one array of numbers in a pickle; TocsinError when it holds anything else."""
    try:
        with path.open("rb") as content:
            found = _ArrayUnpickler(content).load()
    except _DAMAGED as error:
        raise TocsinError(f"{address} is no pickled array of numbers ({error}); take it with --from FOLDER") from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        raise TocsinError(f"{address} is no pickled array of numbers; take it with --from FOLDER")
    return found


def join(train: NDArray[Any], test: NDArray[Any], labels: NDArray[Any], target: Path) -> None:
    """Write a machine's healthy part, its run and the run's labels as one .npz file."""
    with target.open("wb") as out:
        np.savez_compressed(
            out,
            train=np.asarray(train, np.float32),
            test=np.asarray(test, np.float32),
            test_label=np.asarray(labels, np.uint8),
        )
