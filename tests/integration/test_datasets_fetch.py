"""`tocsin datasets fetch` against a real web server of this machine that cuts, forgets, refuses and lies."""

import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path
from pickle import dumps

import numpy as np
import pytest
from waiting import PATIENCE_SECONDS, until

from shared.errors import TocsinError, UsageError
from tocsin.datasets.catalogue import Entry, File, Source
from tocsin.datasets.digests import content_of_npz, sha256_of
from tocsin.datasets.fetch import fetch

CONTENT = np.random.default_rng(7).bytes(400_000)


class Site(http.server.ThreadingHTTPServer):
    """Serves `files`; remembers what was asked for. Each of `cuts` ends an answer after so many bytes."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cuts: list[int] = []
        self.knows_ranges = True
        self.redirects: dict[str, str] = {}
        self.hold = threading.Event()
        self.hold.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request, client_address):
        """A client that goes away is part of these tests."""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
            return
        if self.path not in self.server.files:
            self.send_error(404)
            return
        whole = self.server.files[self.path]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.knows_ranges else 0
        if start and start >= len(whole):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(whole)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        rest = whole[start:]
        if self.server.cuts:
            rest = rest[: self.server.cuts.pop(0)]
        self.wfile.write(rest[: len(rest) // 2])
        self.wfile.flush()
        self.server.hold.wait(PATIENCE_SECONDS)
        self.wfile.write(rest[len(rest) // 2 :])

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


def file_of(name, content=CONTENT, at=None, told=""):
    return File(name, len(content), hashlib.sha256(content).hexdigest(), told, at or name)


def set_of(source, *files):
    return Entry("TINY", "a tiny set", "tiny", "", {"remark": "none"}, source, files)


def quiet(_what, _done, _in_all):
    pass


def test_brings_files_whose_names_need_quoting_and_asks_no_second_time(site, tmp_path):
    site.files = {"/data/OR%406%20x.csv": CONTENT, "/data/b.csv": b"b\n"}
    tiny = set_of(Source("files", site.url + "data/"), file_of("OR@6 x.csv"), file_of("b.csv", b"b\n"))
    seen = []
    assert fetch(tiny, tmp_path, None, lambda *told: seen.append(told)) == 2
    assert (tmp_path / "tiny" / "OR@6 x.csv").read_bytes() == CONTENT
    assert ("OR@6 x.csv", len(CONTENT), len(CONTENT)) in seen
    assert fetch(tiny, tmp_path, None, quiet) == 0
    assert len(site.asked) == 2


def test_goes_on_after_connections_that_were_cut(site, tmp_path):
    site.files, site.cuts = {"/a.csv": CONTENT}, [100_000, 150_000]
    tiny = set_of(Source("files", site.url), file_of("a.csv"))
    assert fetch(tiny, tmp_path, None, quiet) == 1
    assert (tmp_path / "tiny" / "a.csv").read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, "bytes=100000-", "bytes=250000-"]


def test_a_line_that_brings_nothing_ends_with_a_sentence_and_a_part_for_the_next_attempt(site, tmp_path):
    site.files, site.cuts = {"/a.csv": CONTENT}, [100_000, 0]
    tiny = set_of(Source("files", site.url), file_of("a.csv"))
    with pytest.raises(TocsinError, match=r"was cut after 100000 bytes of .*a\.csv; the same command goes on"):
        fetch(tiny, tmp_path, None, quiet)
    assert (tmp_path / "tiny" / "a.csv.part").stat().st_size == 100_000
    assert not (tmp_path / "tiny" / "a.csv").exists()
    fetch(tiny, tmp_path, None, quiet)
    assert site.asked[-1] == ("/a.csv", "bytes=100000-")
    assert sorted(path.name for path in (tmp_path / "tiny").glob("a*")) == ["a.csv"]


def test_a_server_without_ranges_sends_the_whole_file_again(site, tmp_path):
    site.files, site.cuts, site.knows_ranges = {"/a.csv": CONTENT}, [100_000], False
    fetch(set_of(Source("files", site.url), file_of("a.csv")), tmp_path, None, quiet)
    assert (tmp_path / "tiny" / "a.csv").read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, "bytes=100000-"]


@pytest.mark.parametrize("held", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_a_part_that_is_no_beginning_of_the_file_is_dropped(site, tmp_path, held):
    site.files = {"/a.csv": CONTENT}
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "a.csv.part").write_bytes(held)
    fetch(set_of(Source("files", site.url), file_of("a.csv")), tmp_path, None, quiet)
    assert (tmp_path / "tiny" / "a.csv").read_bytes() == CONTENT


def test_other_bytes_than_catalogued_are_not_kept(site, tmp_path):
    site.files = {"/a.csv": CONTENT[:-1] + b"?"}
    tiny = set_of(Source("files", site.url), file_of("a.csv"))
    with pytest.raises(TocsinError, match=r"a\.csv has other bytes .* nothing of it was kept"):
        fetch(tiny, tmp_path, None, quiet)
    assert not list((tmp_path / "tiny").glob("a*"))


def test_no_more_is_read_than_the_catalogue_allows(site, tmp_path):
    site.files = {"/a.csv": CONTENT + b"more"}
    with pytest.raises(TocsinError, match="is longer than the 400000 bytes"):
        fetch(set_of(Source("files", site.url), file_of("a.csv")), tmp_path, None, quiet)


def test_says_what_is_gone_who_is_away_and_what_is_not_safe(site, tmp_path):
    tiny = set_of(Source("files", site.url), file_of("a.csv"))
    with pytest.raises(TocsinError, match=r"a\.csv is not there any more \(404\); take the files from a copy"):
        fetch(tiny, tmp_path, None, quiet)
    site.redirects = {"/a.csv": "http://elsewhere.example/a.csv"}
    with pytest.raises(UsageError, match=r"http://elsewhere\.example/a\.csv is not https"):
        fetch(tiny, tmp_path, None, quiet)
    with pytest.raises(TocsinError, match=r"nowhere\.invalid cannot be reached"):
        fetch(set_of(Source("files", "https://nowhere.invalid/"), file_of("a.csv")), tmp_path, None, quiet)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full: a full disk is played by it on Linux")
def test_a_full_disk_is_told(site, tmp_path):
    site.files = {"/a.csv": CONTENT}
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "a.csv.part").symlink_to("/dev/full")
    with pytest.raises(TocsinError, match="the disk is full; free space, the same command goes on"):
        fetch(set_of(Source("files", site.url), file_of("a.csv")), tmp_path, None, quiet)


def test_too_little_space_is_told_before_anything_is_asked_for(site, tmp_path):
    huge = File("a.csv", 1 << 60, "0" * 64, "", "a.csv")
    with pytest.raises(TocsinError, match=f"needs {1 << 60}; free space, or choose another --to"):
        fetch(set_of(Source("files", site.url), huge), tmp_path, None, quiet)
    assert not site.asked


def test_a_file_in_the_way_is_left_alone(site, tmp_path):
    (tmp_path / "tiny").mkdir()
    mine = tmp_path / "tiny" / "a.csv"
    mine.write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there with other bytes than TINY has; move it away"):
        fetch(set_of(Source("files", site.url), file_of("a.csv")), tmp_path, None, quiet)
    assert mine.read_bytes() == b"mine"


def packed(kind, members):
    whole = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=whole, mode="w:gz") as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def test_takes_catalogued_files_alone_out_of_a_redirected_archive(site, tmp_path):
    site.files = {
        "/there.gz": packed("tar", {"../evil.csv": b"e", "top/data/two/b.csv": b"b\n", "top/data/a.csv": CONTENT})
    }
    site.redirects = {"/set.tar.gz": "/there.gz"}
    source = Source("archive", site.url + "set.tar.gz", inside="top/data/")
    tiny = set_of(source, file_of("a.csv"), file_of("two/b.csv", b"b\n"))
    site.cuts = [200_000]
    assert fetch(tiny, tmp_path, None, quiet) == 2
    here = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.suffix == ".csv")
    assert here == ["tiny/a.csv", "tiny/two/b.csv"]
    assert not (tmp_path / "tiny" / ".archive.part").exists()


def test_takes_files_out_of_an_archive_in_an_archive(site, tmp_path):
    site.files = {"/set.zip": packed("zip", {"deep/inner.zip": packed("zip", {"a.csv": CONTENT})})}
    source = Source("archive", site.url + "set.zip", inner="deep/inner.zip")
    assert fetch(set_of(source, file_of("a.csv")), tmp_path, None, quiet) == 1
    with pytest.raises(TocsinError, match=r"set\.zip holds no b\.csv any more"):
        fetch(set_of(source, file_of("b.csv")), tmp_path, None, quiet)


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_a_damaged_archive_is_told_and_not_kept(site, tmp_path, suffix):
    site.files = {f"/set.{suffix}": CONTENT}
    with pytest.raises(TocsinError, match="came as a damaged archive"):
        fetch(set_of(Source("archive", f"{site.url}set.{suffix}"), file_of("a.csv")), tmp_path, None, quiet)
    assert not (tmp_path / "tiny" / ".archive.part").exists()


def test_joins_pickled_arrays_whatever_they_were_compressed_with(site, tmp_path):
    random = np.random.default_rng(3)
    train, test = random.random((20, 2)), random.random((10, 2))
    labels = np.arange(10) > 6
    np.savez(tmp_path / "plain.npz", train=train.astype("f4"), test=test.astype("f4"), test_label=labels.astype("u1"))
    told = "npz:" + content_of_npz(tmp_path / "plain.npz")
    site.files = {f"/m_{part}.pkl": dumps(array) for part, array in (("train", train), ("test", test))}
    site.files["/m_test_label.pkl"] = dumps(labels, protocol=2)
    tiny = set_of(Source("pickles", site.url), File("m.npz", 1, "0" * 64, told, "m"))
    assert fetch(tiny, tmp_path, None, quiet) == 1
    with np.load(tmp_path / "tiny" / "m.npz") as arrays:
        assert arrays["train"].dtype == np.float32
        assert arrays["test_label"].tolist() == labels.tolist()
    assert sorted(path.name for path in (tmp_path / "tiny").glob("m*")) == ["m.npz"]


def test_copies_from_a_folder_of_the_set_or_of_all_sets(tmp_path):
    copy = tmp_path / "copy"
    (copy / "tiny").mkdir(parents=True)
    (copy / "tiny" / "a.csv").write_bytes(CONTENT)
    tiny = set_of(None, file_of("a.csv"))
    assert fetch(tiny, tmp_path / "one", copy, quiet) == 1
    assert fetch(tiny, tmp_path / "two", copy / "tiny", quiet) == 1
    assert sha256_of(tmp_path / "two" / "tiny" / "a.csv") == tiny.files[0].sha256
    (copy / "tiny" / "a.csv").write_bytes(b"other")
    with pytest.raises(TocsinError, match="has other bytes"):
        fetch(tiny, tmp_path / "three", copy, quiet)
    with pytest.raises(UsageError, match="published nowhere as files"):
        fetch(tiny, tmp_path / "three", None, quiet)


COMMAND = """
import sys
from pathlib import Path
from tocsin.datasets import catalogue
folder = Path(sys.argv.pop(1))
catalogue.catalogue_folder = lambda: folder
from tocsin.cli import main
main()
"""


def test_control_c_leaves_a_part_and_the_next_command_goes_on(site, tmp_path):
    site.files = {"/a.csv": CONTENT}
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "tiny.toml").write_text(
        f'title = "a tiny set"\nfolder = "tiny"\nlicence = "MIT"\nredistribution = "allowed"\n'
        f'[source]\nkind = "files"\naddress = "{site.url}"\n[content]\nfiles = [\n'
        f'{{ name = "a.csv", bytes = {len(CONTENT)}, sha256 = "{hashlib.sha256(CONTENT).hexdigest()}" }},\n]\n'
    )
    command = [sys.executable, "-c", COMMAND, str(tmp_path / "catalogue"), "datasets", "fetch", "tiny"]
    settings = {
        **os.environ,
        "TOCSIN_DATASETS": str(tmp_path / "all"),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    part = tmp_path / "all" / "tiny" / "a.csv.part"
    site.hold.clear()
    with subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: part.exists() and part.stat().st_size, "the first bytes")
            with pytest.raises(TocsinError, match="another process is fetching"):
                fetch(set_of(None, file_of("a.csv")), tmp_path / "all", tmp_path, quiet)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=PATIENCE_SECONDS)[1]
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "tocsin: stopped with 0 of 1 files of TINY; the same command goes on from there"
    held = part.stat().st_size
    site.hold.set()
    again = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    assert "licence: MIT; redistribution: allowed" in again.stderr
    assert again.stdout == f"TINY is in {tmp_path / 'all' / 'tiny'}: of 1 files 1 came, 0 were there\n"
    assert site.asked[-1] == ("/a.csv", f"bytes={held}-")
    assert (tmp_path / "all" / "tiny" / "a.csv").read_bytes() == CONTENT
