"""Stamps read together are those read one by one, and agree with Python's own calendar."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recordings.stamps import NO_STAMP, StampFormat, calendar_format

moments = st.datetimes(datetime(1975, 1, 1), datetime(2199, 1, 1))  # noqa: DTZ001 - the zone is put on below
ZONES = [timezone.utc, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=9))]  # noqa: UP017
FORMS = {
    "ymd": "%Y-%m-%d %H:%M:%S.%f",
    "ymd compact": "%Y%m%dT%H%M%S.%f",
    "dmy": "%d.%m.%Y %H:%M:%S,%f",
    "mdy": "%m/%d/%Y %H:%M:%S.%f",
}


@settings(max_examples=150, deadline=None)
@given(
    times=st.lists(moments, min_size=1, max_size=6),
    order=st.sampled_from(sorted(FORMS)),
    zone=st.sampled_from(ZONES),
    told=st.booleans(),
    spoil=st.sampled_from(["", "x", "2020-02-30 10:00:00.000000", "30.02.2020 10:00:00,000000", "1"]),
)
def test_read_together_one_by_one_and_by_python(
    times: list[datetime], order: str, zone: timezone, told: bool, spoil: str
) -> None:
    aware = [time.replace(tzinfo=zone if told else UTC) for time in times]
    cells = [time.strftime(FORMS[order] + ("%z" if told else "")) for time in aware]
    form = StampFormat(order)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    wanted = [(time - epoch) // timedelta(microseconds=1) * 1000 for time in aware]
    assert form.read(cells).tolist() == wanted
    assert [form.read([cell]).tolist()[0] for cell in cells] == wanted
    spoiled = [*cells, spoil] if spoil else cells
    assert form.read(spoiled).tolist() == [form.read([cell]).tolist()[0] for cell in spoiled]


def test_days_that_do_not_exist_are_no_stamps() -> None:
    for cell in ("2021-02-29 00:00:00", "2021-13-01 00:00:00", "2021-01-01 25:00:00", "2021-01-01 10:61:00", "soon"):
        assert StampFormat("ymd").read(["2021-01-01 00:00:00", cell]).tolist() == [1609459200_000000000, NO_STAMP]
        assert StampFormat("ymd").read([cell]).tolist() == [NO_STAMP]


def test_day_or_month_first_is_taken_from_what_fits_and_then_from_the_steadier_steps() -> None:
    def order(cells: list[str]) -> str:
        form = calendar_format(cells)
        assert form is not None
        return form.order

    assert order(["13/02/2020 00:00", "14/02/2020 00:00"]) == "dmy"
    assert order(["02/13/2020 00:00", "02/14/2020 00:00"]) == "mdy"
    assert order(["01/02/2020", "01/03/2020", "01/04/2020", "01/05/2020"]) == "mdy"
    assert order(["01/02/2020", "02/02/2020", "03/02/2020", "04/02/2020"]) == "dmy"
    assert order(["01/02/2020 00:00:00", "01/02/2020 00:00:01", "01/02/2020 00:00:02"]) == "dmy"
    assert calendar_format(["1.5", "2.5"]) is None
