import re

import pytest

from firmware.codegen.files import REPOSITORY, generated_files, write_all
from shared.signal import definition


@pytest.mark.parametrize("name", sorted(generated_files()))
def test_a_generated_file_is_what_its_generator_writes(name):
    assert (REPOSITORY / name).read_text(encoding="utf-8") == generated_files()[name], (
        f"{name} is not what its generator writes; run python -m firmware.codegen"
    )


@pytest.mark.parametrize("name", sorted(generated_files()))
def test_the_first_line_names_the_generator_and_a_digest_and_no_date(name):
    first = generated_files()[name].splitlines()[0]
    assert re.search(r"Written by firmware/codegen from sha256:[0-9a-f]{12}", first)
    assert not re.search(r"20\d\d", first.replace("sha256:", ""))


def test_every_file_in_the_generated_folder_has_a_generator():
    present = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "firmware/c/generated").iterdir()}
    assert present <= set(generated_files())


def test_another_limit_gives_another_header_and_digest(monkeypatch):
    before = generated_files()["firmware/c/generated/tocsin_limits.h"]
    monkeypatch.setattr(definition, "BANDS_MAX", 65)
    after = generated_files()["firmware/c/generated/tocsin_limits.h"]
    assert before.splitlines()[0] != after.splitlines()[0]
    assert "#define TOCSIN_BANDS_MAX 65" in after


def test_writing_touches_only_what_changed(tmp_path):
    assert len(write_all(tmp_path)) == len(generated_files())
    assert write_all(tmp_path) == []
    (tmp_path / "shared/signal/tables.py").write_text("old", encoding="utf-8")
    assert [path.name for path in write_all(tmp_path)] == ["tables.py"]
