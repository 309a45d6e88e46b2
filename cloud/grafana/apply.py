"""Folder, data source and dashboards in a running Grafana: made where they are missing, changed where they differ.

What a person did is kept as far as it goes: a folder's title, the folder that a dashboard was moved to, further
settings of the data source. A dashboard that was edited is written anew; its history in Grafana keeps the edited one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloud.errors import CloudError
from cloud.grafana.connection import Grafana, GrafanaForbids, GrafanaRefused
from cloud.grafana.dashboards import dashboard_text, dashboards
from cloud.grafana.datasource import datasource
from cloud.grafana.names import DATASOURCE_NAME, DATASOURCE_UID, FOLDER_TITLE, FOLDER_UID

Tell = Callable[[str], None]
_CONFLICT, _PRECONDITION_FAILED = 409, 412
#: What a data source is compared by; its token cannot be read.
_PUBLIC = ("name", "type", "access", "url", "jsonData")


@dataclass(frozen=True)
class InfluxSource:
    """InfluxDB as Grafana's server reaches it."""

    url: str
    organisation: str
    bucket: str
    token: str

    def __repr__(self) -> str:
        return f"InfluxSource({self.url!r}, {self.organisation!r}, {self.bucket!r})"


def apply(grafana: Grafana, source: InfluxSource | None, tell: Tell) -> bool:
    """Bring everything into Grafana; whether anything was changed.

    Parameters
    ----------
    source
        What the data source reads; None leaves the data source as it is.
    tell
        Gets a line for each thing.

    Raises
    ------
    CloudError
        See `Grafana.call`; what was told before is done. Also when Grafana has everything, but cannot read InfluxDB.
    """
    version = grafana.check()
    tell(f"Grafana {version or 'of an unknown version'} at {grafana.url}")
    outcomes = [_folder(grafana, tell)]
    if source is None:
        _require_datasource(grafana)
        tell(f"data source {DATASOURCE_UID}: left as it is")
    else:
        outcomes.append(_datasource(grafana, source, tell))
    outcomes += [_dashboard(grafana, board, tell) for board in dashboards().values()]
    changed = any(outcome != "unchanged" for outcome in outcomes)
    tell("done" if changed else "unchanged")
    if source is not None:
        _see_whether_it_reads(grafana, source)
    return changed


def _require_datasource(grafana: Grafana) -> None:
    """Dashboards without their data source show nothing; an Editor may not see whether it is there."""
    read = grafana.api.datasource.get_datasource_by_uid
    try:
        known = grafana.call("read the data source", "Admin", read, DATASOURCE_UID)
    except GrafanaForbids:
        return
    if known is None:
        raise CloudError(
            f"Grafana at {grafana.url} has no data source {DATASOURCE_UID} yet: say what it reads with --influxdb-url, "
            "--organisation, --bucket and --influxdb-token-file."
        )


def _folder(grafana: Grafana, tell: Tell) -> str:
    api = grafana.api.folder
    outcome = "unchanged"
    if grafana.call("read folders", "Editor", api.get_folder, FOLDER_UID) is None:
        try:
            grafana.call("make a folder", "Editor", api.create_folder, FOLDER_TITLE, FOLDER_UID)
        except GrafanaRefused as error:
            if error.status not in (_CONFLICT, _PRECONDITION_FAILED):
                raise
            raise CloudError(
                f"Grafana at {grafana.url} has another folder called {FOLDER_TITLE}: rename that one."
            ) from error
        outcome = "created"
    tell(f"folder {FOLDER_TITLE}: {outcome}")
    return outcome


def _datasource(grafana: Grafana, source: InfluxSource, tell: Tell) -> str:
    api = grafana.api.datasource
    wanted = datasource(url=source.url, organisation=source.organisation, bucket=source.bucket, token=source.token)
    known = grafana.call("read the data source", "Admin", api.get_datasource_by_uid, DATASOURCE_UID)
    doing = "write the data source"
    if known is None:
        _write_datasource(grafana, doing, api.create_datasource, wanted)
        tell(f"data source {DATASOURCE_NAME}: created")
        return "created"
    same = all(_holds(known.get(name), wanted[name]) for name in _PUBLIC)
    if known.get("readOnly"):
        if not same:
            raise _provisioned(grafana, f"The data source {DATASOURCE_UID}")
        tell(f"data source {DATASOURCE_NAME}: unchanged (it comes from a file of Grafana's)")
        return "unchanged"
    body = {
        **known,
        **wanted,
        "isDefault": known.get("isDefault", False),
        "jsonData": {**(known.get("jsonData") or {}), **wanted["jsonData"]},
    }
    body.pop("secureJsonFields", None)
    _write_datasource(grafana, doing, api.update_datasource_by_uid, DATASOURCE_UID, body)
    outcome = "unchanged" if same else "updated"
    note = " (Grafana shows its token to nobody, so it was written again)" if same else ""
    tell(f"data source {DATASOURCE_NAME}: {outcome}{note}")
    return outcome


def _write_datasource(grafana: Grafana, doing: str, function: Callable[..., Any], *arguments: Any) -> None:
    try:
        answer = grafana.call(doing, "Admin", function, *arguments)
    except GrafanaRefused as error:
        if error.status != _CONFLICT:
            raise
        if "name" in str(error.told.get("message", "")):
            sentence = f"has another data source called {DATASOURCE_NAME}: rename that one"
        else:
            sentence = "says that somebody changes the data source at this moment: run this again"
        raise CloudError(f"Grafana at {grafana.url} {sentence}.") from error
    if answer is None:
        raise _vanished(grafana, "The data source")


def _dashboard(grafana: Grafana, board: dict[str, Any], tell: Tell) -> str:
    uid, title = board["uid"], board["title"]
    known = grafana.call("read dashboards", "Editor", grafana.api.dashboard.get_dashboard, uid)
    message = f"tocsin {hashlib.sha256(dashboard_text(board).encode()).hexdigest()[:16]}"
    meta = {} if known is None else known.get("meta", {})
    if known is None:
        outcome = "created"
    elif _holds(known["dashboard"], board) or _last_message(grafana, uid) == message:
        outcome = "unchanged"
    elif meta.get("provisioned"):
        raise _provisioned(grafana, f"The dashboard {uid}")
    else:
        outcome = "updated"
    if outcome != "unchanged":
        version = {} if known is None else {"version": known["dashboard"].get("version", 0)}
        _write_dashboard(
            grafana,
            title,
            {
                "dashboard": {**board, "id": None, **version},
                "folderUid": FOLDER_UID if known is None else meta.get("folderUid", ""),
                "message": message,
                "overwrite": False,
            },
        )
    tell(f"dashboard {title}: {outcome}, {grafana.url}/d/{uid}")
    return outcome


def _write_dashboard(grafana: Grafana, title: str, body: dict[str, Any]) -> None:
    try:
        answer = grafana.call("write dashboards", "Editor", grafana.api.dashboard.update_dashboard, body)
    except GrafanaRefused as error:
        status = error.told.get("status")
        if error.status == _PRECONDITION_FAILED and status == "version-mismatch":
            sentence = "says that somebody changes it at this moment: run this again"
        elif error.status == _PRECONDITION_FAILED and status == "name-exists":
            sentence = "has another dashboard of that name in the same folder: rename that one"
        elif "provisioned" in str(error.told.get("message", "")):
            raise _provisioned(grafana, f"The dashboard {title}") from error
        else:
            raise
        raise CloudError(f"The dashboard {title} was not written: Grafana at {grafana.url} {sentence}.") from error
    if answer is None:
        raise _vanished(grafana, f"The folder for the dashboard {title}")


def _last_message(grafana: Grafana, uid: str) -> str | None:
    """What was said at the last change: a newer Grafana stores our dashboard in a form of its own, but keeps this."""
    try:
        answer = grafana.call(
            "read the history of dashboards", "Editor",
            grafana.api.client.GET, f"/dashboards/uid/{uid}/versions", params={"limit": 1},
        )  # fmt: skip
    except CloudError:
        return None  # whoever may not read the history writes the dashboard once more
    versions = answer.get("versions", []) if isinstance(answer, dict) else answer or []
    return str(versions[0].get("message", "")) if versions else None


def _see_whether_it_reads(grafana: Grafana, source: InfluxSource) -> None:
    try:
        answer = grafana.call("test the data source", "Admin", grafana.api.datasource.health, DATASOURCE_UID)
    except GrafanaRefused as error:
        answer = error.told
    if answer and answer.get("status") == "ERROR":
        reason = " ".join(str(answer.get("message", "")).split()).rstrip(".")
        raise CloudError(
            f"Grafana has everything, but cannot read InfluxDB at {source.url} ({reason}): give the address as "
            "Grafana's machine sees it, the right bucket, and a token that may read it."
        )


def _holds(stored: Any, wanted: Any) -> bool:
    """Whether what is stored says all that is wanted; Grafana adds fields of its own.

    >>> _holds({"a": [1, {"b": 2, "c": 3}], "d": 4}, {"a": [1.0, {"b": 2}], "e": None})
    True
    >>> _holds({"a": [1, 2]}, {"a": [1]})
    False
    """
    if isinstance(wanted, dict):
        return isinstance(stored, dict) and all(_holds(stored.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(stored, list) and len(stored) == len(wanted) and all(map(_holds, stored, wanted))
    alike = type(stored) is type(wanted) or (_is_number(stored) and _is_number(wanted))
    return alike and bool(stored == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _provisioned(grafana: Grafana, what: str) -> CloudError:
    return CloudError(
        f"{what} in Grafana at {grafana.url} comes from a file: change it there ('tocsin grafana provision'), or "
        "remove the file and run this again."
    )


def _vanished(grafana: Grafana, what: str) -> CloudError:
    return CloudError(f"{what} was removed from Grafana at {grafana.url} at this moment: run this again.")
