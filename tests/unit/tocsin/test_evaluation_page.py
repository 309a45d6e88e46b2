"""The pages on the evaluation show the committed result."""

import json

import pytest

from tocsin.evaluation.page import PAGE, README, RESULT, pages, with_tables


@pytest.mark.parametrize("path", [PAGE, README], ids=lambda path: path.name)
def test_the_tables_are_those_of_the_committed_result(path):
    page = path.read_text(encoding="utf-8")
    content = pages(json.loads(RESULT.read_text(encoding="utf-8")))[path]
    assert len(content.splitlines()) > 10
    assert with_tables(page, content) == page
