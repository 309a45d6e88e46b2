"""How `tocsin up` starts, watches, restarts and ends services; these are small Python programs in their place."""

import os
import signal
import subprocess
import sys

import pytest
from site_run import ROOT, made_site
from waiting import until

from shared.errors import TocsinError, UsageError
from tocsin.site.compose_file import COMPLETED, HEALTHY, Health, Service
from tocsin.site.up import Topology, run_up

WAIT = "import signal; signal.pause()"


@pytest.fixture
def topology(tmp_path, monkeypatch):
    """Makes a topology of programs ``name=(code, wishes)`` and ends it."""
    made = []
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def make(**services):
        made.append(Topology({name: service(name, *what) for name, what in services.items()}, tmp_path / "data"))
        return made[-1]

    yield make
    for one in made:
        one.stop()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def service(name, code, wishes):
    check = wishes.get("health")
    health = Health(("python", "-c", check), 0.05, 5.0, 0.0, 3) if check else None
    return Service(
        name=name,
        image="",
        built_in="gateway",
        command=("python", "-c", code),
        environment={"DATA": "/data"},
        health=health,
        ports=(),
        folders={"/data": "shared"},
        files={},
        secrets=(),
        depends_on=wishes.get("after", {}),
        restart=wishes.get("restart", "unless-stopped"),
        stop_seconds=5.0,
    )


def stepping(topology, condition, what):
    def step():
        topology.step()
        return condition()

    until(step, what, 30.0)


def lines(tmp_path):
    file = tmp_path / "data/volumes/shared/order"
    return file.read_text().split() if file.exists() else []


def note(word, then=""):
    return f"import os; open(os.environ['DATA'] + '/order', 'a').write('{word} '); {then}"


def test_a_service_starts_when_the_others_are_as_far_as_it_wants(topology, tmp_path, capsys):
    ready = "import os; raise SystemExit(not os.path.exists(os.environ['DATA'] + '/ready'))"
    up = topology(
        slow=(note("slow", WAIT), {"health": ready}),
        once=(note("once"), {"restart": "no", "after": {"slow": HEALTHY}}),
        last=(note("last", WAIT), {"after": {"once": COMPLETED}}),
    )
    stepping(up, lambda: lines(tmp_path) == ["slow"], "the first")
    for _ in range(3):
        up.step()
    assert lines(tmp_path) == ["slow"]
    (tmp_path / "data/volumes/shared/ready").touch()
    stepping(up, lambda: lines(tmp_path) == ["slow", "once", "last"], "the others in their order")
    stepping(up, (tmp_path / "data/addresses.json").exists, "the addresses")
    assert "slow is healthy" in capsys.readouterr().out


def test_a_service_that_is_killed_starts_again_and_its_health_is_told_when_it_changes(topology, tmp_path, capsys):
    well = "import os; raise SystemExit('not well' if os.path.exists(os.environ['DATA'] + '/sick') else 0)"
    pid = tmp_path / "data/volumes/shared/pid"
    up = topology(
        one=(f"import os; open(os.environ['DATA'] + '/pid', 'w').write(str(os.getpid())); {WAIT}", {"health": well})
    )
    stepping(up, lambda: pid.exists() and pid.read_text() and "one is healthy" in capsys.readouterr().out, "its health")
    said = ""

    def says(words):
        nonlocal said
        said += capsys.readouterr().out
        return words in said

    (pid.parent / "sick").touch()
    stepping(up, lambda: says("one is not healthy: not well"), "that it is not well")
    (pid.parent / "sick").unlink()
    stepping(up, lambda: says("one is healthy"), "that it is well")
    first = int(pid.read_text())
    os.kill(first, signal.SIGKILL)
    stepping(up, lambda: pid.read_text() not in ("", str(first)), "a new process")
    assert says("one ended with status -9, starting it again")
    stepping(up, lambda: says("") and "one is healthy" in said.partition("-9")[2], "that the new one is well")


@pytest.mark.parametrize("wishes", [{"health": "raise SystemExit(1)"}, {"restart": "no"}])
def test_a_service_that_refuses_to_start_ends_the_run_with_its_last_words(topology, wishes):
    up = topology(one=("raise SystemExit('there is no secret')", wishes))
    with pytest.raises(TocsinError, match="the service one ended with status 1: there is no secret"):
        stepping(up, lambda: False, "nothing")


def test_the_last_started_ends_first_and_nothing_is_left(topology, tmp_path):
    def noting(word):
        end = note(f"{word}-ended", "raise SystemExit").replace("import os; ", "")
        return f"import signal\ndef end(*_):\n    {end}\nsignal.signal(signal.SIGTERM, end)\n{note(word, WAIT)}"

    up = topology(first=(noting("first"), {}), second=(noting("second"), {"after": {"first": HEALTHY}}))
    stepping(up, lambda: lines(tmp_path) == ["first", "second"], "both")
    up.stop()
    assert lines(tmp_path) == ["first", "second", "second-ended", "first-ended"]


def test_a_secret_that_is_missing_is_named_before_anything_starts(tmp_path):
    site = made_site(tmp_path / "site")
    (site / "secrets/influxdb-token").unlink()
    with pytest.raises(UsageError, match=r"secrets/influxdb-token \(for the service influxdb\) .*tocsin init"):
        run_up(ROOT / "docker-compose.yml", [], site, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_an_image_that_nothing_stands_for_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: {other: {image: 'other:1.0.0'}}")
    with pytest.raises(
        UsageError, match=r"no program stands for other:1\.0\.0 of the service other; start it with Docker"
    ):
        run_up(file, [], tmp_path, tmp_path / "data")


def test_the_command_line_says_a_wrong_profile_in_one_sentence(tmp_path):
    command = [sys.executable, "-m", "tocsin", "up", "--profile", "les", "--site", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "tocsin: there is no profile 'les' in docker-compose.yml; there is demo\n"
