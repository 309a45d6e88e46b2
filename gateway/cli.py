"""``tocsin gateway run`` and ``tocsin gateway status``."""

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Table

from gateway.inputs.serial_report import read_report
from gateway.settings import GatewaySettings
from gateway.store import Store
from shared.errors import TocsinError, UsageError
from shared.messages import codec

app = typer.Typer(no_args_is_help=True, help="The edge: gathers sensors, judges them, raises alarms, passes on.")

DataFolder = Annotated[Path | None, typer.Option(help="Folder of the gateway's store.", show_default=False)]


def configure_logging() -> None:
    """Lines for people on a terminal, one JSON object per line elsewhere; on standard error."""
    on_terminal = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=not on_terminal),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def _counts(given: list[str]) -> dict[str, int] | None:
    """``device=count`` options as a map.

    >>> _counts(["pump-1=400"])
    {'pump-1': 400}
    """
    counts: dict[str, int] = {}
    for entry in given:
        device, _, count = entry.partition("=")
        if not count.isdecimal():
            raise UsageError(f"The option --healthy {entry!r} must be written as device=count, such as pump-1=400.")
        counts[device] = int(count)
    return counts or None


@app.command()
def run(
    id: Annotated[str | None, typer.Option(help="Id of this gateway, a-z, 0-9 and '-'.")] = None,  # noqa: A002
    broker_url: Annotated[str | None, typer.Option(help="Broker of the devices, mqtt://host:port.")] = None,
    uplink_url: Annotated[str | None, typer.Option(help="Broker of the cloud, if it is another one.")] = None,
    data_folder: DataFolder = None,
    serial: Annotated[
        list[str] | None,
        typer.Option(help="A line with a device: serial:///dev/ttyUSB0?baud=115200 or tcp://host:port; repeatable."),
    ] = None,
    healthy_readings: Annotated[
        int | None, typer.Option(help="Readings from now on that are healthy, for every device; 0 waits.")
    ] = None,
    healthy: Annotated[list[str] | None, typer.Option(help="The same for one device: device=count.")] = None,
    false_alarms_per_day: Annotated[
        float | None, typer.Option(help="False alarms per asset and day to accept.")
    ] = None,
    release_public_key: Annotated[
        str | None, typer.Option(help="Ed25519 key of releases: 64 hexadecimal digits or a file.")
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. Every option is also a variable TOCSIN_GATEWAY_<OPTION>."""
    from gateway import service

    def start() -> None:
        settings = GatewaySettings.read(
            id=id,
            broker_url=broker_url,
            uplink_url=uplink_url,
            data_folder=data_folder,
            serial_inputs=tuple(serial) if serial else None,
            healthy_readings=healthy_readings,
            healthy_readings_of=_counts(healthy or []),
            false_alarms_per_day=false_alarms_per_day,
            release_public_key=release_public_key,
        )
        configure_logging()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        service.run(settings, stop)

    _in_one_sentence(start)


@app.command()
def status(
    data_folder: DataFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """What a gateway has stored: per device and boot produced = stored + lost, and what waits for the cloud."""

    def show() -> None:
        settings = GatewaySettings.read(data_folder=data_folder)
        store = Store(settings.data_folder, read_only=True)
        try:
            facts = _facts(store, settings.data_folder)
        finally:
            store.close()
        if as_json:
            print(json.dumps(facts))
        else:
            _print(facts)

    _in_one_sentence(show)


def _facts(store: Store, folder: Path) -> dict[str, Any]:
    devices: dict[str, Any] = {}
    for device in store.devices():
        birth = None if device.birth is None else codec.decode_birth(device.birth)
        state = None if device.state is None else codec.decode_state(device.state)
        devices[device.device] = {
            "asset": None if birth is None else birth.profile.asset,
            "model_version": None if state is None else state.model_version,
            "commissioned": device.checkpoint is not None,
            "boots": {},
        }
    for account in store.accounts():
        cursor = account.cursor
        devices[cursor.device]["boots"][cursor.boot] = {
            "produced": cursor.produced,
            "stored": cursor.stored - account.dropped,
            "lost": cursor.lost + account.dropped,
            "duplicates": cursor.duplicates,
            "late": cursor.late,
        }
    return {
        "devices": devices,
        "outbox": {
            "uploads": store.next_upload - store.oldest_upload(),
            "readings": store.outbox_readings(),
            "bytes": store.outbox_bytes,
        },
        "refused_messages": store.refused,
        "serial_lines": read_report(folder),
    }


def _print(facts: dict[str, Any]) -> None:
    columns = ("produced", "stored", "lost", "duplicates", "late")
    table = Table("device", "boot", "model", "state", *columns)
    for name, device in facts["devices"].items():
        state = "judged" if device["commissioned"] else "commissioning"
        version = "-" if device["model_version"] is None else str(device["model_version"])
        for boot, account in device["boots"].items():
            table.add_row(name, str(boot), version, state, *(str(account[column]) for column in columns))
    console = Console()
    console.print(table)
    outbox = facts["outbox"]
    console.print(
        f"waiting for the cloud: {outbox['uploads']} uploads with {outbox['readings']} readings, "
        f"{outbox['bytes']} bytes; refused messages: {facts['refused_messages']}"
    )
    if facts["serial_lines"]:
        _print_lines(facts["serial_lines"], console)


def _print_lines(lines: list[dict[str, Any]], console: Console) -> None:
    table = Table("line", "device", "frames", "refused", "state")
    for line in lines:
        state = "there" if line["connected"] else f"away: {line['reason']}"
        table.add_row(line["address"], line["device"] or "-", str(line["frames"]), str(line["refused"]), state)
    console.print(table)
    console.print(f"serial lines as they were {lines[0]['seconds_ago']:,.0f} s ago, counted since the gateway's start")


def _in_one_sentence(action: Any) -> None:
    """Errors of ours as one sentence and their exit status, without a traceback."""
    try:
        action()
    except TocsinError as error:
        typer.echo(f"tocsin gateway: {error}", err=True)
        raise typer.Exit(error.exit_status) from error


if __name__ == "__main__":
    app()
