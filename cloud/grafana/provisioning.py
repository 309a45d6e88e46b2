"""Files from which a Grafana sets itself up at its start: data source, provider, dashboards.

    <folder>/datasources/tocsin.yaml
    <folder>/dashboards/tocsin.yaml
    <folder>/dashboards/plant.json, asset.json

No file holds a token: Grafana reads it from the file that the data source names. The same arguments give the same
bytes.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath

import yaml

from cloud.errors import CloudError
from cloud.grafana.dashboards import dashboard_text, dashboards
from cloud.grafana.datasource import datasource
from cloud.grafana.names import FOLDER_TITLE, FOLDER_UID
from shared.errors import UsageError

#: Where Grafana's image looks for its provisioning.
MOUNTED_AT = "/etc/grafana/provisioning"
#: How often Grafana looks for changed dashboards, seconds.
UPDATE_INTERVAL_S = 30
#: One whole expansion of Grafana's; anything else with a dollar sign is meant as it stands.
_EXPANSION = re.compile(r"\$\{\w+\}|\$__env\{\w+\}")


def write_provisioning(
    folder: Path, *, url: str, organisation: str, bucket: str, token_file: str, mounted_at: str = MOUNTED_AT
) -> list[Path]:
    """Write the files, all of them or none; what else lies in the folder stays.

    Parameters
    ----------
    folder
        Becomes Grafana's provisioning folder; made if it is not there.
    url, organisation, bucket
        InfluxDB as Grafana's server sees it; ``${NAME}`` takes the value of a variable of Grafana's environment.
    token_file
        The file with InfluxDB's token, as Grafana's server sees it.
    mounted_at
        Where Grafana's server sees `folder`.

    Returns
    -------
    list of Path
        The files, by name.

    Raises
    ------
    UsageError
        A path is not absolute, or a value is empty.
    CloudError
        The folder cannot be written; nothing was changed.
    """
    texts = provisioning(
        url=url, organisation=organisation, bucket=bucket, token_file=token_file, mounted_at=mounted_at
    )
    try:
        _put(folder, texts)
    except OSError as error:
        raise CloudError(
            f"Grafana's files cannot be written to {folder} ({error.strerror or error}): nothing was changed; make "
            "room or give another folder."
        ) from error
    return [folder / name for name in texts]


def provisioning(
    *, url: str, organisation: str, bucket: str, token_file: str, mounted_at: str = MOUNTED_AT
) -> dict[str, str]:
    """The files' texts by their names below the folder; see `write_provisioning`."""
    for what, value in (("InfluxDB's URL", url), ("organisation", organisation), ("bucket", bucket)):
        if not value.strip():
            raise UsageError(f"Grafana's data source needs the {what}: it is empty.")
    for what, path in (("token file", token_file), ("provisioning folder", mounted_at)):
        if not PurePosixPath(path).is_absolute() or set(path) & set("${}\n"):
            raise UsageError(f"The {what} {path!r} must be an absolute path as Grafana sees it, without $, {{ and }}.")
    source = datasource(
        url=_literal(url),
        organisation=_literal(organisation),
        bucket=_literal(bucket),
        token=f"$__file{{{token_file}}}",
    )
    provider = {
        "name": "tocsin",
        "type": "file",
        "folder": FOLDER_TITLE,
        "folderUid": FOLDER_UID,
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": UPDATE_INTERVAL_S,
        "options": {"path": str(PurePosixPath(mounted_at) / "dashboards")},
    }
    texts = {
        "datasources/tocsin.yaml": _yaml({"apiVersion": 1, "datasources": [{**source, "editable": False}]}),
        "dashboards/tocsin.yaml": _yaml({"apiVersion": 1, "providers": [provider]}),
    }
    return texts | {f"dashboards/{name}.json": dashboard_text(board) for name, board in dashboards().items()}


def _literal(value: str) -> str:
    """A value that Grafana takes as it stands, unless it is one whole expansion.

    >>> _literal("${TOCSIN_INFLUXDB_URL}"), _literal("ca$h")
    ('${TOCSIN_INFLUXDB_URL}', 'ca$$h')
    """
    return value if _EXPANSION.fullmatch(value) else value.replace("$", "$$")


def _yaml(content: object) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)


def _put(folder: Path, texts: dict[str, str]) -> None:
    """Write everything beside the folder first; a failure until then leaves no trace."""
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.absolute().parent) as unfinished:
        staged = Path(unfinished) / "new"
        for name, text in texts.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            path.chmod(0o644)  # no secret is in them, and Grafana runs as a user of its own
            path.parent.chmod(0o755)
        staged.chmod(0o755)
        if not folder.exists():
            staged.rename(folder)
        else:  # a mounted folder must stay the same one
            _move_into(staged, folder, texts)


def _move_into(staged: Path, folder: Path, names: dict[str, str]) -> None:
    """Replace files one by one; if one cannot be, those before it are put back."""
    old = staged.with_name("old")
    moved: list[str] = []
    try:
        for name in names:
            target = folder / name
            target.parent.mkdir(mode=0o755, exist_ok=True)
            if target.exists():
                (old / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(target, old / name)
            (staged / name).replace(target)
            moved.append(name)
    except OSError:
        for name in moved:
            if (old / name).exists():
                (old / name).replace(folder / name)
            else:
                (folder / name).unlink()
        raise
