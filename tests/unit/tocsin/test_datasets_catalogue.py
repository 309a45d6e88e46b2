"""The catalogue of public recordings: complete, harmless, and true of the recordings that are here."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from shared.errors import TocsinError, UsageError
from tocsin.datasets import catalogue, folder
from tocsin.datasets.catalogue import entries, entry
from tocsin.datasets.cli import app
from tocsin.datasets.verify import verify
from tocsin.evaluation.run import EXAMS, FOLDERS, recordings_of

RECORDINGS = os.environ.get("TOCSIN_DATASETS")
here = pytest.mark.skipif(not RECORDINGS, reason="TOCSIN_DATASETS is not set: name the folder of public recordings")


def test_every_set_says_where_it_comes_from_and_what_one_may_do_with_it():
    for known in entries():
        assert known.title
        assert known.facts["licence"]
        assert known.facts["redistribution"]
        if known.files:
            assert known.facts["home"].startswith("https://")
            assert known.facts["citation"]
            assert urlsplit(known.source.address).scheme == "https"


def test_every_file_has_a_size_and_a_digest_and_a_name_of_its_own():
    places = [f"{known.folder}/{file.name}" for known in entries() for file in known.files]
    assert len(places) == len(set(places)) > 3000
    for known in entries():
        for file in known.files:
            assert file.size > 0
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.content.partition(":")[0] in ("", "npz", "streams")


def test_every_exam_finds_its_recordings_where_fetch_puts_them():
    known = {name: entry(name) for name in catalogue.names()}
    for name in EXAMS:
        recordings = known[recordings_of(name)]
        assert recordings.exam == recordings_of(name)
        assert recordings.folder == FOLDERS[name]
    assert {one.exam for one in known.values()} - {""} == {recordings_of(name) for name in EXAMS}


def test_a_set_is_found_in_small_letters_and_an_unknown_one_is_refused():
    assert entry("skab").name == "SKAB"
    with pytest.raises(UsageError, match="no set of recordings 'SKAP'; choose one of ASD, CMAPSS"):
        entry("SKAP")


@pytest.mark.parametrize("name", ["../escaped.csv", "/etc/passwd", "a/../../b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(catalogue, "catalogue_folder", lambda: tmp_path)
    (tmp_path / "bad.toml").write_text(
        f'title = "t"\nfolder = "bad"\n[content]\nfiles = [{{ name = "{name}", bytes = 1, sha256 = "00" }}]\n'
    )
    with pytest.raises(TocsinError, match=r"bad\.toml is no entry of the catalogue \(.* leads out of the folder\)"):
        entry("bad")


def test_recordings_lie_where_the_variable_says_else_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TOCSIN_DATASETS", str(tmp_path))
    assert folder.recordings_folder() == tmp_path
    monkeypatch.setenv("TOCSIN_DATASETS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert folder.recordings_folder() == Path("/somewhere/tocsin/datasets")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setattr("sys.platform", "linux")
    assert folder.recordings_folder() == Path("/somewhere/.cache/tocsin/datasets")


@here
@pytest.mark.parametrize("name", ["SKAB", "NAB", "ASD", "MLPERF"])
def test_the_recordings_here_are_those_of_the_catalogue(name):
    found = verify(entry(name), Path(RECORDINGS))
    assert not found.altered
    assert not found.missing


def test_verify_names_what_is_missing_and_what_is_other(monkeypatch, tmp_path):
    monkeypatch.setenv("TOCSIN_DATASETS", str(tmp_path))
    (tmp_path / "cmapss").mkdir()
    (tmp_path / "cmapss" / "RUL_FD001.txt").write_text("112\n")
    answer = CliRunner().invoke(app, ["verify", "CMAPSS"])
    assert isinstance(answer.exception, TocsinError)
    assert answer.stdout.startswith("CMAPSS  0 of 3 files are right; missing: test_FD001.txt and 1 more; with other")
    assert "1 of 3 files" in CliRunner().invoke(app, ["list"]).stdout
    told = CliRunner().invoke(app, ["show", "cwru"]).stdout
    assert "redistribution: not clear" in told
    assert "here:           not here" in told
