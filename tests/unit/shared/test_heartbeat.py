import subprocess
import sys

import pytest

from shared.heartbeat import STALE_SECONDS, Heartbeat, trouble


def test_a_loop_that_goes_round_is_at_work(tmp_path):
    Heartbeat(tmp_path / "beat", lambda: 50.0).beat()
    assert trouble(tmp_path / "beat", lambda: 50.0 + STALE_SECONDS) == ""


@pytest.mark.parametrize(
    ("age", "words"), [(STALE_SECONDS + 1, "is 16 s old"), (-5.0, "from before the machine started")]
)
def test_a_loop_that_hangs_or_belongs_to_the_start_before_is_not(tmp_path, age, words):
    Heartbeat(tmp_path / "beat", lambda: 50.0).beat()
    assert words in trouble(tmp_path / "beat", lambda: 50.0 + age)


def test_what_is_missing_is_told_at_once_and_its_end_too(tmp_path):
    heartbeat = Heartbeat(tmp_path / "beat", lambda: 50.0)
    heartbeat.beat()
    heartbeat.beat("There is no broker.")
    assert trouble(tmp_path / "beat", lambda: 50.0) == "There is no broker."
    heartbeat.beat()
    assert trouble(tmp_path / "beat", lambda: 50.0) == ""


def test_a_folder_that_cannot_be_written_does_not_end_the_work(tmp_path):
    Heartbeat(tmp_path / "nowhere" / "beat").beat()
    assert "no beat" in trouble(tmp_path / "nowhere" / "beat")


def test_a_file_of_something_else_is_no_beat(tmp_path):
    (tmp_path / "beat").write_text("hello")
    assert "holds no beat" in trouble(tmp_path / "beat")


def test_the_command_has_a_status_for_a_health_check(tmp_path):
    command = [sys.executable, "-m", "shared.heartbeat", str(tmp_path / "beat")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    Heartbeat(tmp_path / "beat").beat()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "at work\n")
