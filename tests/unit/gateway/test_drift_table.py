"""The table in docs/drift.md is what the code gives: a row of it made anew."""

import pytest
from drift_table import PAGE, cell


@pytest.mark.parametrize("kind", ["one channel step", "none"])
def test_a_row_of_the_committed_table_is_found_again(kind):
    size = 2.0 if kind == "none" else 4.0
    assert cell(kind, size) in PAGE.read_text(encoding="utf-8").splitlines()
