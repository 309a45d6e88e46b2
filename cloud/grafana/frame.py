"""What both dashboards begin with: range of time, refresh, the link to the other one."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as dashboard_models


def empty_dashboard(title: str, uid: str, *, other: str, other_uid: str, hint: str) -> dashboard.Dashboard:
    """A dashboard without panels, linked to the `other` one; `hint` is shown over the link."""
    return (
        dashboard.Dashboard(f"Tocsin: {title}")
        .uid(uid)
        .tags(["tocsin"])
        .timezone(common_models.TimeZoneBrowser)
        .time("now-6h", "now")
        .refresh("10s")
        .tooltip(dashboard_models.DashboardCursorSync.CROSSHAIR)
        .editable()
        .link(
            dashboard.DashboardLink(other)
            .type(dashboard_models.DashboardLinkType.LINK)
            .icon("external link")
            .tooltip(hint)
            .url(f"/d/{other_uid}")
            .keep_time(True)
        )
    )
