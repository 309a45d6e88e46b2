"""Every Flux query of the dashboards.

Rules that keep them quick and honest:

- A filter names measurement, field, asset and device only, and is followed at once by ``aggregateWindow`` or ``last``:
  so InfluxDB's storage does the work and a day of readings is no more than a few thousand rows. A source that is
  used twice is a function, since a shared one is read row by row.
- Scores are reduced by their maximum: no peak is averaged away. Values show the lowest and the highest of each window.
- Variables stand in regular expressions as ``${name:regex}``: the one form in which Grafana escapes every character.
- A window's time is its start.
- A ``map`` that leaves out a column of the group key comes after ``group()``: of tables that then have one key it
  would keep the rows of one.

Scores: 1 is the threshold. Times of points differ from the reading's own by less than 1.1 ms; tables show the latter.
"""

from cloud.grafana.query import ColumnType, Query

#: How far back a device that fell silent is still listed, and an alarm that lasts is still found.
LISTED_DAYS = 30
ALARM_DAYS = 365
ALARM_ROWS = 500

_RANGE = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
_LISTED_RANGE = f"range(start: date.sub(d: {LISTED_DAYS}d, from: v.timeRangeStop), stop: v.timeRangeStop)"
_OF_ASSET = "r.asset =~ /^${asset:regex}$/"
_OF_DEVICE = f"{_OF_ASSET} and r.device =~ /^${{device:regex}}$/"
_SERIES: dict[str, ColumnType] = {"_time": "time", "_value": "float", "_field": "string"}
#: The last two parts of an asset's path: what fits on a tile and still tells line 1 from line 2.
_SHORT_NAME = """short = (path) => {
    parts = strings.split(v: path, t: "/")
    last = length(arr: parts) - 1
    return if last > 0 then parts[last - 1] + "/" + parts[last] else path
}
"""
#: Ten times as quick as a window of its own, which makes a table of every moment.
_HIGHEST_OF_EACH_TIME = """    |> sort(columns: ["_time", "_value"], desc: true)
    |> unique(column: "_time")
    |> sort(columns: ["_time"])"""


def _source(measurement: str, field: str, where: str, span: str = _RANGE) -> str:
    return f"""from(bucket: v.defaultBucket)
    |> {span}
    |> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}" and {where})"""


def assets_now() -> Query:
    """The highest last score of each asset's devices; -1 where every one of them is silent.

    A device is silent when its last reading is older than ``${silent_after}`` at the end of the shown time. Labels:
    `asset` (the whole path, for links) and `name` (its end, for tiles).
    """
    return Query(
        f"""import "date"
import "strings"

{_SHORT_NAME}
{_source("readings", "score", _OF_ASSET, _LISTED_RANGE)}
    |> last()
    |> map(fn: (r) => ({{r with
        _value: if r._time < date.sub(d: ${{silent_after}}, from: v.timeRangeStop) then -1.0 else r._value,
    }}))
    |> group(columns: ["asset"])
    |> max()
    |> map(fn: (r) => ({{r with name: short(path: r.asset)}}))
    |> group(columns: ["_field", "asset", "name"])
    |> keep(columns: ["_time", "_value", "_field", "asset", "name"])
""",
        "series",
        {**_SERIES, "asset": "string", "name": "string"},
    )


def active_alarms() -> Query:
    """How many alarms last at the end of the shown time: one row, no row where there never was an alarm."""
    return Query(
        f"""import "date"

{_source("alarms", "active", _OF_ASSET, _alarm_range())}
    |> group()
    |> toInt()
    |> sum()
    |> rename(columns: {{_value: "active"}})
    |> keep(columns: ["active"])
""",
        "table",
        {"active": "int"},
    )


def alarms() -> Query:
    """Alarms that lasted at some moment of the shown time, the newest first.

    `began` is the alarm's own time, `lasted` seconds until its end or the end of the shown time, `score` its highest.
    `state` is ``active`` or ``ended``; `provisional` tells that the device had few healthy readings.
    """
    return Query(
        f"""import "date"
import "strings"

{_SHORT_NAME}
{_alarm_source()}
    |> map(fn: (r) => ({{
        began: time(v: r.begin_ns),
        state: if r.active then "active" else "ended",
        lasted: float(v: (if r.active then int(v: v.timeRangeStop) else r.end_ns) - r.begin_ns) / 1000000000.0,
        name: short(path: r.asset),
        asset: r.asset,
        device: r.device,
        score: r.score,
        reason: r.reason,
        provisional: if r.provisional then "provisional" else "",
    }}))
    |> sort(columns: ["began"], desc: true)
    |> limit(n: {ALARM_ROWS})
""",
        "table",
        {
            "began": "time", "state": "string", "lasted": "float", "name": "string", "asset": "string",
            "device": "string", "score": "float", "reason": "string", "provisional": "string",
        },
    )  # fmt: skip


def alarm_bands() -> Query:
    """The same alarms as stretches of time for annotations, by the names that Grafana looks for."""
    return Query(
        f"""import "date"

{_alarm_source()}
    |> map(fn: (r) => ({{
        time: time(v: r.begin_ns),
        timeEnd: if r.active then v.timeRangeStop else time(v: r.end_ns),
        title: if r.active then "Active alarm of " + r.asset else "Alarm of " + r.asset,
        text: r.reason,
        tags: r.device,
    }}))
    |> sort(columns: ["time"], desc: true)
    |> limit(n: {ALARM_ROWS})
""",
        "table",
        {"time": "time", "timeEnd": "time", "title": "string", "text": "string", "tags": "string"},
    )


def asset_scores() -> Query:
    """The highest score of each asset in each window, whichever of its devices gave it. Labels as `assets_now`."""
    return Query(
        f"""import "strings"

{_SHORT_NAME}
{_source("readings", "score", _OF_ASSET)}
    |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: "_start")
    |> group(columns: ["asset"])
{_HIGHEST_OF_EACH_TIME}
    |> map(fn: (r) => ({{r with name: short(path: r.asset)}}))
    |> group(columns: ["_field", "asset", "name"])
    |> keep(columns: ["_time", "_value", "_field", "asset", "name"])
""",
        "series",
        {**_SERIES, "asset": "string", "name": "string"},
    )


def readings_per_minute() -> Query:
    """Readings of each asset per minute, from full windows only; 0 where none came. Labels as `assets_now`."""
    return Query(
        f"""import "date"
import "strings"

{_SHORT_NAME}
minutes = float(v: int(v: v.windowPeriod)) / 60000000000.0

{_source("readings", "sequence", _OF_ASSET)}
    |> aggregateWindow(every: v.windowPeriod, fn: count, timeSrc: "_start")
    |> group(columns: ["_field", "asset", "_start", "_stop"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false, timeSrc: "_start")
    |> filter(fn: (r) => r._time > v.timeRangeStart and r._time <= date.sub(d: v.windowPeriod, from: v.timeRangeStop))
    |> map(fn: (r) => ({{r with
        _value: float(v: r._value) / minutes, _field: "readings", name: short(path: r.asset),
    }}))
    |> group(columns: ["_field", "asset", "name"])
    |> keep(columns: ["_time", "_value", "_field", "asset", "name"])
""",
        "series",
        {**_SERIES, "asset": "string", "name": "string"},
    )


def devices() -> Query:
    """Every device of the last 30 days with its last reading, the longest silent first.

    `state` is ``silent``, ``alarm``, ``flagged``, ``normal`` or ``not judged`` (it has no score yet); `silent` the
    seconds between its last reading and the end of the shown time.
    """
    return Query(
        f"""import "date"
import "strings"

{_SHORT_NAME}
from(bucket: v.defaultBucket)
    |> {_LISTED_RANGE}
    |> filter(fn: (r) => r._measurement == "readings" and {_OF_ASSET})
    |> filter(fn: (r) =>
        r._field == "time_ns" or r._field == "model_version" or r._field == "alarm" or r._field == "score")
    |> last()
    |> toFloat()
    |> group(columns: ["asset", "device"])
    |> pivot(rowKey: ["asset", "device"], columnKey: ["_field"], valueColumn: "_value")
    |> group()
    |> map(fn: (r) => ({{r with
        name: short(path: r.asset),
        last_reading: time(v: int(v: r.time_ns)),
        silent: (float(v: int(v: v.timeRangeStop)) - r.time_ns) / 1000000000.0,
        model_version: int(v: r.model_version),
    }}))
    |> map(fn: (r) => ({{r with
        state: if r.last_reading < date.sub(d: ${{silent_after}}, from: v.timeRangeStop) then "silent"
            else if r.alarm > 0.0 then "alarm"
            else if not exists r.score then "not judged"
            else if r.score >= 1.0 then "flagged" else "normal",
    }}))
    |> keep(columns: ["asset", "name", "device", "state", "last_reading", "silent", "score", "model_version"])
    |> sort(columns: ["silent", "device"], desc: true)
""",
        "table",
        {
            "asset": "string", "name": "string", "device": "string", "state": "string", "last_reading": "time",
            "silent": "float", "score": "float", "model_version": "int",
        },
        frozenset({"score"}),
    )  # fmt: skip


def model_versions() -> Query:
    """The version of the model that each device ran, the last of each window; the series is named by the device."""
    return Query(
        f"""{_source("readings", "model_version", _OF_ASSET)}
    |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false, timeSrc: "_start")
    |> map(fn: (r) => ({{r with _field: r.device}}))
    |> group(columns: ["_field"])
    |> keep(columns: ["_time", "_value", "_field"])
""",
        "series",
        {**_SERIES, "_value": "int"},
    )


def device_states() -> Query:
    """What each device was in each window, the worst of it; the series is named by the device.

    -1 no reading, 0 not judged (readings without a score), 1 normal, 2 flagged (a score of at least 1), 3 in alarm.
    """
    return Query(
        f"""readings = (field) => from(bucket: v.defaultBucket)
    |> {_RANGE}
    |> filter(fn: (r) => r._measurement == "readings" and r._field == field and {_OF_DEVICE})

heard = readings(field: "sequence")
    |> aggregateWindow(every: v.windowPeriod, fn: count, timeSrc: "_start")
    |> map(fn: (r) => ({{r with _value: if r._value > 0 then 0 else -1}}))

judged = readings(field: "score")
    |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: "_start")
    |> map(fn: (r) => ({{r with _value: if r._value >= 1.0 then 2 else 1}}))

alarmed = readings(field: "alarm")
    |> filter(fn: (r) => r._value == true)
    |> aggregateWindow(every: v.windowPeriod, fn: count, createEmpty: false, timeSrc: "_start")
    |> map(fn: (r) => ({{r with _value: 3}}))

union(tables: [heard, judged, alarmed])
    |> group(columns: ["device"])
{_HIGHEST_OF_EACH_TIME}
    |> map(fn: (r) => ({{r with _field: r.device}}))
    |> group(columns: ["_field"])
    |> keep(columns: ["_time", "_value", "_field"])
""",
        "series",
        {**_SERIES, "_value": "int"},
    )


def fused_scores() -> Query:
    """The highest fused score of each device in each window; the series is named by the device."""
    return Query(
        f"""{_source("readings", "score", _OF_DEVICE)}
    |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: "_start")
    |> map(fn: (r) => ({{r with _field: r.device}}))
    |> group(columns: ["_field"])
    |> keep(columns: ["_time", "_value", "_field"])
""",
        "series",
        dict(_SERIES),
    )


def score_parts() -> Query:
    """The highest score in each window, apart: series ``fused``, ``gateway`` and ``sensor``. For one device."""
    return Query(
        f"""from(bucket: v.defaultBucket)
    |> {_RANGE}
    |> filter(fn: (r) => r._measurement == "readings" and {_OF_DEVICE})
    |> filter(fn: (r) => r._field == "score" or r._field == "gateway_score" or r._field == "sensor_score")
    |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: "_start")
    |> map(fn: (r) => ({{r with
        _field: if r._field == "score" then "fused" else if r._field == "gateway_score" then "gateway" else "sensor",
    }}))
    |> group(columns: ["_field"])
    |> keep(columns: ["_time", "_value", "_field"])
{_HIGHEST_OF_EACH_TIME}
""",
        "series",
        dict(_SERIES),
    )


def channel_values() -> Query:
    """The lowest and the highest value of each channel in each window, one after the other in one series.

    The series is named ``channel [unit]``. So neither a peak nor a trough is lost, and where a window holds one value
    the line is that value. For one device.
    """
    return Query(
        f"""half = duration(v: int(v: v.windowPeriod) / 2)
values = () => {_source("values", "value", _OF_DEVICE)}

lowest = values()
    |> aggregateWindow(every: v.windowPeriod, fn: min, createEmpty: false, timeSrc: "_start")

highest = values()
    |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: "_start")
    |> timeShift(duration: half, columns: ["_time"])

union(tables: [lowest, highest])
    |> map(fn: (r) => ({{r with
        _field: if exists r.unit then r.channel + " [" + r.unit + "]" else r.channel,
    }}))
    |> group(columns: ["_field"])
    |> keep(columns: ["_time", "_value", "_field"])
    |> sort(columns: ["_time"])
""",
        "series",
        dict(_SERIES),
    )


def highest_score() -> Query:
    """The one reading with the highest score: when, what each part gave, and the channel that weighed most.

    One row, none without scores. `top_channel` counts the device's channels from 1, 0 is none. For one device.
    """
    return Query(
        f"""import "date"

peak = {_source("readings", "score", _OF_DEVICE)}
    |> group()
    |> max()
    |> findRecord(fn: (key) => true, idx: 0)
from_time = if exists peak._time then peak._time else v.timeRangeStart
to_time = if exists peak._time then date.add(d: 1ns, to: peak._time) else date.add(d: 1ns, to: v.timeRangeStart)

from(bucket: v.defaultBucket)
    |> range(start: from_time, stop: to_time)
    |> filter(fn: (r) => r._measurement == "readings" and {_OF_DEVICE})
    |> filter(fn: (r) =>
        r._field == "score" or r._field == "gateway_score" or r._field == "sensor_score" or
        r._field == "top_channel" or r._field == "model_version" or r._field == "time_ns")
    |> toFloat()
    |> group(columns: ["device"])
    |> pivot(rowKey: ["device"], columnKey: ["_field"], valueColumn: "_value")
    |> filter(fn: (r) => exists r.score)
    |> group()
    |> map(fn: (r) => ({{
        at: time(v: int(v: r.time_ns)),
        score: r.score,
        gateway_score: r.gateway_score,
        sensor_score: r.sensor_score,
        top_channel: int(v: r.top_channel) + 1,
        model_version: int(v: r.model_version),
    }}))
""",
        "table",
        {
            "at": "time", "score": "float", "gateway_score": "float", "sensor_score": "float", "top_channel": "int",
            "model_version": "int",
        },
        frozenset({"gateway_score", "sensor_score"}),
    )  # fmt: skip


def asset_choices() -> Query:
    """Assets that sent readings in the last 30 days of the shown time."""
    return _choices("asset", 'r._measurement == "readings"')


def device_choices() -> Query:
    """Devices of the chosen asset that sent readings in the last 30 days of the shown time."""
    return _choices("device", f'r._measurement == "readings" and {_OF_ASSET}')


def _choices(tag: str, where: str) -> Query:
    return Query(
        f"""import "date"
import "influxdata/influxdb/schema"

schema.tagValues(
    bucket: v.defaultBucket,
    tag: "{tag}",
    predicate: (r) => {where},
    start: date.sub(d: {LISTED_DAYS}d, from: v.timeRangeStop),
    stop: v.timeRangeStop,
)
""",
        "choices",
        {"_value": "string"},
    )


def _alarm_range() -> str:
    return f"range(start: date.sub(d: {ALARM_DAYS}d, from: v.timeRangeStart), stop: v.timeRangeStop)"


def _alarm_source() -> str:
    """Alarms as rows, those that were over before the shown time left out."""
    return f"""from(bucket: v.defaultBucket)
    |> {_alarm_range()}
    |> filter(fn: (r) => r._measurement == "alarms" and {_OF_ASSET})
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> filter(fn: (r) => r.active or r.end_ns >= int(v: v.timeRangeStart))
    |> group()"""


#: All of them, by what they are called.
QUERIES = {
    query.__name__: query
    for query in (
        assets_now, active_alarms, alarms, alarm_bands, asset_scores, readings_per_minute, devices, model_versions,
        device_states, fused_scores, score_parts, channel_values, highest_score, asset_choices, device_choices,
    )
}  # fmt: skip
