"""What a dashboard's query must return: the columns and types that stand beside it."""

from grafana_engine import Frame

from cloud.grafana.query import Query

TYPES = {"time": "dateTime:RFC3339", "float": "double", "int": "long", "string": "string", "bool": "boolean"}


def check_shape(found: list[Frame], query: Query, where: str) -> None:
    """Every frame has exactly the columns that the query's documentation names, of these types."""
    types = {name: TYPES[kind] for name, kind in query.columns.items()}
    if query.shape == "series":
        labels = {name for name in types if not name.startswith("_")}
        names = set()
        for frame in found:
            assert frame.labels is not None, f"{where}: Grafana would show a table"
            assert set(frame.labels) == labels, where
            assert list(frame.types.values()) == [types["_time"], types["_value"]], where
            times = [time for time, _ in frame.points]
            assert times == sorted(times), f"{where}: a line would run backwards"
            names.add((frame.name, *sorted(frame.labels.items())))
        assert len(names) == len(found), f"{where}: two series have one name"
        return
    assert len(found) <= 1, f"{where}: Grafana would show the first of several tables only"
    for frame in found:
        assert frame.labels is None, f"{where}: Grafana would make a series of it"
        assert frame.types.items() <= types.items(), where
        assert types.keys() - frame.types.keys() <= query.optional, where
