"""What int8 costs on recorded faults: the committed result is what the page shows and what is measured again."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="install the extra 'train' to test training", exc_type=ImportError)

import quantization_table
from quantization_measure import EXAMS, Row, counted, judged, read_rows, trained, write_rows

LOSS_MAX = 0.005
#: Cheap ones whose area hardly depends on the seed, so that another machine's rounding does not move it either.
AGAIN = [("SKAB", "valve1/5"), ("SKAB", "valve1/10"), ("CWRU", "B_7")]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return read_rows(quantization_table.RESULT)


def test_no_recording_loses_more_than_half_a_percent(rows):
    assert {row.exam for row in rows} == {exam.name for exam in EXAMS}
    assert len({row.trial for row in rows if row.exam == "SKAB"}) == 22
    for row in rows:
        assert row.loss <= LOSS_MAX, (row.exam, row.trial, row.seed)


def test_the_page_shows_the_committed_losses(rows, tmp_path):
    page = quantization_table.PAGE.read_text(encoding="utf-8")
    assert quantization_table.page_with(rows, page) == page
    changed = [replace(rows[0], int8_auc=rows[0].int8_auc - 0.01), *rows[1:]]
    assert quantization_table.page_with(changed, page) != page
    with pytest.raises(ValueError, match=r"training\.md lacks the lines"):
        quantization_table.page_with(rows, page.replace(quantization_table.END, ""))
    write_rows(rows, tmp_path / "rows.json")
    assert read_rows(tmp_path / "rows.json") == rows


@pytest.mark.parametrize(("exam", "trial"), AGAIN)
def test_measured_again_within_half_a_percent(rows, exam, trial):
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("set TOCSIN_DATASETS to a folder with the public recordings")
    committed = next(row for row in rows if (row.exam, row.trial, row.seed) == (exam, trial, 0))
    trials = next(one for one in EXAMS if one.name == exam).trials(Path(folder))
    case = counted(next(one for one in trials if one.name == trial))
    assert case.digest == committed.digest
    again = judged(case, trained(case, 0), 0)
    assert again.loss <= LOSS_MAX
    assert again.int8_auc == pytest.approx(committed.int8_auc, abs=0.005)
    assert again.float_auc == pytest.approx(committed.float_auc, abs=0.005)
