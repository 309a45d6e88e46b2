"""Building a server: whole or not at all, once, in bounded time. Go and cargo are doubles here."""

import os
import threading

import pytest
from waiting import until

from shared.errors import TocsinError, UsageError
from tocsin.servers import build
from tocsin.servers.build import build_server
from tocsin.servers.cache import built_influxd, cache_folder
from tocsin.servers.toolchain import MissingToolsError

GO = """#!/bin/bash
case "$1" in
version) echo "go version go$VERSION linux/amd64"; exit;;
build) while [ "$1" != -o ]; do shift; done;;
esac
echo "$1 $GOFLAGS cgo=$CGO_ENABLED rust=$RUSTUP_TOOLCHAIN wrapper=${RUSTC_WRAPPER:+set}" >> "$NOTES"
[ "$1" = -o ] || exit 0
eval "$AT_BUILD"
printf '#!/bin/sh\\n' > "$2"
chmod +x "$2"
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A path with tools of our own, a cache of our own, and no others; what `go` did is noted in ``notes``."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, text in {
        "go": GO,
        "cargo": "#!/bin/sh\necho cargo 1.95.0\n",
        "pkg-config": "#!/bin/sh\n",
        "cc": "#!/bin/sh\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    for name in ("bash", "sleep", "chmod"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("VERSION", "1.26.8")
    monkeypatch.setenv("AT_BUILD", "true")
    monkeypatch.delenv("RUSTUP_TOOLCHAIN", raising=False)
    return folder


def _left_over():
    """What lies in the cache besides locks."""
    return sorted(path.name for path in cache_folder().iterdir() if path.suffix != ".lock")


def test_puts_the_program_into_the_cache_once(tools, tmp_path):
    said = []
    assert build_server("influxdb-1.8", said.append) == built_influxd("1.8.10")
    assert os.access(built_influxd("1.8.10"), os.X_OK)
    assert [line.split()[0] for line in said] == ["building", "built"]
    assert _left_over() == ["influxdb-1.8.10"]
    notes = (tmp_path / "notes").read_text()
    assert [line.split()[0] for line in notes.splitlines()] == ["mod", "get", "-o"]
    assert "cgo=0 rust= wrapper=\n" in notes
    assert build_server("influxdb-1.8", said.append) == built_influxd("1.8.10")
    assert len(said) == 2


def test_builds_the_rust_part_with_lenient_lints(tools, tmp_path):
    build_server("influxdb", lambda line: None)
    notes = (tmp_path / "notes").read_text().splitlines()
    assert [line.split()[0] for line in notes] == ["mod", "get", "install", "-o"]
    assert all(line.endswith("-mod=mod cgo=1 rust=stable wrapper=set") for line in notes)


def test_names_every_missing_tool_and_how_to_get_it(tools):
    (tools / "cargo").unlink()
    (tools / "pkg-config").unlink()
    with pytest.raises(MissingToolsError) as refused:
        build_server("influxdb", lambda line: None)
    for word in ("cargo 1.72 or newer and pkg-config", "rustup", "apt install pkg-config", "TOCSIN_INFLUXD"):
        assert word in str(refused.value)
    assert "Go (" not in str(refused.value)
    assert not cache_folder().exists()


@pytest.mark.parametrize("version", ["1.19.8", "1.22.12", "unknown"])
def test_a_tool_that_is_too_old_is_missing(tools, monkeypatch, version):
    monkeypatch.setenv("VERSION", version)
    with pytest.raises(MissingToolsError, match=r"needs go 1\.23 or newer, not found"):
        build_server("influxdb", lambda line: None)


def test_leaves_nothing_but_the_log_of_a_build_that_fails(tools, monkeypatch):
    monkeypatch.setenv("AT_BUILD", "echo 'x.go:1: Error: no room'; echo; echo bye; exit 3")
    with pytest.raises(TocsinError, match=r"'go build' says: x\.go:1: Error: no room; see (.*)\.") as failed:
        build_server("influxdb-1.8", lambda line: None)
    assert _left_over() == ["influxdb-1.8-build.log"]
    log = cache_folder() / "influxdb-1.8-build.log"
    assert str(log) in str(failed.value)
    assert "$ go build -tags" in log.read_text()
    monkeypatch.setenv("AT_BUILD", "true")
    assert build_server("influxdb-1.8", lambda line: None).exists()


def test_ends_a_build_that_hangs_with_its_children(tools, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "LIMIT_SECONDS", 0.5)
    monkeypatch.setenv("AT_BUILD", f"sleep 600 & echo $! > '{tmp_path}/child'; wait")
    with pytest.raises(TocsinError, match="'go build' was ended after 0 minutes"):
        build_server("influxdb-1.8", lambda line: None)
    child = int((tmp_path / "child").read_text())
    until(lambda: not _lives(child), "the end of the child", 10.0)
    assert _left_over() == ["influxdb-1.8-build.log"]


def _lives(process):
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_second_builder_waits_for_the_first_and_takes_its_program(tools, monkeypatch, tmp_path):
    monkeypatch.setenv("AT_BUILD", f"until [ -e '{tmp_path}/go on' ]; do sleep 0.01; done")
    said, found = [], []
    builders = [
        threading.Thread(target=lambda: found.append(build_server("influxdb-1.8", said.append))) for _ in range(2)
    ]
    for builder in builders:
        builder.start()
    until(lambda: any(line.startswith("waiting for another build") for line in said), "the second", 10.0)
    (tmp_path / "go on").touch()
    for builder in builders:
        builder.join(20.0)
    assert found == [built_influxd("1.8.10")] * 2
    assert sum(line.startswith("building") for line in said) == 1


def test_clears_what_a_killed_build_left(tools):
    work = cache_folder() / "building-influxdb-1.8"
    (work / "out" / "half").mkdir(parents=True)
    built_influxd("1.8.10").parent.mkdir()
    assert os.access(build_server("influxdb-1.8", lambda line: None), os.X_OK)
    assert _left_over() == ["influxdb-1.8.10"]


def test_a_cache_that_cannot_be_written_is_one_sentence(tools, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(TocsinError, match=r"cannot be used .*XDG_CACHE_HOME"):
        build_server("influxdb-1.8", lambda line: None)


def test_a_server_that_does_not_exist_names_those_that_do():
    with pytest.raises(UsageError, match=r"no server 'influx': name one of influxdb, influxdb-1\.8"):
        build_server("influx", lambda line: None)
