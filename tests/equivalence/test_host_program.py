"""What the host program says and does when it is used wrongly: one sentence, the right status, no message."""

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware.build import build_host
from firmware.c_program import messages_of, run_device, sample_stream
from firmware.errors import CompilerError, FirmwareError
from shared import model_image
from shared.errors import UsageError


@pytest.fixture
def image(bench):
    return bench.images.random(1, channels=2, window=4)


@pytest.fixture
def stream():
    return sample_stream(0, np.arange(40) * 10**9, np.zeros((40, 2), np.int32))


def ended(bench, tmp_path, image, stream, *words, name="image"):
    (tmp_path / "image").write_bytes(image)
    command = [str(bench.programs["cc"]), str(tmp_path / name), *words]
    return subprocess.run(command, input=stream, capture_output=True, text=False, timeout=30, check=False)


def sentence(result):
    said = result.stderr.decode()
    assert said.count("\n") == 1
    assert said.startswith(("tocsin-device: ", "usage: "))
    return said


def sealed(image):
    return model_image.seal(model_image.encode(image))


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), 2),
        (("press-7",), 2),
        (("press-7", "-1"), 2),
        (("press-7", "18446744073709551616"), 2),
        (("press-7", "1", "--trace"), 2),
        (("press-7", "1", "--colour", "red"), 2),
        (("Press 7", "1"), 2),
        (("press-", "1"), 2),
        (("", "1"), 2),
        (("x" * 49, "1"), 2),
        (("press-7", "1", "--trace", "/no/such/folder/trace"), 2),
        (("press-7", "1", "--next", "/no/such/image"), 1),
    ],
)
def test_wrong_words(bench, tmp_path, image, stream, words, status):
    result = ended(bench, tmp_path, sealed(image), stream, *words)
    assert (result.returncode, result.stdout) == (status, b"")
    sentence(result)


def test_the_right_words(bench, tmp_path, image, stream):
    result = ended(bench, tmp_path, sealed(image), stream, "x" * 48, "18446744073709551615")
    assert (result.returncode, result.stderr) == (0, b"")
    assert len(messages_of(result.stdout)) == 4


@pytest.mark.parametrize("name", ["absent", "."])
def test_an_image_that_is_not_there(bench, tmp_path, image, stream, name):
    result = ended(bench, tmp_path, sealed(image), stream, "press-7", "1", name=name)
    assert (result.returncode, result.stdout) == (1, b"")
    assert "model image" in sentence(result)


def test_an_image_that_fails_its_golden_vector(bench, tmp_path, image, stream):
    for change in ("golden_score", "golden_output"):
        other = model_image.read(sealed(image))
        if change == "golden_score":
            other.golden_score += 1
        else:
            other.golden_output[3] ^= 1
        result = ended(bench, tmp_path, sealed(other), stream, "press-7", "1")
        assert (result.returncode, result.stdout) == (1, b"")
        assert "golden vector" in sentence(result)


def test_a_damaged_image(bench, tmp_path, image, stream):
    damaged = bytearray(sealed(image))
    damaged[150] ^= 1
    result = ended(bench, tmp_path, bytes(damaged), stream, "press-7", "1")
    assert (result.returncode, result.stdout) == (1, b"")
    at = len(damaged) - model_image.TRAILER_BYTES
    assert f"at offset {at}: the digest of the model image does not match; export the model again" in sentence(result)


@pytest.mark.parametrize(
    "wrong",
    [b"", b"TCSR", b"XCSR\0\0\2\0", b"TCSR\1\0\2\0", b"TCSR\0\0\3\0", b"TCSR\0\1\2\0"],
)
def test_a_stream_that_does_not_fit(bench, tmp_path, image, wrong):
    result = ended(bench, tmp_path, sealed(image), wrong, "press-7", "1")
    assert (result.returncode, result.stdout) == (1, b"")
    sentence(result)


def test_a_stream_that_ends_within_a_record_keeps_what_was_complete(bench, tmp_path, image, stream):
    result = ended(bench, tmp_path, sealed(image), stream[:-3], "press-7", "1")
    assert result.returncode == 1
    assert "within a record" in sentence(result)
    whole = ended(bench, tmp_path, sealed(image), stream[: -(8 + 1 + 8)], "press-7", "1")
    assert whole.returncode == 0
    assert messages_of(result.stdout) == messages_of(whole.stdout)


def test_an_unknown_flag(bench, tmp_path, image, stream):
    for flags in (2, 4, 255):
        changed = bytearray(stream)
        changed[8 + 8] = flags
        result = ended(bench, tmp_path, sealed(image), bytes(changed), "press-7", "1")
        assert result.returncode == 1
        assert "flags" in sentence(result)


def test_a_next_image_for_other_channels(bench, image):
    other = bench.images.random(2, channels=2, window=4)
    other.profile_digest = bytes(8)
    stream = sample_stream(0, np.arange(9) * 10**9, np.zeros((9, 2), np.int32), next_image_at=5)
    with pytest.raises(FirmwareError, match="other channels"):
        run_device(bench.programs["cc"], sealed(image), "press-7", 1, stream, features=8, next_image=sealed(other))


def test_messages_that_are_cut_off_are_told():
    for output in (b"\1\0", struct.pack("<I", 5) + b"1234"):
        with pytest.raises(FirmwareError, match="ended within"):
            messages_of(output)


def test_a_build_is_made_once_and_a_broken_compiler_is_told(tmp_path, build_folder, bench):
    first = bench.programs["cc"].stat().st_mtime_ns
    assert build_host(build_folder).stat().st_mtime_ns == first
    with pytest.raises(CompilerError, match="cannot be started"):
        build_host(tmp_path, compiler=["/no/such/compiler"])
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'main.c:1: error: a bad day' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(CompilerError, match="a bad day"):
        build_host(tmp_path / "build", compiler=[str(broken)])
    assert not list((tmp_path / "build").iterdir())


def test_a_build_in_a_folder_that_is_named_relatively(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert build_host(Path("build/firmware")).is_file()
    (tmp_path / "text").write_text("no folder")
    with pytest.raises(UsageError, match=r"text is no folder .* give another --out"):
        build_host(Path("text"))
