"""A board's messages shown to people: over a real pseudo-terminal, over TCP, and in a process of its own."""

import contextlib
import errno
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tty

import pytest
from small_devices import provision_small, small_profile, small_rows
from waiting import PATIENCE_SECONDS

from firmware.board_line import check_address, opening_trouble
from firmware.host.sensor import birth_of
from firmware.message_lines import MessageLines
from firmware.micropython.device import Device
from firmware.monitor import watch
from shared.errors import UsageError
from shared.messages import codec, compact
from shared.serial import framing


class BoardOnPty:
    """A board's end of a pseudo-terminal."""

    def __init__(self) -> None:
        self._board, self._line = os.openpty()
        tty.setraw(self._line)
        os.set_blocking(self._board, False)
        self.address = os.ttyname(self._line)

    def send(self, content):
        os.write(self._board, content)

    def received(self):
        with contextlib.suppress(BlockingIOError):
            return os.read(self._board, 65536)
        return b""

    def close(self):
        os.close(self._board)
        os.close(self._line)


class BoardOnTcp:
    """A board behind a TCP port, as the emulator's is."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._caller = None

    def accept(self):
        self._server.settimeout(PATIENCE_SECONDS)
        self._caller, _ = self._server.accept()
        self._caller.setblocking(False)

    def send(self, content):
        if self._caller is None:
            self.accept()
        self._caller.sendall(content)

    def received(self):
        with contextlib.suppress(BlockingIOError):
            return self._caller.recv(65536)
        return b""

    def drop(self):
        self._caller.close()
        self._caller = None

    def close(self):
        if self._caller is not None:
            self._caller.close()
        self._server.close()


class Watcher:
    """`watch` in a thread; `until` waits for a line."""

    def __init__(self, address, **options) -> None:
        self.lines = []
        self._stop = False
        self._thread = threading.Thread(
            target=watch,
            args=(address,),
            kwargs={"say": self.lines.append, "should_stop": lambda: self._stop, **options},
        )
        self._thread.start()

    def until(self, text):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(text in line for line in list(self.lines)):
            assert time.monotonic() < deadline, (text, self.lines)
            time.sleep(0.01)
        return next(line for line in self.lines if text in line)

    def until_more(self, text, count):
        """Waits for a line after the first `count`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(text in line for line in self.lines[count:]):
            assert time.monotonic() < deadline, (text, self.lines)
            time.sleep(0.01)

    def stop(self):
        self._stop = True
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        return self.lines


@pytest.fixture(params=[BoardOnPty, BoardOnTcp])
def board(request):
    with contextlib.closing(request.param()) as made:
        yield made


@pytest.fixture
def words(tmp_path):
    """(kind, body) of what a board sends: log, birth, state, then data."""
    profile = small_profile()
    image = provision_small(tmp_path, profile)
    image.threshold = 1
    made = [
        (framing.LOG, b"image version 1, golden vector right"),
        (framing.BIRTH, codec.encode_birth(birth_of(profile, 3, image))),
        (framing.STATE, compact.encode_state("press-7", 3, 1, "started", 0, "")),
    ]
    device = Device(
        "press-7",
        3,
        image,
        lambda sequence, _n, head, tail: made.append((framing.DATA, head + compact.data_oldest(sequence) + tail)),
    )
    for time_ns, counts in small_rows(profile, 34):
        device.push_row(time_ns, counts)
    return made


def frames(words):
    return b"".join(framing.encode(kind, body) for kind, body in words)


def test_messages_are_shown_as_they_come_and_nothing_is_sent(board, words):
    watcher = Watcher(board.address)
    watcher.until("reading")
    board.send(b"rubbish before" + frames(words))
    shown = watcher.until("press-7 22-32")
    assert shown.startswith("data   press-7 22-32  2026-01-01 00:00:22  !!!!!!!!!!!  highest ")
    assert ", 11 flagged" in shown
    board.send(frames(words))  # what is sent again is no news
    board.send(framing.encode(framing.LOG, b"good\x1b[2Jbye"))
    watcher.until("good?[2Jbye")
    lines = watcher.stop()
    assert lines.count("log    image version 1, golden vector right") == 2
    (birth,) = [line for line in lines if line.startswith("birth")]
    assert "press-7, boot 3, model version 1, slow at 1 Hz" in birth
    assert "channels: temperature (degC), current (A)" in birth
    assert [line for line in lines if line.startswith("state")] == ["state  press-7, model version 1, started"]
    (first,) = [line for line in lines if "press-7 0-10" in line]
    assert "  ...!!!!!!!!  highest " in first  # no scores before the window is full
    assert any(f" by {name}" in first for name in codec.decode_birth(words[1][1]).feature_names)
    assert any("1 pieces of what came were no frames" in line for line in lines)
    assert (
        lines[-1]
        == "-- 3 log, 1 birth, 1 state, 3 data, 1 birth again, 1 state again, 3 data again; 1 pieces were no frames"
    )
    assert board.received() == b""


def test_acknowledged_as_a_gateway_does(board, words):
    watcher = Watcher(board.address, acknowledge=True)
    watcher.until("reading")
    late = [words[index] for index in (1, 3, 5, 4, 5)]  # data 0-10, 22-32 too early, 11-21, 22-32 again
    board.send(frames(late))
    decoder, answers = framing.Decoder(), []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(answers) < 5:
        assert time.monotonic() < deadline, answers
        answers += decoder.push(board.received())
        time.sleep(0.01)
    watcher.stop()
    assert [kind for kind, _ in answers] == [framing.TIME] + [framing.STORED] * 4
    assert abs(int.from_bytes(answers[0][1], "little") - time.time_ns()) < 60e9
    marks = [compact.decode_stored(body) for _, body in answers[1:]]
    # 22-32 says that nothing below 22 is held any more (its oldest is 22), as after a loss
    assert marks == [("press-7", 3, 11), ("press-7", 3, 33), ("press-7", 3, 33), ("press-7", 3, 33)]


def test_in_json_every_line_is_an_object(board, words):
    watcher = Watcher(board.address, as_json=True)
    watcher.until("reading")
    board.send(frames(words) + frames(words[-1:]))
    watcher.until('"again": true')
    told = [json.loads(line) for line in watcher.stop()]
    assert [fact["kind"] for fact in told[1:-1]] == ["log", "birth", "state", "data", "data", "data", "data"]
    data = told[4]
    assert (data["sequence"], data["scores"][:3], len(data["counts"])) == (0, [None] * 3, 11)
    assert data["scores"][3] == codec.decode_data(words[3][1]).scores()[3]
    assert "again" not in data


def test_a_line_that_goes_away_is_opened_again(words):
    with contextlib.closing(BoardOnTcp()) as board:
        watcher = Watcher(board.address)
        board.send(frames(words[:1]))
        watcher.until("golden vector right")
        board.drop()
        watcher.until("is gone")
        board.send(frames(words[1:2]))
        watcher.until("birth")
        assert sum("reading" in line for line in watcher.stop()) == 2


def test_a_port_that_is_not_there_is_waited_for(tmp_path, words):
    with contextlib.closing(BoardOnPty()) as board:
        link = tmp_path / "port"
        watcher = Watcher(str(link))
        assert watcher.until("no port") == (
            f"-- there is no port {link}; plug the device in, or name the port that it has; trying until it opens"
        )
        link.symlink_to(board.address)
        watcher.until("reading")
        board.send(frames(words[:1]))
        watcher.until("golden vector right")
        assert sum("no port" in line for line in watcher.stop()) == 1


def test_one_that_accepts_and_closes_is_told_once_and_asked_ever_less(words):
    with contextlib.closing(BoardOnTcp()) as board:
        watcher = Watcher(board.address)
        taken = []
        for _ in range(4):
            board.accept()
            taken.append(time.monotonic())
            board.drop()
        waits = [later - earlier for earlier, later in itertools.pairwise(taken)]
        assert all(wait >= 0.9 * least for wait, least in zip(waits, (0.25, 0.5, 1.0), strict=True)), waits
        assert [line.split(" ", 2)[1] for line in watcher.lines] == ["reading", board.address]
        assert watcher.lines[1].endswith("went away before anything came; trying until it speaks")
        for _ in range(2):  # bytes begin the waits anew, and what happens again is said again
            board.send(frames(words[:1]))
            count = len(watcher.lines)
            watcher.until("golden vector right")
            board.drop()
            watcher.until_more("is gone", count)
            began = time.monotonic()
            board.accept()
            assert time.monotonic() - began < 1.8  # the fourth wait in a row would be 2 s
        told = watcher.stop()
        assert sum("is gone" in line for line in told) == 2
        assert sum("went away before" in line for line in told) == 1


@pytest.mark.parametrize(
    ("address", "error", "sentence"),
    [
        ("/dev/ttyX", PermissionError(errno.EACCES, "x"), "may not be opened; join its group"),
        ("/dev/ttyX", BlockingIOError(errno.EAGAIN, "x"), "another program has /dev/ttyX; stop the gateway"),
        ("/dev/ttyX", OSError("odd"), r"cannot be opened \(odd\); plug the device in again"),
        ("tcp://a:1", socket.gaierror(-2, "Name unknown"), r"tcp://a:1 is not known \(Name unknown\); correct"),
        ("tcp://a:1", TimeoutError("timed out"), r"cannot be reached \(timed out\); check"),
    ],
)
def test_a_line_that_cannot_be_opened_is_told_with_its_remedy(address, error, sentence):
    assert re.search(sentence, opening_trouble(address, error))


def test_nothing_behind_an_address_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    watcher = Watcher(address)
    watcher.until(f"nothing listens at {address}; start the emulator")
    assert len(watcher.stop()) == 2


def test_control_c_ends_it_with_a_summary(words):
    with contextlib.closing(BoardOnPty()) as board:
        process = subprocess.Popen(
            [sys.executable, "-m", "tocsin", "firmware", "monitor", "--port", board.address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout.readline() == f"-- reading {board.address}\n"
            board.send(frames(words[:1]))
            assert process.stdout.readline() == "log    image version 1, golden vector right\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, out, err) == (0, "-- 1 log; 0 pieces were no frames\n", "")


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(words):
    lines = MessageLines()
    assert lines.show(framing.DATA, b"nothing").startswith("-- a data message cannot be read (")
    assert not lines.readable
    assert lines.show(*words[3]).startswith("data   press-7 0-10")
    assert lines.show(*words[5]).endswith(", 11 missing before")
    assert lines.show(77, b"ab") == "kind 77 2 bytes"
    assert lines.show(framing.TAKEN, bytes((7, 0, 0, 0))) == "taken  7 rows taken"
    refused = compact.encode_state("press-7", 3, 1, "refused", 2, "model image: too old")
    assert lines.show(framing.STATE, refused) == (
        "state  press-7, model version 1, refused version 2: model image: too old"
    )


@pytest.mark.parametrize("address", ["", "tcp://nowhere", "tcp://:1", "tcp://host:port", "http://host:1"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(UsageError, match="--port"):
        check_address(address)
