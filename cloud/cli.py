"""The cloud's commands, mounted as ``tocsin cloud``."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cloud.settings import CloudSettings
from shared.errors import TocsinError, UsageError

app = typer.Typer(help="The cloud: store, judge, show, train.", no_args_is_help=True)


@app.callback()
def commands() -> None:
    """The cloud: store, judge, show, train."""


@app.command()
def run(
    data_folder: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port of the gateways' broker.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of API and console; 0 takes a free one.")] = None,
    console: Annotated[bool | None, typer.Option(help="Show the operator console at /.")] = None,
) -> None:
    """Take uploads, answer the API and show the console until Ctrl-C or SIGTERM.

    Every setting can also be given as TOCSIN_CLOUD_... in the environment.
    """
    from cloud.service import serve

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s cloud %(levelname)s %(message)s")
    given = {"data_folder": data_folder, "broker": broker, "host": host, "port": port, "console": console}
    try:
        serve(settings_from({name: value for name, value in given.items() if value is not None}))
    except TocsinError as error:
        typer.echo(f"tocsin cloud: {error}", err=True)
        raise typer.Exit(error.exit_status) from error


@app.command()
def health() -> None:
    """Ask the cloud of this machine whether it does its work: status 0 when all is well, 1 with a sentence when not."""
    from cloud.health_check import trouble

    try:
        found = trouble(settings_from({}))
    except TocsinError as error:
        typer.echo(f"tocsin cloud: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    typer.echo(found or "all is well")
    raise typer.Exit(1 if found else 0)


def settings_from(given: dict[str, Any]) -> CloudSettings:
    """Settings from options and environment; `UsageError` names the first that cannot be."""
    try:
        return CloudSettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise UsageError(
            f"The cloud's setting {name} is wrong ({first['msg']}): change --{name.replace('_', '-')} or "
            f"TOCSIN_CLOUD_{name.upper()}."
        ) from error
