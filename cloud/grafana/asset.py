"""The dashboard *Asset*: one asset and its devices, from the alarm down to the channels."""

from grafana_foundation_sdk.builders import common, dashboard, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as dashboard_models
from grafana_foundation_sdk.models import units

from cloud.grafana import queries, variables
from cloud.grafana.frame import empty_dashboard
from cloud.grafana.names import ASSET_UID, PLANT_UID
from cloud.grafana.panels import alarm_annotation, alarm_table, device_table
from cloud.grafana.style import (
    FINE,
    FLAGGED,
    NORMAL,
    STATES,
    by_thresholds,
    classic_colours,
    column,
    dashed_thresholds,
    fixed_colour,
    legend,
    panel,
    rows,
    score_override,
    threshold_line,
    tooltip,
    words,
)
from cloud.grafana.units import unit_patterns


def asset() -> dashboard_models.Dashboard:
    """The dashboard as the kit's model; its last row is repeated for each chosen device."""
    built = (
        empty_dashboard("Asset", ASSET_UID, other="Plant", other_uid=PLANT_UID, hint="All assets")
        .description(
            "One asset: states, scores, alarms and the channels of its devices. A score of 1 is the threshold."
        )
        .with_variable(variables.asset())
        .with_variable(variables.devices())
        .with_variable(variables.silent_after())
        .with_panel(_states(1, (0, 0, 24, 6)))
        .with_panel(_fused(2, (0, 6, 24, 9)))
        .with_panel(alarm_table(3, (0, 15, 24, 7), with_asset=False))
        .with_panel(device_table(4, (0, 22, 24, 6), with_asset=False))
        .with_row(
            dashboard.Row("Device ${device}")
            .id(5)
            .collapsed(False)
            .repeat("device")
            .grid_pos(dashboard_models.GridPos(h=1, w=24, x=0, y=28))
        )
        .with_panel(_score_parts(6, (0, 29, 12, 9)))
        .with_panel(_channels(7, (12, 29, 12, 9)))
        .with_panel(_highest(8, (0, 38, 24, 4)))
        .build()
    )
    built.annotations = dashboard_models.AnnotationContainer(list_val=[alarm_annotation()])
    return built


def _states(number: int, place: tuple[int, int, int, int]) -> statetimeline.Panel:
    return (
        panel(
            statetimeline.Panel(),
            number,
            "State of each device",
            "The worst that each device was in each window of time. Flagged: a score of at least 1. Alarm: it "
            "lasted. No reading: nothing came; a device that reads more seldom than the window is wide shows it too.",
            place,
            queries.device_states(),
            unit=units.NoUnit,
            points=360,
            nothing="No reading in this time",
        )
        .interval("10s")
        .mappings(words(STATES))
        .color_scheme(by_thresholds())
        .show_value(common_models.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(90)
        .legend(legend())
        .tooltip(tooltip())
    )


def _fused(number: int, place: tuple[int, int, int, int]) -> timeseries.Panel:
    return (
        panel(
            timeseries.Panel(),
            number,
            "Fused score of each device",
            "What alarms are decided by: the gateway's score joined with the sensor's. The highest in each window of "
            "time; the dashed line is the threshold, bands are alarms.",
            place,
            queries.fused_scores(),
            unit=units.NoUnit,
            points=1000,
            nothing="No score in this time",
        )
        .decimals(2)
        .min(0)
        .axis_soft_max(1.2)
        .axis_label("score, 1 = threshold")
        .color_scheme(classic_colours())
        .thresholds(threshold_line())
        .thresholds_style(dashed_thresholds())
        .line_width(2)
        .fill_opacity(0)
        .legend(legend("max", "lastNotNull"))
        .tooltip(tooltip())
    )


def _score_parts(number: int, place: tuple[int, int, int, int]) -> timeseries.Panel:
    return (
        panel(
            timeseries.Panel(),
            number,
            "Scores of ${device}",
            "The fused score and its parts: what the gateway's model found, and what the sensor's own found. The "
            "highest in each window of time; the dashed line is the threshold.",
            place,
            queries.score_parts(),
            unit=units.NoUnit,
            points=500,
            nothing="No score in this time",
        )
        .decimals(2)
        .min(0)
        .axis_soft_max(1.2)
        .axis_label("score, 1 = threshold")
        .color_scheme(classic_colours())
        .thresholds(threshold_line())
        .thresholds_style(dashed_thresholds())
        .line_width(1)
        .fill_opacity(0)
        .override_by_name(
            "fused", [fixed_colour(NORMAL), dashboard_models.DynamicConfigValue(id_val="custom.lineWidth", value=3)]
        )
        .override_by_name("gateway", [fixed_colour(FINE)])
        .override_by_name("sensor", [fixed_colour(FLAGGED), _dashes()])
        .legend(legend("max", "lastNotNull"))
        .tooltip(tooltip())
    )


def _channels(number: int, place: tuple[int, int, int, int]) -> timeseries.Panel:
    built = (
        panel(
            timeseries.Panel(),
            number,
            "Channels of ${device}",
            "Physical values with their units, each unit on an axis of its own; of a vibration sensor its features in "
            "healthy deviations. Each window of time shows its lowest and its highest value.",
            place,
            queries.channel_values(),
            unit=units.Short,
            points=500,
            nothing="No value in this time",
        )
        .color_scheme(classic_colours())
        .line_width(1)
        .fill_opacity(0)
        .legend(legend("min", "max", "lastNotNull"))
        .tooltip(tooltip())
    )
    for pattern, unit in unit_patterns():
        built = built.override_by_regexp(pattern, [dashboard_models.DynamicConfigValue(id_val="unit", value=unit)])
    return built


def _highest(number: int, place: tuple[int, int, int, int]) -> table.Panel:
    places = ("at", "score", "gateway_score", "sensor_score", "top_channel", "model_version")
    return (
        panel(
            rows(),
            number,
            "Highest score of ${device}",
            "The one reading of the shown time with the highest score, and the channel that weighed most in it, "
            "counted from 1 in the device's own order (0: none). An alarm's reason names channels in words.",
            place,
            queries.highest_score(),
            unit=units.NoUnit,
            points=1000,
            nothing="No score in this time",
        )
        .with_transformation(
            dashboard_models.DataTransformerConfig(
                id_val="organize", options={"indexByName": {name: index for index, name in enumerate(places)}}
            )
        )
        .override_by_name("at", column("At", unit=units.DatetimeISO, width=190))
        .override_by_name("score", score_override())
        .override_by_name("gateway_score", column("Gateway", unit=units.NoUnit, decimals=2))
        .override_by_name("sensor_score", column("Sensor", unit=units.NoUnit, decimals=2))
        .override_by_name("top_channel", column("Top channel", unit=units.NoUnit, decimals=0))
        .override_by_name("model_version", column("Model", unit=units.NoUnit, decimals=0))
    )


def _dashes() -> dashboard_models.DynamicConfigValue:
    style = common.LineStyle().fill("dash").dash([10, 10]).build()
    return dashboard_models.DynamicConfigValue(id_val="custom.lineStyle", value=style)
