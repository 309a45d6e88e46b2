"""How the dashboards look: colours that colour-blind people can tell apart, thresholds, words for states, legends.

The colours are those of Okabe and Ito (2008), "Color Universal Design". Nothing is told by colour alone: a tile shows
its number, a state its word, a threshold its line.
"""

from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DashboardLinkType,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from cloud.grafana.names import ASSET_UID, DATASOURCE
from cloud.grafana.query import Query

NORMAL = "#0072B2"
FLAGGED = "#E69F00"
ALARM = "#D55E00"
FINE = "#009E73"
QUIET = "#999999"
UNJUDGED = "#56B4E9"

#: Words for the states of a device, by the numbers of `queries.device_states`.
STATES = {-1: ("no reading", QUIET), 0: ("not judged", UNJUDGED), 1: ("normal", NORMAL), 2: ("flagged", FLAGGED),
          3: ("alarm", ALARM)}  # fmt: skip
#: The same words in tables.
STATE_COLOURS = {"silent": QUIET, "not judged": UNJUDGED, "normal": NORMAL, "flagged": FLAGGED, "alarm": ALARM,
                 "active": ALARM, "ended": QUIET}  # fmt: skip

P = TypeVar("P", stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


def panel(
    kind: P,
    number: int,
    title: str,
    description: str,
    place: tuple[int, int, int, int],
    query: Query,
    *,
    unit: str,
    points: int,
    nothing: str,
) -> P:
    """A panel with what every one of them has.

    Parameters
    ----------
    place
        x, y, width and height on the grid, which has 24 columns.
    points
        Windows on the whole width, so that a wall and a phone show the same numbers.
    nothing
        What stands there when the query returns nothing.
    """
    x, y, width, height = place
    return (
        kind.id(number)
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .grid_pos(GridPos(h=height, w=width, x=x, y=y))
        .with_target(query.target())
        .unit(unit)
        .max_data_points(points)
        .no_value(nothing)
    )


def rows() -> table.Panel:
    """A table with a header; without any option Grafana would get none at all."""
    return table.Panel().show_header(True).cell_height(common_models.TableCellHeight.SM)


def score_thresholds() -> dashboard.ThresholdsConfig:
    """Below 1 normal, from 1 on flagged; a silent tile has -1."""
    return thresholds((None, QUIET), (0.0, NORMAL), (1.0, ALARM))


def thresholds(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from given values on."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value, colour) for value, colour in steps])
    )


def threshold_line(colour: str = ALARM) -> dashboard.ThresholdsConfig:
    """The line at score 1 and a tint above it."""
    return thresholds((None, "transparent"), (1.0, colour))


def dashed_thresholds() -> common.GraphThresholdsStyleConfig:
    """Thresholds as a dashed line with a tint."""
    return common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED_AND_AREA)


def words(states: dict[int, tuple[str, str]]) -> list[ValueMapping]:
    """Numbers as words in a colour."""
    results = {
        str(value): ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(states.items())
    }
    return [ValueMap(options=results)]


def colours_of_words() -> ValueMap:
    """The states of tables, each in its colour."""
    return ValueMap(
        options={
            word: ValueMappingResult(text=word.upper() if colour == ALARM else word, color=colour, index=index)
            for index, (word, colour) in enumerate(STATE_COLOURS.items())
        }
    )


def legend(*calculations: str) -> common.VizLegendOptions:
    """A legend below the panel: a table where it shows numbers, else a list."""
    mode = common_models.LegendDisplayMode.TABLE if calculations else common_models.LegendDisplayMode.LIST
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(mode)
        .placement(common_models.LegendPlacement.BOTTOM)
        .calcs(list(calculations))
    )


def tooltip() -> common.VizTooltipOptions:
    """All series at one moment, the highest first."""
    return (
        common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI).sort(common_models.SortOrder.DESCENDING)
    )


def classic_colours() -> dashboard.FieldColor:
    """A colour for each series."""
    return dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC)


def by_thresholds() -> dashboard.FieldColor:
    """Colours by the panel's thresholds."""
    return dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)


def fixed_colour(colour: str) -> DynamicConfigValue:
    """One colour, for an override."""
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})


def column(title: str, *, unit: str = "", width: int = 0, decimals: int | None = None) -> list[DynamicConfigValue]:
    """Title, unit and width in pixels of a table's column."""
    values = [DynamicConfigValue(id_val="displayName", value=title)]
    if unit:
        values.append(DynamicConfigValue(id_val="unit", value=unit))
    if width:
        values.append(DynamicConfigValue(id_val="custom.width", value=width))
    if decimals is not None:
        values.append(DynamicConfigValue(id_val="decimals", value=decimals))
    return values


def coloured_cell() -> list[DynamicConfigValue]:
    """A cell filled with the colour of its word."""
    return [
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"}),
        DynamicConfigValue(id_val="mappings", value=[colours_of_words()]),
    ]


def to_asset(path: str) -> Builder[DashboardLink]:
    """A link to the asset's dashboard in the time that is shown; `path` is Grafana's macro for the asset's path."""
    return (
        dashboard.DashboardLink("Show this asset")
        .type(DashboardLinkType.LINK)
        .url(f"/d/{ASSET_UID}?${{__url_time_range}}&var-asset=${{{path}:percentencode}}")
        .target_blank(False)
    )


def score_override() -> list[DynamicConfigValue]:
    """A score in a table: its colour by the threshold, the word for none."""
    return [
        *column("Score", unit="none", width=90, decimals=2),
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
        DynamicConfigValue(id_val="thresholds", value=score_thresholds().build()),
    ]
