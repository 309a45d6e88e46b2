"""What Grafana does with a query of a dashboard, and nothing more: variables and macros put in, the answer made frames.

Written after Grafana's documented behaviour: variables by name and format in the browser, then the macros of the
InfluxDB plugin (which replaces *any* ``word.timeRangeStart``), then one frame for each table of the answer. Whatever is
not known here fails, so that a dashboard cannot lean on something that Grafana would leave standing.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from influxdb_servers import Bucket

#: A chosen value, several, or "All" of a variable with a value of its own for that.
Chosen = str | list[str]
_VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:}]+))?(?::([^}]+))?\}")
_MACRO = re.compile(r"([a-zA-Z]+)\.([a-zA-Z]+)")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_NICE_SECONDS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_TIMES = ("dateTime:RFC3339", "dateTime:RFC3339Nano")


@dataclass(frozen=True)
class Asked:
    """A query found in a dashboard, with what the panel says about its width."""

    where: str
    flux: str
    points: int = 1000
    shortest_seconds: int = 1
    panel: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """One table as a panel gets it. A series has two columns, ``Time`` and its name, and labels."""

    columns: dict[str, list[Any]]
    types: dict[str, str]
    labels: dict[str, str] | None = None

    @property
    def name(self) -> str:
        """The name of a series."""
        return list(self.columns)[1]

    @property
    def points(self) -> list[tuple[datetime, Any]]:
        """A series as pairs."""
        return list(zip(self.columns["Time"], self.columns[self.name], strict=True))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A table as rows."""
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]


def queries_of(dashboard: Mapping[str, Any]) -> Iterator[Asked]:
    """Every query in a dashboard's JSON: panels (collapsed ones too), variables, annotations."""
    panels = [inner for panel in dashboard["panels"] for inner in (panel, *panel.get("panels", []))]
    for panel in panels:
        for target in panel.get("targets", []):
            interval = panel.get("interval", "1s")
            seconds = int(interval[:-1]) * {"s": 1, "m": 60}[interval[-1]]
            yield Asked(panel["title"], target["query"], panel["maxDataPoints"], seconds, panel)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield Asked(f"variable {variable['name']}", variable["query"])
    for annotation in dashboard["annotations"]["list"]:
        yield Asked(f"annotation {annotation['name']}", annotation["target"]["query"])


def put_in(asked: Asked, variables: Mapping[str, Chosen], start: datetime, stop: datetime, bucket: str) -> str:
    """The Flux that goes to InfluxDB; AssertionError for a variable, a format or a macro that Grafana does not know."""

    def variable(match: re.Match[str]) -> str:
        name, form = match[1] or match[2] or match[4], match[3] or match[6]
        assert match[5] is None, match[0]
        assert name in variables, f"{asked.where}: {match[0]} is no variable of the dashboard"
        return _formatted(variables[name], form, match[0])

    seconds = (stop - start).total_seconds() / asked.points
    window = max(asked.shortest_seconds, max((nice for nice in _NICE_SECONDS if nice <= seconds), default=1))
    macros = {
        "timeRangeStart": _moment(start),
        "timeRangeStop": _moment(stop),
        "windowPeriod": _go_duration(window),
        "defaultBucket": json.dumps(bucket),
    }

    def macro(match: re.Match[str]) -> str:
        if match[2] not in {*macros, "bucket", "organization"}:
            assert match[1] != "v", f"{asked.where}: {match[0]} is no macro of Grafana's"
            return match[0]
        assert match[1] == "v", f"{asked.where}: Grafana would put something else in the place of {match[0]}"
        assert match[2] in macros, f"{asked.where}: {match[0]} is not used here"
        return macros[match[2]]

    return _MACRO.sub(macro, _VARIABLE.sub(variable, asked.flux))


def frames(bucket: Bucket, flux: str) -> list[Frame]:
    """The answer of InfluxDB as Grafana's plugin hands it to a panel."""
    wish = {"query": flux, "dialect": {"annotations": ["datatype", "group", "default"], "header": True}}
    answer = bucket.ask(
        "POST", "/api/v2/query", json.dumps(wish).encode(), {"Content-Type": "application/json"},
        org=bucket.organisation,
    )  # fmt: skip
    assert answer.status == 200, (answer, flux)
    found: list[Frame] = []
    types: list[str] = []
    names: list[str] = []
    number = None
    rows: list[list[str]] = []

    def close() -> None:
        if rows:
            found.append(_frame(names, types, rows))
            rows.clear()

    for line in csv.reader(io.StringIO(answer.body.decode())):
        if not line:
            continue
        if line[0] == "#datatype":
            close()
            types, names, number = line[1:], [], None
        elif line[0].startswith("#"):
            continue
        elif not names:
            names = line[1:]
            assert "error" not in names, line
        else:
            values = line[1:]
            if values[1] != number:
                close()
                number = values[1]
            rows.append(values)
    close()
    return found


def _frame(names: list[str], types: list[str], rows: list[list[str]]) -> Frame:
    assert names[:2] == ["result", "table"], names
    kinds = dict(zip(names[2:], types[2:], strict=True))
    columns = {
        name: [_value(text, kind) for text in (row[index + 2] for row in rows)]
        for index, (name, kind) in enumerate(kinds.items())
    }
    times = [name for name, kind in kinds.items() if kind in _TIMES]
    if "_value" not in kinds or not times:
        return Frame(columns, kinds)
    time = "_time" if "_time" in times else times[0]
    labels = {name: str(values[0]) for name, values in columns.items() if name[0] != "_" and kinds[name] == "string"}
    name = str(columns["_field"][0]) if "_field" in columns else "Value"
    shown = {"Time" if time == "_time" else time: columns[time], name: columns["_value"]}
    return Frame(shown, {"Time": kinds[time], name: kinds["_value"]}, labels)


def _value(text: str, kind: str) -> Any:
    if text == "" and kind != "string":
        return None
    if kind in _TIMES:
        whole, _, fraction = text.rstrip("Z").partition(".")
        return datetime.fromisoformat(whole).replace(tzinfo=UTC) + timedelta(microseconds=float(f"0.{fraction}") * 1e6)
    return {"double": float, "long": int, "boolean": lambda word: word == "true", "string": str}[kind](text)


def _formatted(chosen: Chosen, form: str | None, where: str) -> str:
    if chosen == ".*":  # the variable's own value for "All" goes in as it stands, whatever the format
        return chosen
    if form == "regex":
        several = [chosen] if isinstance(chosen, str) else chosen
        escaped = [_SPECIAL.sub(lambda match: "\\" + match[0], value) for value in several]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    assert form is None, f"{where} has a format that is not used here"
    assert isinstance(chosen, str), f"{where} stands for several values, which Grafana would write as {{a,b}}"
    return chosen


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"


def _go_duration(seconds: int) -> str:
    """A duration as Go writes it, which is how Grafana puts it in.

    >>> _go_duration(15), _go_duration(60), _go_duration(5400)
    ('15s', '1m0s', '1h30m0s')
    """
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"
