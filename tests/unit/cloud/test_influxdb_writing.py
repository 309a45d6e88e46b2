import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import StoreUnavailable
from cloud.storage.influxdb.answers import PointsRefused
from cloud.storage.influxdb.writing import COMMON_CAUSE_LINES, write_lines


class Server:
    """Refuses lines that begin with "bad". `keeps_good` as 2.7 does with a partial write; else none of a request."""

    def __init__(self, *, keeps_good, counts):
        self.keeps_good, self.counts = keeps_good, counts
        self.held: set[str] = set()
        self.requests = 0

    def write(self, lines):
        self.requests += 1
        texts = lines.decode().split("\n")
        bad = [text for text in texts if text.startswith("bad")]
        if not bad or self.keeps_good:
            self.held |= {text for text in texts if not text.startswith("bad")}
        if bad:
            raise PointsRefused(f"partial write dropped={len(bad)}" if self.counts else "unable to parse")


@given(st.lists(st.booleans(), max_size=80), st.booleans(), st.booleans())
def test_every_good_line_is_held_and_every_bad_one_reported(goods, keeps_good, counts):
    lines = [f"{'good' if good else 'bad'}{index}" for index, good in enumerate(goods)]
    server = Server(keeps_good=keeps_good, counts=counts)
    written = write_lines(server, lines)
    assert server.held == {text for text in lines if text.startswith("good")}
    assert {text for text, _ in written.refused} == {text for text in lines if text.startswith("bad")}
    assert written.accepted == len(server.held)


def test_one_culprit_costs_few_requests():
    server = Server(keeps_good=True, counts=True)
    write_lines(server, [f"good{index}" for index in range(4000)] + ["bad"])
    assert server.requests < 30


def test_where_all_are_refused_it_is_the_server_and_not_the_points():
    server = Server(keeps_good=True, counts=False)
    with pytest.raises(StoreUnavailable, match="refuses every point"):
        write_lines(server, [f"bad{index}" for index in range(5000)])
    assert server.requests < 3 * COMMON_CAUSE_LINES
    assert len(write_lines(server, [f"bad{index}" for index in range(500)], common_cause=False).refused) == 500
