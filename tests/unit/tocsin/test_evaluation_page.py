"""The page on the evaluation shows the committed result."""

import json

from tocsin.evaluation.page import PAGE, RESULT, with_tables


def test_the_tables_are_those_of_the_committed_result():
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, json.loads(RESULT.read_text(encoding="utf-8"))) == page
