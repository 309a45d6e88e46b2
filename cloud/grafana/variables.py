"""The variables at the top of the dashboards: asset, device, and after how long a device is called silent."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from cloud.grafana import queries
from cloud.grafana.names import DATASOURCE
from cloud.grafana.query import Query

#: Stands in a regular expression for every value, also for those that appear after the dashboard was opened.
EVERYTHING = ".*"
SILENT_AFTER = ("1m", "5m", "15m", "1h", "6h", "1d")


def assets() -> dashboard.QueryVariable:
    """Some or all assets."""
    return _of_all(_chosen("asset", "Asset", "Which assets are shown.", queries.asset_choices()))


def asset() -> dashboard.QueryVariable:
    """One asset; the first by name until another is chosen."""
    return _chosen("asset", "Asset", "Which asset is shown.", queries.asset_choices())


def devices() -> dashboard.QueryVariable:
    """Some or all devices of the chosen asset."""
    return _of_all(_chosen("device", "Device", "Which devices of the asset are shown.", queries.device_choices()))


def silent_after() -> dashboard.CustomVariable:
    """How old a device's last reading may be."""
    options = [VariableOption(selected=value == "5m", text=value, value=value) for value in SILENT_AFTER]
    return (
        dashboard.CustomVariable("silent_after")
        .label("Silent after")
        .description("A device whose last reading is older than this is called silent.")
        .values(",".join(SILENT_AFTER))
        .current(options[1])
        .options(options)
    )


def _chosen(name: str, label: str, description: str, query: Query) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query(query.flux)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _of_all(variable: dashboard.QueryVariable) -> dashboard.QueryVariable:
    return (
        variable.multi(True)
        .include_all(True)
        .all_value(EVERYTHING)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
