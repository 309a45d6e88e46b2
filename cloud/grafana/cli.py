"""The commands for Grafana, mounted as ``tocsin grafana``."""

from pathlib import Path
from typing import Annotated

import typer

from cloud.grafana.apply import InfluxSource
from cloud.grafana.apply import apply as apply_to
from cloud.grafana.connection import connect
from cloud.grafana.provisioning import MOUNTED_AT, write_provisioning
from shared.errors import UsageError

#: Where Docker mounts the secret that ``tocsin init`` makes.
TOKEN_FILE = "/run/secrets/influxdb-token"  # noqa: S105  (a path)

app = typer.Typer(help="Dashboards in a Grafana: files to start it with, or into one that runs.", no_args_is_help=True)


@app.callback()
def commands() -> None:
    """Dashboards in a Grafana: files to start it with, or into one that runs."""


@app.command()
def provision(
    out: Annotated[Path, typer.Option(help="Folder to write, Grafana's provisioning folder.")],
    influxdb_url: Annotated[
        str, typer.Option(help="InfluxDB as Grafana's machine sees it; ${NAME} is a variable of Grafana's.")
    ] = "${TOCSIN_INFLUXDB_URL}",
    organisation: Annotated[str, typer.Option(help="InfluxDB's organisation.")] = "${TOCSIN_INFLUXDB_ORGANISATION}",
    bucket: Annotated[str, typer.Option(help="InfluxDB's bucket.")] = "${TOCSIN_INFLUXDB_BUCKET}",
    influxdb_token_file: Annotated[
        str, typer.Option(help="File with InfluxDB's token, as Grafana's machine sees it; it is not read here.")
    ] = TOKEN_FILE,
    mounted_at: Annotated[str, typer.Option(help="Where Grafana's machine sees the folder.")] = MOUNTED_AT,
) -> None:
    """Write the files from which a Grafana sets itself up: data source and dashboards."""
    for path in write_provisioning(
        out,
        url=influxdb_url,
        organisation=organisation,
        bucket=bucket,
        token_file=influxdb_token_file,
        mounted_at=mounted_at,
    ):
        typer.echo(f"wrote {path}")


@app.command()
def apply(
    url: Annotated[str, typer.Option(help="Grafana's address, such as http://127.0.0.1:3000.")],
    token_file: Annotated[Path, typer.Option(help="File with the token of a service account of Grafana's.")],
    influxdb_url: Annotated[
        str | None, typer.Option(help="InfluxDB as Grafana's machine sees it; without, the data source is left.")
    ] = None,
    organisation: Annotated[str | None, typer.Option(help="InfluxDB's organisation.")] = None,
    bucket: Annotated[str | None, typer.Option(help="InfluxDB's bucket.")] = None,
    influxdb_token_file: Annotated[
        Path | None, typer.Option(help="File with a token that may read InfluxDB's bucket.")
    ] = None,
) -> None:
    """Bring data source and dashboards into a running Grafana; a second time it changes nothing.

    The service account needs the role Admin for the data source, Editor for the dashboards alone.
    """
    token = _token(token_file, "--token-file")
    source = _source(influxdb_url, organisation, bucket, influxdb_token_file)
    with connect(url, token, str(token_file)) as grafana:
        apply_to(grafana, source, typer.echo)


def _source(
    url: str | None, organisation: str | None, bucket: str | None, token_file: Path | None
) -> InfluxSource | None:
    """What the options say of InfluxDB: all of it or nothing."""
    given = {
        "--influxdb-url": url,
        "--organisation": organisation,
        "--bucket": bucket,
        "--influxdb-token-file": token_file,
    }
    if not any(given.values()):
        return None
    if url and organisation and bucket and token_file:
        return InfluxSource(url, organisation, bucket, _token(token_file, "--influxdb-token-file"))
    missing = ", ".join(name for name, value in given.items() if not value)
    raise UsageError(f"The data source needs {missing} too; leave out all four to keep it as it is.")


def _token(path: Path, option: str) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"The file {path} of {option} cannot be read ({reason}): put the token there.") from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"The file {path} of {option} holds no token: put the token there, alone on one line.")
    return token
