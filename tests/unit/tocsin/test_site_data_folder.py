"""What a site keeps is neither removed by `make clean` nor seen by git."""

import inspect
import re
import shutil
import subprocess

import pytest
from site_run import ROOT

from tocsin.cli import up
from tocsin.site.layout import DEFAULT_SITE

DATA = inspect.signature(up).parameters["data"].default


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make: apt install make")
def test_make_clean_leaves_the_volumes_of_a_site_alone():
    plan = subprocess.run(["make", "--dry-run", "clean"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    removed = set(re.sub(r"^(rm -rf|find)", "", plan, flags=re.MULTILINE).split())
    assert "build" in removed
    for kept in (DATA, DEFAULT_SITE):
        assert not {str(folder) for folder in (kept, *kept.parents)} & removed


def test_git_does_not_see_the_volumes_of_a_site():
    lines = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/{DATA}/" in lines
