"""The cloud's commands, mounted as ``tocsin cloud``."""

import json
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


@app.command()
def normal(
    asset: Annotated[str, typer.Argument(help="The asset, as /api/assets names it.")],
    by: Annotated[str, typer.Option(help="Who says so.")],
    alarm: Annotated[str | None, typer.Option(help="The alarm that was seen; by default the one that stands.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Since when, such as 2026-03-02T14:05:00Z; by default since the change.")
    ] = None,
    wait_seconds: Annotated[float, typer.Option(help="Wait so long for the gateway's answer.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Say that an asset is normal as it is now: its alarm ends, its devices learn it. Asks the cloud of this machine.

    Status 0 when the gateway has carried it out or waits for more readings, 1 when it refused or did not answer.
    """
    from cloud.normal_command import say, sentence_of

    try:
        words = say(settings_from({}), asset, by, alarm, since, wait_seconds)
    except TocsinError as error:
        typer.echo(f"tocsin cloud: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    typer.echo(json.dumps(words) if as_json else "\n".join(map(sentence_of, words)))
    raise typer.Exit(0 if all(word["state"] in ("applied", "waiting") for word in words) else 1)


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
