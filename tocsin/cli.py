"""The command line: `tocsin` with the commands of every tier, each loaded only when it is called.

Exit status 0 for success, 1 for a failure, 2 for wrong use; an error is one sentence on standard error.
"""

import importlib
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from shared.errors import TocsinError, UsageError

#: Commands that live elsewhere: name -> (module, attribute, one line of help).
TIERS = {
    "gateway": ("gateway.cli", "app", "Run an edge gateway, or ask for its state."),
    "cloud": ("cloud.cli", "app", "Run the cloud: ingest, store, API and console."),
    "firmware": ("firmware.cli", "app", "Boards: build, emulate, flash, monitor; inspect model images."),
    "grafana": ("cloud.grafana.cli", "app", "Dashboards for a Grafana: as files, or into one that runs."),
    "servers": ("tocsin.servers.cli", "app", "Find, build and run InfluxDB on this machine."),
    "evaluate": ("tocsin.evaluation.cli", "app", "Published protocols through the deployed code."),
    "datasets": ("tocsin.datasets.cli", "app", "Public recordings: catalogue, fetch, verify, plot."),
}
#: The extra that a command's packages come with, where it is not called like the command.
EXTRAS = {"grafana": "site", "evaluate": "all", "datasets": "recordings"}
_PACKAGES = ("tocsin", "shared", "firmware", "gateway", "cloud")


class _Lazy(TyperGroup):
    """Loads a tier's commands at their first use, so that a machine needs only the tiers that it runs."""

    _listing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *TIERS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in TIERS:
            return super().get_command(ctx, cmd_name)
        module, attribute, summary = TIERS[cmd_name]
        if self._listing:
            return TyperGroup(name=cmd_name, help=summary)
        try:
            group = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in _PACKAGES:
                raise TocsinError(
                    f"this installation of Tocsin lacks {error.name}, a part of it; install Tocsin again"
                ) from error
            raise TocsinError(
                f"tocsin {cmd_name} needs the package {error.name}, which is not installed: "
                f"pip install '.[{EXTRAS.get(cmd_name, cmd_name)}]' in Tocsin's folder"
            ) from error
        alone = len(group.registered_commands) == 1 and not group.registered_groups
        command = typer.main.get_command(group) if alone else typer.main.get_group(group)
        command.name = cmd_name
        command.help = command.help or summary
        return command


app = typer.Typer(
    cls=_Lazy,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tocsin watches machines: anomaly detection from the sensor to the cloud.",
)

Recording = Annotated[str, typer.Argument(help="CSV, Parquet, NPZ (file.npz::array), or a folder of clips.")]
HealthyRows = Annotated[int | None, typer.Option(help="The first N rows are healthy; training sees them alone.")]
Healthy = Annotated[str | None, typer.Option(help="Another recording of the same machine, healthy from end to end.")]
Channels = Annotated[
    str | None, typer.Option(help="Columns to take, separated by commas; all numeric ones if left out.")
]
Ignore = Annotated[str | None, typer.Option(help="Columns that are no channels, such as labels, separated by commas.")]
TimeColumn = Annotated[str | None, typer.Option(help="Column that holds the time; found by itself if left out.")]
SampleRate = Annotated[float | None, typer.Option(help="Samples per second, where no column tells.")]
Transpose = Annotated[bool, typer.Option("--transpose", help="The file holds one channel per row.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers; the same seed gives the same bytes.")
]


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def _read(
    file: str,
    healthy_rows: int | None,
    healthy: str | None,
    channels: str | None,
    ignore: str | None,
    time_column: str | None,
    sample_rate: float | None,
    transpose: bool,
    truth: str | None = None,
) -> Any:
    import numpy as np

    from shared.recordings import read_recording

    recording = read_recording(
        file,
        healthy_rows=healthy_rows,
        channels=_names(channels) or None,
        time_column=time_column,
        sample_rate_hz=sample_rate,
        ignore=(*_names(ignore), *_names(truth)),
        transpose=transpose,
        healthy=healthy,
    )
    if healthy is not None and not np.isfinite(recording.values[recording.healthy_rows :]).any():
        raise UsageError(
            f"{file} has no number in any channel of {healthy}, by whose layout it is read; "
            "give both the same separator and the same column names"
        )
    return recording


@app.command()
def score(
    file: Recording,
    out: Annotated[Path, typer.Option(help="Where the scores go: a CSV file.")],
    healthy_rows: HealthyRows = None,
    healthy: Healthy = None,
    channels: Channels = None,
    time_column: TimeColumn = None,
    sample_rate: SampleRate = None,
    ignore: Ignore = None,
    transpose: Transpose = False,
    tier: Annotated[str, typer.Option(help="Whose judgement: sensor, gateway or both.")] = "both",
    false_alarms_per_day: Annotated[
        float, typer.Option(help="False alarms that you accept a day.", show_default="1/7, one a week")
    ] = 1.0 / 7.0,
    model_input: Annotated[
        str, typer.Option("--input", help="What the sensor's model reads: features, or samples of the window.")
    ] = "features",
    seed: Seed = 0,
) -> None:
    """Judge a recording with the deployed code: train on its healthy part, then run sensor and gateway over it."""
    from tocsin.score import score_to_file
    from tocsin.terminal import training_progress

    recording = _read(file, healthy_rows, healthy, channels, ignore, time_column, sample_rate, transpose)
    with training_progress() as progress:
        summary = score_to_file(
            recording,
            file,
            out,
            tier=tier,
            false_alarms_per_day=false_alarms_per_day,
            seed=seed,
            progress=progress,
            healthy_source=healthy,
            model_input=model_input,
        )
    for note in recording.notes:
        typer.echo(note, err=True)
    typer.echo(summary, err=True)


@app.command()
def replay(
    file: Recording,
    broker: Annotated[str, typer.Option(help="The system's broker, mqtt://host:port.")] = "mqtt://127.0.0.1:1883",
    connect_seconds: Annotated[float, typer.Option(min=0.0, help="How long to wait for the broker.")] = 10.0,
    speed: Annotated[str, typer.Option(help="Times real time, or max.")] = "1",
    devices: Annotated[int, typer.Option(min=1, max=64, help="Play the recording as so many devices.")] = 1,
    name: Annotated[str | None, typer.Option(help="Device id; from the file's name if left out.")] = None,
    asset: Annotated[str, typer.Option(help="ISA-95 path above the machine.")] = "demo/site/area/line",
    keys: Annotated[str, typer.Option(help="Public keys (hex, commas) whose model images the devices accept.")] = "",
    data: Annotated[Path, typer.Option(help="Folder of the devices' slots and journals.")] = Path("build/replay"),
    healthy_rows: HealthyRows = None,
    healthy: Healthy = None,
    channels: Channels = None,
    time_column: TimeColumn = None,
    sample_rate: SampleRate = None,
    ignore: Ignore = None,
    transpose: Transpose = False,
    seed: Seed = 0,
) -> None:
    """Play a recording as devices into a running system, at any speed."""
    from tocsin.replay import replay_recording
    from tocsin.terminal import training_progress

    recording = _read(file, healthy_rows, healthy, channels, ignore, time_column, sample_rate, transpose)
    for note in recording.notes:
        typer.echo(note, err=True)
    with training_progress() as progress:
        sentence = replay_recording(
            recording,
            file,
            broker_url=broker,
            connect_seconds=connect_seconds,
            speed=speed,
            devices=devices,
            name=name,
            asset=asset,
            keys=_names(keys),
            folder=data,
            seed=seed,
            progress=progress,
        )
    typer.echo(sentence)


@app.command()
def demo(
    recording: Annotated[str | None, typer.Option(help="Play this recording; the simulator's if left out.")] = None,
    healthy_rows: HealthyRows = None,
    truth: Annotated[str | None, typer.Option(help="Column with the truth; only the summary sees it.")] = None,
    ignore: Ignore = None,
    channels: Channels = None,
    time_column: TimeColumn = None,
    sample_rate: SampleRate = None,
    transpose: Transpose = False,
    fault: Annotated[str, typer.Option(help="What goes wrong in the simulated machine.")] = "outer_race",
    no_fault: Annotated[
        bool, typer.Option("--no-fault", help="Nothing goes wrong; the demo must stay silent.")
    ] = False,
    seed: Seed = 1,
    sensors: Annotated[
        str, typer.Option(help="Kinds of sensors: twin, or twin,emulated for the slow ones as boards in QEMU.")
    ] = "twin",
    speed: Annotated[str, typer.Option(help="Times real time, max, or auto (about 40 s).")] = "auto",
    data: Annotated[Path, typer.Option(help="Folder for everything that the demo keeps.")] = Path("build/demo"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The console's port; 0 takes a free one.")] = 0,
) -> None:
    """Run the whole pipeline on this machine: sensors, broker, gateway, cloud, an alarm, a new model and back."""
    from tocsin.demo.options import DemoOptions
    from tocsin.demo.run import run_demo
    from tocsin.demo.sensors import parse_sensors

    options = DemoOptions(
        recording=recording,
        healthy_rows=healthy_rows,
        truth=truth,
        ignore=_names(ignore),
        channels=_names(channels) or None,
        time_column=time_column,
        sample_rate_hz=sample_rate,
        transpose=transpose,
        fault="healthy" if no_fault else fault,
        seed=seed,
        speed=speed,
        folder=data,
        port=port,
        sensors=parse_sensors(sensors),
    )
    raise typer.Exit(run_demo(options))


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder for vibration.npz, process.csv and truth.json.")],
    fault: Annotated[str, typer.Option(help="healthy, or what goes wrong.")] = "outer_race",
    seed: Seed = 1,
    duration: Annotated[float, typer.Option(help="Seconds in all.")] = 1800.0,
    onset: Annotated[float, typer.Option(help="Second at which the fault begins.")] = 900.0,
) -> None:
    """Write a recording of a simulated rotating machine, with its truth beside it."""
    from shared.recordings.simulator import simulate as run_simulation
    from shared.recordings.simulator import write_simulation

    write_simulation(run_simulation(seed, fault, duration_s=duration, onset_s=onset), out)
    typer.echo(f"wrote {out}/vibration.npz, {out}/process.csv and {out}/truth.json")


@app.command()
def broker(
    data: Annotated[Path, typer.Option(help="Folder for what the broker keeps.")] = Path("broker-data"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="MQTT port on 127.0.0.1; 0 takes a free one.")] = 1883,
) -> None:
    """Run a durable MQTT broker (a NATS server) on this machine until Ctrl-C."""
    from shared.broker import Broker

    with Broker(data, port=port, on_event=lambda line: typer.echo(line, err=True)) as running:
        typer.echo(f"MQTT at {running.url}")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            typer.echo("stopping", err=True)


@app.command()
def init(
    site: Annotated[Path, typer.Argument(help="The folder of the site.")] = Path("site"),
) -> None:
    """Make a site's secrets and configuration; what is there stays as it is."""
    from tocsin.site.initialise import initialise

    told = initialise(site)
    for name in told.made:
        typer.echo(f"made {site / name}")
    if told.there:
        typer.echo(f"{len(told.there)} files were there and stay as they are" if told.made else "nothing is missing")


@app.command()
def up(
    file: Annotated[Path, typer.Option(help="The compose file.")] = Path("docker-compose.yml"),
    profile: Annotated[list[str] | None, typer.Option(help="Services of this profile too; may be repeated.")] = None,
    site: Annotated[Path, typer.Option(help="The folder that tocsin init made.")] = Path("site"),
    data: Annotated[Path, typer.Option(help="Folder for volumes and logs; what it holds is kept.")] = Path("site-data"),
) -> None:
    """Start the services of the compose file on this machine, without Docker, until Ctrl-C."""
    from tocsin.site.up import run_up

    raise typer.Exit(run_up(file, profile or [], site, data))


@app.command()
def plant(
    out: Annotated[Path, typer.Option(help="Folder of the plant.")],
    fault: Annotated[str, typer.Option(help="healthy, or what goes wrong in the first pump.")] = "outer_race",
    pumps: Annotated[int, typer.Option(min=1, max=8, help="How many pumps; each has two devices.")] = 2,
    seed: Seed = 1,
    cloud: Annotated[str | None, typer.Option(help="Register the devices' models at this cloud.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="The cloud's access token.")] = None,
) -> None:
    """Simulate pumps with trained devices, for firmware.host.fleet to play; a second call keeps them."""
    from tocsin.site.plant import make_plant, register_images

    if (cloud is None) != (token_file is None):
        raise UsageError("--cloud and --token-file go together; give both or neither")
    facts = make_plant(out, fault=fault, seed=seed, pumps=pumps, say=typer.echo)
    if cloud is not None and token_file is not None:
        register_images(out, cloud, token_file)
    typer.echo(f"{len(facts['healthy_readings'])} devices are ready in {out}")


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="One JSON list on standard output.")] = False,
    need: Annotated[str | None, typer.Option(help="Extras that must be there, separated by commas.")] = None,
    data: Annotated[Path, typer.Option(help="The data folder that will be used.")] = Path("build"),
) -> None:
    """Say what is installed, missing or misconfigured, and the remedy."""
    from tocsin.doctor import examine, findings_as_json, is_healthy, print_findings

    findings = examine(_names(need), data)
    if json:
        typer.echo(findings_as_json(findings))
    else:
        print_findings(findings)
    raise typer.Exit(0 if is_healthy(findings) else 1)


def main() -> None:
    """Run the command line; every failure becomes one sentence and an exit status, and SIGTERM ends it in order."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    try:
        status = app(prog_name="tocsin", standalone_mode=False)
    except TocsinError as error:
        _fail(str(error), error.exit_status)
    except TyperException as error:
        sentence = error.format_message().strip().rstrip(".")
        if not sentence:  # a group without a command has shown its help
            sys.exit(error.exit_code)
        context = getattr(error, "ctx", None)
        path = "tocsin" if context is None else context.command_path
        _fail(f"{sentence[0].lower()}{sentence[1:]}; {path} --help says what there is", error.exit_code)
    except ModuleNotFoundError as error:
        _fail(f"this needs the package {error.name}, which is not installed; tocsin doctor names the remedy", 1)
    except OSError as error:
        _fail(
            f"{error.filename or 'a file or connection'} cannot be used ({error.strerror or error}); "
            "free what is missing, or choose another place",
            1,
        )
    sys.exit(status if isinstance(status, int) else 0)


def _fail(sentence: str, status: int) -> NoReturn:
    typer.echo(f"tocsin: {sentence}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
