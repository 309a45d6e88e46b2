"""Pickled arrays of strangers: numbers are read, and nothing is run."""

import os
import pickle

import numpy as np
import pytest

from shared.errors import TocsinError
from tocsin.datasets.pickles import read_array


class Evil:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?"])
def test_arrays_of_numbers_are_read_in_every_protocol(tmp_path, protocol, dtype):
    array = np.arange(12).reshape(6, 2).astype(dtype)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(array, protocol=protocol))
    found = read_array(tmp_path / "a.pkl", "a.pkl")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_the_names_that_older_numpy_wrote_are_known(tmp_path):
    written = pickle.dumps(np.arange(3.0), protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in written
    (tmp_path / "a.pkl").write_bytes(written)
    assert read_array(tmp_path / "a.pkl", "a.pkl").tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Evil()),
        pickle.dumps([np.arange(3), Evil()]),
        pickle.dumps(np.array([Evil()], dtype=object)),
        pickle.dumps(np.array(["text"])),
        pickle.dumps(np.array([None], dtype=object)),
        pickle.dumps({"a": 1}),
        b"<html>",
        b"",
    ],
)
def test_everything_else_is_refused_and_not_run(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(TocsinError, match=r"there/a\.pkl is no pickled array of numbers"):
        read_array(tmp_path / "a.pkl", "there/a.pkl")
    assert not (tmp_path / "made-by-a-pickle").exists()
