"""Bad input to the real command: one sentence with thing and remedy, the right exit status, nothing left over."""

import datetime as dt
import fcntl
import math
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from waiting import PATIENCE_SECONDS

from shared.errors import TocsinError, UsageError
from shared.recordings import read_recording
from tocsin.cli import main
from tocsin.output import write_whole
from tocsin.score import score_to_file

Call = Callable[..., subprocess.CompletedProcess[str]]
ROWS = 240
HEALTHY = ["--healthy-rows", "120"]
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def _seconds(*offsets: float) -> list[str]:
    return [(START + dt.timedelta(seconds=second)).isoformat() for second in offsets]


def _write(path: Path, columns: dict[str, list[str]]) -> Path:
    lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def _columns() -> dict[str, list[str]]:
    rng = np.random.default_rng(7)
    return {
        "time": _seconds(*range(ROWS)),
        "flow": [f"{value:.4f}" for value in rng.normal(20.0, 1.0, ROWS)],
        "level": [f"{value:.4f}" for value in rng.normal(5.0, 0.1, ROWS)],
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, good and bad, that no test changes."""
    folder = tmp_path_factory.mktemp("inputs")
    good = _columns()
    _write(folder / "good.csv", good)
    (folder / "other.txt").write_text((folder / "good.csv").read_text().replace(",", ";").replace("flow", "current"))
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_text("time,flow,level\n")
    _write(folder / "words.csv", {"time": good["time"], "state": ["on", "off"] * (ROWS // 2)})
    _write(folder / "newest_first.csv", good | {"time": good["time"][::-1]})
    (folder / "broken.parquet").write_bytes(b"PAR1" + bytes(500))
    (folder / "broken.npz").write_bytes(b"PK\x03\x04" + bytes(500))
    (folder / "noise.csv").write_bytes(bytes(range(256)) * 20)
    np.savez(folder / "two.npz", x=np.zeros((10, 2)), y=np.zeros((5, 2)))
    (folder / "nothing").mkdir()
    return folder


def _environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "120", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _tocsin(
    *arguments: str, folder: Path, limit_seconds: float = PATIENCE_SECONDS, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own, run in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments],
        cwd=folder,
        env=_environment() | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_seconds,
        check=False,
        preexec_fn=before,
    )


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """The same command in this process, which saves the seconds that its start takes."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("COLUMNS", "120")

    def call_main(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["tocsin", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, said.out, said.err)

    yield call_main
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _complaint(process: subprocess.CompletedProcess[str], status: int, *words: str) -> str:
    """The one sentence of a failure, checked."""
    assert process.returncode == status, process.stderr
    assert "Traceback" not in process.stderr + process.stdout
    lines = [line for line in process.stderr.splitlines() if line.startswith("tocsin")]
    assert len(lines) == 1, process.stderr
    assert process.stderr.splitlines()[-1] == lines[0], "the last word"
    for word in words:
        assert word in lines[0], lines[0]
    assert len(lines[0]) < 320
    return lines[0]


#: name of the case -> (arguments of `tocsin score`, words that its sentence must hold); all are wrong use.
WRONG = {
    "no such file": (["absent.csv", *HEALTHY], ["absent.csv does not exist"]),
    "empty": (["empty.csv", *HEALTHY], ["empty.csv is empty"]),
    "header only": (["header.csv", *HEALTHY], ["header.csv", "no rows"]),
    "no numeric column": (["words.csv", *HEALTHY], ["words.csv", "no numeric column", "time, state"]),
    "folder without recordings": (["nothing", *HEALTHY], ["nothing", "without recordings"]),
    "damaged parquet": (["broken.parquet", *HEALTHY], ["broken.parquet cannot be read", "write it again"]),
    "damaged npz": (["broken.npz", *HEALTHY], ["broken.npz cannot be read"]),
    "binary": (["noise.csv", *HEALTHY], ["noise.csv is not a text table"]),
    "arrays of two lengths": (["two.npz", *HEALTHY], ["two.npz", "x (10 rows), y (5 rows)", "two.npz::"]),
    "no such array": (["two.npz::z", *HEALTHY], ["no array 'z'"]),
    "no such healthy file": (["good.csv", "--healthy", "absent.csv"], ["absent.csv does not exist"]),
    "another layout than the healthy file": (["good.csv", "--healthy", "other.txt"], ["same separator", "other.txt"]),
    "both kinds of healthy": (["good.csv", "--healthy", "good.csv", *HEALTHY], ["not both"]),
    "nothing healthy": (["good.csv"], ["good.csv", "--healthy-rows N"]),
    "too few for a training": (["good.csv", "--healthy-rows", "30"], ["30 healthy rows", "needs 32"]),
    "more healthy than rows": (["good.csv", "--healthy-rows", "9999"], ["240 rows", "9999", "lower"]),
    "negative healthy rows": (["good.csv", "--healthy-rows", "-3"], ["at least 1", "-3"]),
    "healthy rows in words": (["good.csv", "--healthy-rows", "many"], ["--healthy-rows", "integer"]),
    "unknown column to ignore": (["good.csv", *HEALTHY, "--ignore", "zz"], ["'zz'", "time, flow, level"]),
    "unknown channel": (["good.csv", *HEALTHY, "--channels", "zz"], ["no channel 'zz'", "time, flow, level"]),
    "unknown time column": (["good.csv", *HEALTHY, "--time-column", "zz"], ["no time column 'zz'"]),
    "time that runs backwards": (["newest_first.csv", *HEALTHY], ["time steps back", "sort the rows"]),
    "a measurement as time": (["good.csv", *HEALTHY, "--time-column", "flow"], ["--time-column"]),
    "no sample rate": (["good.csv", *HEALTHY, "--sample-rate", "0"], ["--sample-rate"]),
    "unknown tier": (["good.csv", *HEALTHY, "--tier", "fog"], ["'fog'", "sensor, gateway or both"]),
    "no false alarms at all": (["good.csv", *HEALTHY, "--false-alarms-per-day", "0"], ["--false-alarms-per-day"]),
    "endless false alarms": (["good.csv", *HEALTHY, "--false-alarms-per-day", "inf"], ["--false-alarms-per-day"]),
    "negative seed": (["good.csv", *HEALTHY, "--seed", "-1"], ["--seed"]),
    "unknown option": (["good.csv", *HEALTHY, "--colour", "red"], ["--colour", "tocsin score --help"]),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_wrong_use_of_score_is_told_in_one_sentence(case: str, inputs: Path, tmp_path: Path, call: Call) -> None:
    arguments, words = WRONG[case]
    out = tmp_path / "scores.csv"
    out.write_text("kept\n")
    _complaint(call("score", *arguments, "--out", str(out), folder=inputs), 2, *words)
    assert out.read_text() == "kept\n"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize("case", ["no such file", "unknown channel", "unknown option"])
def test_a_process_of_its_own_says_the_same(case: str, inputs: Path, tmp_path: Path, call: Call) -> None:
    command = ["score", *WRONG[case][0], "--out", str(tmp_path / "scores.csv")]
    process = _tocsin(*command, folder=inputs)
    _complaint(process, 2, *WRONG[case][1])
    assert process.stderr == call(*command, folder=inputs).stderr


#: arguments of `tocsin`, words of the sentence; run in a folder that holds good.csv; all are wrong use.
WRONG_COMMANDS = [
    (["frobnicate"], ["no such command 'frobnicate'", "tocsin --help"]),
    (["gateway", "frobnicate"], ["no such command", "tocsin gateway --help"]),
    (["score"], ["missing", "tocsin score --help"]),
    (["score", "good.csv"], ["missing option '--out'"]),
    (["score", "good.csv", *HEALTHY, "--out", "absent/scores.csv"], ["absent", "does not exist", "--out"]),
    (["score", "good.csv", *HEALTHY, "--out", "."], ["is a folder"]),
    (["score", "good.csv", *HEALTHY, "--out", "good.csv"], ["part of the recording good.csv"]),
    (["replay", "good.csv", *HEALTHY, "--speed", "0"], ["speed '0'", "max"]),
    (["replay", "good.csv", *HEALTHY, "--speed", "fast"], ["speed 'fast'"]),
    (["replay", "good.csv", *HEALTHY, "--broker", "http://somewhere"], ["http://somewhere", "mqtt://host:port"]),
    (["replay", "good.csv", *HEALTHY, "--broker", "mqtt://127.0.0.1:99999"], ["99999", "mqtt://host:port"]),
    (["replay", "good.csv", *HEALTHY, "--name", "Pump 1"], ["'Pump 1'", "a-z, 0-9"]),
    (["replay", "good.csv", *HEALTHY, "--keys", "12ab"], ["'12ab'", "64 hexadecimal digits"]),
    (["replay", "good.csv", *HEALTHY, "--devices", "0"], ["--devices"]),
    (["demo", "--fault", "gremlins", "--data", "new"], ["'gremlins'", "outer_race"]),
    (["demo", "--speed", "warp", "--data", "new"], ["'warp'"]),
    (["demo", "--data", "."], ["holds other files", "--data"]),
    (["demo", "--recording", "absent.csv", "--data", "new"], ["absent.csv does not exist"]),
    (["simulate", "--fault", "gremlins", "--out", "simulated"], ["'gremlins'", "outer_race"]),
    (["broker", "--port", "70000"], ["--port", "65535"]),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG_COMMANDS)
def test_wrong_use_of_any_command_is_told_in_one_sentence(
    arguments: list[str], words: list[str], tmp_path: Path, call: Call
) -> None:
    good = _write(tmp_path / "good.csv", _columns()).read_bytes()
    _complaint(call(*arguments, folder=tmp_path), 2, *words)
    assert (tmp_path / "good.csv").read_bytes() == good
    assert not (tmp_path / "simulated").exists()


def test_no_command_shows_the_help_and_is_wrong_use(tmp_path: Path) -> None:
    process = _tocsin(folder=tmp_path)
    assert process.returncode == 2
    assert "Usage: tocsin" in process.stdout + process.stderr
    assert "Traceback" not in process.stderr


COMMANDS = ["score", "replay", "demo", "broker", "simulate", "doctor", "gateway", "cloud", "firmware"]


def test_help_lists_every_command_without_loading_a_tier(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tocsin", "--help"],
        capture_output=True,
        text=True,
        env=_environment(),
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert all(f" {command} " in process.stdout for command in COMMANDS)
    loaded = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "tocsin.cli" in loaded
    assert not loaded & {"gateway", "cloud", "firmware", "numpy", "tensorflow"}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, tmp_path: Path, call: Call) -> None:
    process = call(command, "--help", folder=tmp_path)
    assert process.returncode == 0, process.stderr
    assert f"Usage: tocsin {command}" in process.stdout
    assert "completion" not in process.stdout


def _score(path: Path, out: Path, healthy_rows: int, tier: str = "both") -> list[str]:
    """The lines that the command writes, without the header."""
    recording = read_recording(path, healthy_rows=healthy_rows)
    score_to_file(recording, str(path), out, tier=tier, false_alarms_per_day=1 / 7, seed=0, progress=None)
    return out.read_text().splitlines()[1:]


def test_fewer_healthy_rows_than_the_gateway_needs_is_wrong_use(inputs: Path, tmp_path: Path) -> None:
    good, out = inputs / "good.csv", tmp_path / "scores.csv"
    with pytest.raises(
        UsageError, match=r"39 healthy rows fill 24 windows .* the scaling of a device needs 32; .* longer healthy part"
    ):
        _score(good, out, 39, "gateway")
    # Enough to begin with, too few with a full window: the rows behind them must not be taken as healthy instead.
    with pytest.raises(UsageError, match=r"of 47 healthy readings .* longer healthy part"):
        _score(good, out, 47, "gateway")
    assert not out.exists()
    assert len(_score(good, out, 50, "sensor")) == ROWS


def _limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_full_disk_leaves_the_old_scores_and_nothing_else(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    out.write_text("kept\n")
    arguments = ["score", "good.csv", *HEALTHY, "--out"]
    # A limit on the size of files fails the write in its midst, as a full disk does.
    process = _tocsin(*arguments, str(out), folder=inputs, before=_limit_file_size)
    _complaint(process, 1, "scores.csv cannot be written", "free space")
    assert out.read_text() == "kept\n"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs the device /dev/full of Linux")
def test_a_device_is_written_to_and_never_replaced() -> None:
    with pytest.raises(TocsinError, match=r"/dev/full cannot be written \(No space left on device\); free space"):
        write_whole(Path("/dev/full"), ["a line\n"] * 10_000)
    assert Path("/dev/full").is_char_device()


def _odd_recordings() -> dict[str, dict[str, list[str]]]:
    """Recordings with what happens in the field: each must be scored."""
    good = _columns()
    holes = _columns()
    for column, row, cell in (("flow", 30, "nan"), ("flow", 31, ""), ("level", 150, "inf"), ("level", 151, "-inf")):
        holes[column][row] = cell
    holes["flow"][200:210] = ["nan"] * 10
    holes["flow"][220] = "out of order"
    holes["time"] = _seconds(*range(80), *range(5000, 5000 + ROWS - 80))
    repeated = _columns()
    repeated["time"] = [good["time"][row // 2 * 2] for row in range(ROWS)]
    reversed_once = _columns()
    reversed_once["time"] = good["time"][:90] + good["time"][60 : 60 + ROWS - 90]
    dying = good["level"][:130] + ["nan"] * (ROWS - 130)
    huge = good["flow"][:150] + ["1e300"] * (ROWS - 150)
    return {
        "NaN, infinity, words and a gap": holes,
        "a dead channel, time stamps twice": repeated | {"level": [""] * ROWS},
        "a channel that dies, one time for all": good | {"level": dying, "time": good["time"][:1] * ROWS},
        "constant channels": good | {"flow": ["5.0"] * ROWS, "level": ["0"] * ROWS},
        "one channel, no time": {"flow": good["flow"]},
        "time that steps back, values beyond any scale": reversed_once | {"flow": huge},
    }


@pytest.mark.parametrize("name", list(_odd_recordings()))
def test_odd_recordings_are_scored(name: str, tmp_path: Path) -> None:
    lines = _score(_write(tmp_path / "odd.csv", _odd_recordings()[name]), tmp_path / "scores.csv", 120)
    assert len(lines) == ROWS
    scores = [float(line.split(",")[2] or "nan") for line in lines]
    first = next(row for row, score in enumerate(scores) if math.isfinite(score))
    assert first < 20
    assert all(math.isfinite(score) and score >= 0.0 for score in scores[first:])


@contextmanager
def _listening(answer: bytes | None) -> Iterator[int]:
    """A port of 127.0.0.1 where something listens that is no broker: it says `answer`, or nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()
        server.settimeout(0.1)

        def serve() -> None:
            links = []
            while not stop.is_set():
                try:
                    links.append(server.accept()[0])
                except TimeoutError:
                    continue
                if answer is not None:
                    links[-1].sendall(answer)
            for link in links:
                link.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "words"), [(None, "nothing answers"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no MQTT broker")]
)
def test_replay_gives_up_where_no_broker_answers(
    answer: bytes | None, words: str, inputs: Path, tmp_path: Path
) -> None:
    data = ["--data", str(tmp_path / "replay"), "--connect-seconds", "1"]
    with _listening(answer) as port:
        url = f"mqtt://127.0.0.1:{port}"
        process = _tocsin("replay", "good.csv", *HEALTHY, *data, "--broker", url, folder=inputs)
    _complaint(process, 1, words, url, "tocsin broker", "--broker")
    closed = _tocsin("replay", "good.csv", *HEALTHY, *data, "--broker", url, folder=inputs)
    _complaint(closed, 1, "no MQTT broker answers", url)
    assert not (tmp_path / "replay").exists()


def test_a_broker_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with _listening(None) as port:
        process = _tocsin("broker", "--data", "broker", "--port", str(port), folder=tmp_path)
    _complaint(process, 1, str(port), "stop what listens there")


def test_a_second_demo_on_a_folder_is_refused_and_the_first_one_keeps_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    for name in (".tocsin-demo", "of the first"):
        (folder / name).touch()
    with (tmp_path / ".demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = _tocsin("demo", "--data", str(folder), folder=tmp_path)
    _complaint(process, 2, "another demo", str(folder), "--data")
    assert (folder / "of the first").exists()


def test_sigterm_while_scoring_leaves_no_file(inputs: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tocsin", "score", str(inputs / "good.csv"), *HEALTHY, "--out", "scores.csv"],
        cwd=tmp_path,
        env=_environment() | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("training")
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
