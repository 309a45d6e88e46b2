"""Panels that both dashboards have: alarms, devices."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, DataTransformerConfig, DynamicConfigValue

from cloud.grafana import queries
from cloud.grafana.names import DATASOURCE
from cloud.grafana.query import FluxAnnotationTarget
from cloud.grafana.style import ALARM, coloured_cell, column, panel, rows, score_override, to_asset

_TIME_ZONE = "Times are those of your browser's time zone."


def alarm_table(number: int, place: tuple[int, int, int, int], *, with_asset: bool) -> table.Panel:
    """Alarms of the shown time, the newest first."""
    order = ["began", "state", "lasted", "name", "asset", "device", "score", "reason", "provisional"]
    built = (
        panel(
            rows(),
            number,
            "Alarms",
            "Alarms that lasted at some moment of the shown time, the newest first, with the reasons in words. "
            "Provisional: the device was commissioned with few healthy readings, so it may cry wolf. " + _TIME_ZONE,
            place,
            queries.alarms(),
            unit="string",
            points=1000,
            nothing="No alarm in this time",
        )
        .with_transformation(_ordered(order))
        .override_by_name("began", column("Began", unit="dateTimeAsIso", width=170))
        .override_by_name("state", [*column("State", width=100), *coloured_cell()])
        .override_by_name("lasted", column("Lasted", unit="dtdurations", width=120, decimals=0))
        .override_by_name("device", column("Device", width=180))
        .override_by_name("score", column("Highest score", unit="none", width=110, decimals=2))
        .override_by_name("reason", column("Reason"))
        .override_by_name("provisional", column("Certainty", width=110))
    )
    return _with_asset(built, with_asset)


def device_table(number: int, place: tuple[int, int, int, int], *, with_asset: bool) -> table.Panel:
    """Devices with their last reading, the longest silent first."""
    order = ["state", "device", "name", "silent", "score", "model_version", "last_reading", "asset"]
    built = (
        panel(
            rows(),
            number,
            "Devices",
            "Every device that sent readings in the last 30 days, the longest silent first. Silent: its last reading "
            "is older than the time chosen above. Not judged: it has no score yet. " + _TIME_ZONE,
            place,
            queries.devices(),
            unit="string",
            points=1000,
            nothing="No device has sent readings",
        )
        .with_transformation(_ordered(order))
        .override_by_name("state", [*column("State", width=110), *coloured_cell()])
        .override_by_name("device", column("Device"))
        .override_by_name("silent", column("Last reading ago", unit="dtdurations", width=140, decimals=0))
        .override_by_name("score", score_override())
        .override_by_name("model_version", column("Model", unit="none", width=75, decimals=0))
        .override_by_name("last_reading", column("Last reading", unit="dateTimeAsIso", width=170))
    )
    return _with_asset(built, with_asset)


def alarm_annotation() -> AnnotationQuery:
    """Alarms as bands over every plot."""
    return AnnotationQuery(
        name="Alarms",
        datasource=DATASOURCE,
        enable=True,
        hide=False,
        icon_color=ALARM,
        target=FluxAnnotationTarget(queries.alarm_bands().flux),
    )


def _ordered(names: list[str]) -> DataTransformerConfig:
    """Columns in this order: InfluxDB orders them as it likes."""
    places = {name: index for index, name in enumerate(names)}
    return DataTransformerConfig(id_val="organize", options={"indexByName": places})


def _with_asset(built: table.Panel, shown: bool) -> table.Panel:
    """The asset by its short name, linked to its dashboard by the whole path, which stays out of sight; or neither."""
    hidden = DynamicConfigValue(id_val="custom.hidden", value=True)
    built = built.override_by_name("asset", [hidden])
    return built.override_by_name("name", _linked(column("Asset", width=170)) if shown else [hidden])


def _linked(values: list[DynamicConfigValue]) -> list[DynamicConfigValue]:
    return [*values, DynamicConfigValue(id_val="links", value=[to_asset("__data.fields.asset").build()])]
