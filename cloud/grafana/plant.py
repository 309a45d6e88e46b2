"""The dashboard *Plant*: all assets at a glance, for a wall screen and a phone."""

from grafana_foundation_sdk.builders import common, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as dashboard_models
from grafana_foundation_sdk.models import units

from cloud.grafana import queries, variables
from cloud.grafana.frame import empty_dashboard
from cloud.grafana.names import ASSET_UID, PLANT_UID
from cloud.grafana.panels import alarm_annotation, alarm_table, device_table
from cloud.grafana.style import (
    ALARM,
    NORMAL,
    QUIET,
    by_thresholds,
    classic_colours,
    dashed_thresholds,
    legend,
    panel,
    score_thresholds,
    threshold_line,
    thresholds,
    to_asset,
    tooltip,
    words,
)


def plant() -> dashboard_models.Dashboard:
    """The dashboard as the kit's model."""
    built = (
        empty_dashboard("Plant", PLANT_UID, other="Asset", other_uid=ASSET_UID, hint="One asset in detail")
        .description("All assets: scores, alarms, devices. A score of 1 is the threshold.")
        .with_variable(variables.assets())
        .with_variable(variables.silent_after())
        .with_panel(_assets_now(1, (0, 0, 20, 6)))
        .with_panel(_active_alarms(2, (20, 0, 4, 6)))
        .with_panel(alarm_table(3, (0, 6, 24, 8), with_asset=True))
        .with_panel(_scores(4, (0, 14, 24, 10)))
        .with_panel(device_table(5, (0, 24, 14, 10), with_asset=True))
        .with_panel(_readings_per_minute(6, (14, 24, 10, 10)))
        .with_panel(_model_versions(7, (0, 34, 24, 7)))
        .build()
    )
    built.annotations = dashboard_models.AnnotationContainer(list_val=[alarm_annotation()])
    return built


def _assets_now(number: int, place: tuple[int, int, int, int]) -> stat.Panel:
    return (
        panel(
            stat.Panel(),
            number,
            "Assets now",
            "The highest last score of each asset's devices: blue below the threshold of 1, vermilion from 1 on, grey "
            "where all its devices are silent. A device that is not judged yet has no score. Click for the asset.",
            place,
            queries.assets_now(),
            unit=units.NoUnit,
            points=100,
            nothing="No asset has a score",
        )
        .decimals(2)
        .display_name("${__field.labels.name}")
        .thresholds(score_thresholds())
        .color_scheme(by_thresholds())
        .mappings(words({-1: ("silent", QUIET)}))
        .color_mode(common_models.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .text_mode(common_models.BigValueTextMode.VALUE_AND_NAME)
        .justify_mode(common_models.BigValueJustifyMode.CENTER)
        .orientation(common_models.VizOrientation.AUTO)
        .reduce_options(common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields(""))
        .data_links([to_asset("__field.labels.asset")])
    )


def _active_alarms(number: int, place: tuple[int, int, int, int]) -> stat.Panel:
    return (
        panel(
            stat.Panel(),
            number,
            "Active alarms",
            "Alarms that last at the end of the shown time.",
            place,
            queries.active_alarms(),
            unit=units.NoUnit,
            points=100,
            nothing="0",
        )
        .decimals(0)
        .thresholds(thresholds((None, NORMAL), (1.0, ALARM)))
        .color_scheme(by_thresholds())
        .color_mode(common_models.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .text_mode(common_models.BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields("/.*/"))
    )


def _scores(number: int, place: tuple[int, int, int, int]) -> timeseries.Panel:
    return (
        panel(
            timeseries.Panel(),
            number,
            "Score of each asset",
            "The highest score of an asset's devices in each window of time: no peak is averaged away. The dashed line "
            "is the threshold, bands are alarms. Click a line for the asset.",
            place,
            queries.asset_scores(),
            unit=units.NoUnit,
            points=500,
            nothing="No score in this time",
        )
        .decimals(2)
        .display_name("${__field.labels.name}")
        .min(0)
        .axis_soft_max(1.2)
        .axis_label("score, 1 = threshold")
        .color_scheme(classic_colours())
        .thresholds(threshold_line())
        .thresholds_style(dashed_thresholds())
        .line_width(2)
        .fill_opacity(0)
        .show_points(common_models.VisibilityMode.AUTO)
        .legend(legend("max", "lastNotNull"))
        .tooltip(tooltip())
        .data_links([to_asset("__field.labels.asset")])
    )


def _readings_per_minute(number: int, place: tuple[int, int, int, int]) -> timeseries.Panel:
    return (
        panel(
            timeseries.Panel(),
            number,
            "Readings per minute",
            "How many readings of each asset's devices are stored a minute, from whole windows of at least a minute. "
            "It falls to 0 where nothing arrives.",
            place,
            queries.readings_per_minute(),
            unit=units.ReadsPerMinute,
            points=300,
            nothing="No reading in this time",
        )
        .interval("1m")
        .display_name("${__field.labels.name}")
        .min(0)
        .color_scheme(classic_colours())
        .line_width(1)
        .fill_opacity(10)
        .legend(legend("lastNotNull"))
        .tooltip(tooltip())
    )


def _model_versions(number: int, place: tuple[int, int, int, int]) -> statetimeline.Panel:
    return (
        panel(
            statetimeline.Panel(),
            number,
            "Model version of each device",
            "Which version of its model each device ran: a new one begins where it was accepted.",
            place,
            queries.model_versions(),
            unit=units.NoUnit,
            points=300,
            nothing="No reading in this time",
        )
        .decimals(0)
        .color_scheme(classic_colours())
        .show_value(common_models.VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(70)
        .legend(common.VizLegendOptions().show_legend(False).display_mode(common_models.LegendDisplayMode.HIDDEN))
        .tooltip(tooltip())
    )
