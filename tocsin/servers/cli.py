"""``tocsin servers``: InfluxDB on this machine, for a site without one and for the tests."""

import secrets
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from shared.credentials import read_secret
from shared.errors import TocsinError, UsageError
from tocsin.servers.build import RECIPES, Recipe, build_server, recipe_named
from tocsin.servers.cache import find_influxd
from tocsin.servers.http import ask
from tocsin.servers.influxdb import InfluxServer
from tocsin.servers.toolchain import MissingToolsError, require

app = typer.Typer(no_args_is_help=True, help="Find, build and run InfluxDB on this machine.")

_NAMES = ", ".join(RECIPES)
_LOOK_SECONDS = 0.5


@app.command("list")
def list_servers() -> None:
    """Each server: its name for the other commands, its version, where it is, or how to get it."""
    for recipe in RECIPES.values():
        found = find_influxd(recipe.version)
        typer.echo(f"{recipe.name:<14}{recipe.version:<8}{found or _how_to_get(recipe)}")


def _how_to_get(recipe: Recipe) -> str:
    try:
        require(recipe.tools, "building it")
    except MissingToolsError as error:
        return f"not here; {error}"
    return f"not here; tocsin servers build {recipe.name}"


@app.command()
def build(
    name: Annotated[str, typer.Argument(help=f"{_NAMES}, or all.")] = "all",
    if_possible: Annotated[
        bool, typer.Option("--if-possible", help="A server whose tools are missing is left out with a line.")
    ] = False,
) -> None:
    """Build the servers that this machine does not have, from their sources, into the cache."""
    failures = []
    for recipe in RECIPES.values() if name == "all" else (recipe_named(name),):
        try:
            found = find_influxd(recipe.version) or build_server(recipe.name, typer.echo)
        except MissingToolsError as error:
            if not if_possible:
                raise
            typer.echo(f"without {recipe.title}: {error}", err=True)
        except UsageError:
            raise
        except TocsinError as error:  # the others may well be built
            failures.append(error)
        else:
            typer.echo(f"{recipe.title} is {found}")
    if failures:
        raise TocsinError(" ".join(str(error) for error in failures))


@app.command()
def run(
    name: Annotated[str, typer.Argument(help=f"{_NAMES}.")] = "influxdb",
    data: Annotated[Path, typer.Option(help="Folder for what the server keeps.")] = Path("influxdb-data"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8086,
    organisation: Annotated[str, typer.Option(help="Organisation made at the first start.")] = "tocsin",
    bucket: Annotated[
        str, typer.Option(help="Bucket made at the first start; in 1.8 a database, or database/retention.")
    ] = "tocsin",
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token for all access; made with a new one if it is not there.")
    ] = None,
) -> None:
    """Run InfluxDB on this machine until Ctrl-C; with a token file it is set up at the first start."""
    recipe = recipe_named(name)
    server = InfluxServer(data, version=recipe.version, port=port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with server:
            if server.is_1:
                server.create_database(bucket)
            elif token_file is not None:
                token = _token(token_file)
                server.set_up(organisation, bucket, token, password=secrets.token_urlsafe(32))
                _refuse_strange(server, token, token_file)
            typer.echo(f"{recipe.title} at {server.url}, bucket {bucket}")
            while server.pid is not None:
                time.sleep(_LOOK_SECONDS)
            raise TocsinError(f"{recipe.title} ended by itself: see {server.log.absolute()}.")
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)


def _token(file: Path) -> str:
    """The token in a file, which only this user may read when it is made here."""
    if not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(0o600, exist_ok=False)
            file.write_text(secrets.token_urlsafe(32) + "\n", encoding="ascii")
        except OSError as error:
            raise UsageError(f"The token file {file} cannot be made ({error.strerror}): give another one.") from error
    return read_secret(file, "--token-file", shortest=1)


def _refuse_strange(server: InfluxServer, token: str, file: Path) -> None:
    """A data folder that was set up before knows another token, perhaps."""
    answer = ask(server.url, "GET", "/api/v2/buckets", headers={"Authorization": f"Token {token}"})
    if answer.status != 200:
        raise TocsinError(
            f"The server was set up before and does not take the token in {file} ({answer.reason()}): "
            "give the file with its token, or another data folder."
        )
