"""``tocsin firmware``: the C core built, emulated, flashed and watched, and what a model image says."""

from pathlib import Path
from typing import Annotated

import typer

from shared.errors import UsageError

app = typer.Typer(
    no_args_is_help=True, help="The device: build, emulate, flash and watch boards; import and inspect models."
)


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="Folder for the program.")] = Path("build/firmware"),
    sanitize: Annotated[bool, typer.Option("--sanitize", help="With address and undefined-behaviour checks.")] = False,
    board: Annotated[str, typer.Option(help="Build for this board instead; tocsin firmware boards lists them.")] = "",
    device: Annotated[Path | None, typer.Option(help="Folder of a provisioned device; a factory's otherwise.")] = None,
    name: Annotated[str | None, typer.Option(help="Another id for that device.")] = None,
    baud: Annotated[int, typer.Option(help="Bits per second of the board's lines.")] = 115_200,
    lines: Annotated[str, typer.Option(help="USARTs of the gateway's line and of the samples line.")] = "1,2",
    first_boot: Annotated[int, typer.Option(help="Lowest boot number, for a board that lost its count.")] = 1,
    image: Annotated[Path | None, typer.Option(help="A model image instead of the device's own.")] = None,
    worst_case: Annotated[
        bool,
        typer.Option(
            "--worst-case", help="The kernel with the least instructions for the worst input, not in the mean."
        ),
    ] = False,
    small: Annotated[
        bool,
        typer.Option(
            "--small", help="Least flash and RAM. Models of fewer than about 1,000 products are also fastest so."
        ),
    ] = False,
) -> None:
    """Build the C device: as a program of this machine, or with --board as the firmware of a board."""
    from firmware.build import build_host

    if board:
        from firmware.board_command import build_for_board

        build_for_board(
            board,
            out,
            device,
            name,
            baud,
            lines,
            first_boot,
            typer.echo,
            image=image,
            worst_case=worst_case,
            small=small,
        )
        return
    if image is not None or worst_case or small or device is not None or name is not None:
        raise UsageError(
            "--device, --name, --image, --worst-case and --small are for a board's firmware; name one with --board"
        )
    typer.echo(f"built {build_host(out, sanitize=sanitize)}")


@app.command()
def pack(
    image: Annotated[Path, typer.Argument(help="A model image.")],
    core: Annotated[str, typer.Option(help="The processor that it is for, such as cortex-m4.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    key: Annotated[Path | None, typer.Option(help="The cloud's private key (PEM) to sign it with.")] = None,
) -> None:
    """Lay a model image out for one processor, which then needs fewer instructions; only such devices take it."""
    from firmware.pack_command import pack_file

    pack_file(image, core, key, out, typer.echo)


@app.command()
def boards() -> None:
    """List the boards that the firmware runs on."""
    from firmware.boards.registry import BOARDS

    width = max(map(len, BOARDS))
    for board in BOARDS.values():
        typer.echo(f"{board.name:<{width}}  {board.title} ({board.core}); flashed with {', '.join(board.flash_tools)}")


@app.command()
def emulate(
    board: Annotated[str, typer.Option(help="Which board; tocsin firmware boards lists them.")] = "stm32f405",
    device: Annotated[Path | None, typer.Option(help="Folder of a provisioned device; a factory's otherwise.")] = None,
    port: Annotated[int, typer.Option(help="TCP port of the gateway's line; 0 chooses one.")] = 0,
    samples_port: Annotated[int | None, typer.Option(help="TCP port of the samples line, left to you.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Play so many rows of the device's recording.")] = None,
    play: Annotated[bool, typer.Option("--play", help="Play the whole recording.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the firmware.")] = Path("build/firmware"),
) -> None:
    """Run a board's firmware in QEMU: its messages as lines, its line for a gateway; Ctrl-C ends it."""
    from firmware.boards.registry import board_named
    from firmware.emulator.run import Emulation, emulate

    chosen = 0 if play else rows
    emulate(Emulation(board_named(board), device, out, port, samples_port, chosen), typer.echo)


@app.command()
def flash(
    board: Annotated[str, typer.Option(help="Which board; tocsin firmware boards lists them.")],
    file: Annotated[Path | None, typer.Option(help="A firmware, .bin or .elf (C); built when left out.")] = None,
    device: Annotated[Path | None, typer.Option(help="Folder of a provisioned device; a factory's otherwise.")] = None,
    name: Annotated[str | None, typer.Option(help="Another id for that device.")] = None,
    tool: Annotated[str, typer.Option(help="dfu-util or st-flash (C); the one with a board otherwise.")] = "",
    serial: Annotated[str, typer.Option(help="Serial number of the board or probe, of several (C).")] = "",
    lines: Annotated[
        str, typer.Option(help="USARTs of the gateway's line and of the samples line, 1,2 otherwise; Feather: 3,6 (C).")
    ] = "",
    port: Annotated[str, typer.Option(help="Serial port of the board, the only one otherwise (MicroPython).")] = "",
    key: Annotated[
        list[str] | None, typer.Option(help="Ed25519 public key whose images it takes, hexadecimal (MicroPython).")
    ] = None,
    sensor: Annotated[Path | None, typer.Option(help="Your sensor.py (MicroPython).")] = None,
    image: Annotated[Path | None, typer.Option(help="A model image instead of the device's own (C).")] = None,
    worst_case: Annotated[
        bool, typer.Option("--worst-case", help="Build with the kernel for the worst input, not the mean (C).")
    ] = False,
    small: Annotated[bool, typer.Option("--small", help="Build for least flash and RAM (C).")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the steps, touch no board.")] = False,
) -> None:
    """Put the firmware onto a board, read it back and compare."""
    from firmware.boards.registry import board_named
    from firmware.flashing import command

    request = command.FlashRequest(
        board_named(board),
        device,
        name,
        file,
        tool,
        serial,
        lines,
        port,
        [] if key is None else key,
        sensor,
        image=image,
        worst_case=worst_case,
        small=small,
    )
    (command.show_plan if dry_run else command.flash)(request, typer.echo)


@app.command()
def monitor(
    port: Annotated[str, typer.Option(help="A serial port, or tcp://host:port.")],
    baud: Annotated[int, typer.Option(help="Bits per second of a serial port.")] = 115_200,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a message.")] = False,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Answer as a gateway does: the board drops what you have seen.")
    ] = False,
) -> None:
    """Show a board's messages as they come; Ctrl-C ends it."""
    from firmware.monitor import watch

    watch(port, baud=baud, as_json=as_json, acknowledge=acknowledge, say=typer.echo)


@app.command("import")
def import_(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite file: an autoencoder of dense layers and Conv1D.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the model image goes.")],
    threshold: Annotated[float | None, typer.Option(help="Mean squared error at which the score is 1.")] = None,
    healthy: Annotated[str | None, typer.Option(help="A healthy recording that the threshold comes from.")] = None,
    healthy_rows: Annotated[int | None, typer.Option(help="Only its first N rows.")] = None,
    channels: Annotated[str, typer.Option(help="Its columns in the model's order, separated by commas.")] = "",
    time_column: Annotated[str | None, typer.Option(help="Its column with the time.")] = None,
    window: Annotated[int | None, typer.Option(help="Samples of one channel that the model reads at once.")] = None,
    sample_rate: Annotated[float | None, typer.Option(help="Samples per second; from 50 on a fast device.")] = None,
    hop: Annotated[int | None, typer.Option(help="Samples from one window to the next (fast).")] = None,
    bands: Annotated[int | None, typer.Option(help="Bands of the features that a fast device sends.")] = None,
    gap: Annotated[float | None, typer.Option(help="A longer step in time, in seconds, ends a stretch.")] = None,
    counts_per_unit: Annotated[float | None, typer.Option(help="Counts of the new device for 1.0 measured.")] = None,
    scaler: Annotated[
        Path | None, typer.Option(help='JSON {"mean": [...], "scale": [...]}: the model saw (value - mean) / scale.')
    ] = None,
    device: Annotated[Path | None, typer.Option(help="Folder of the device that it is for.")] = None,
    provision: Annotated[Path | None, typer.Option(help="Make a new device with it in this folder.")] = None,
    name: Annotated[str, typer.Option(help="Id of that new device.")] = "",
    version: Annotated[int | None, typer.Option(help="Version; the next one of the device otherwise.")] = None,
    key: Annotated[Path | None, typer.Option(help="The cloud's private key (PEM) to sign the image with.")] = None,
    round_once: Annotated[
        bool, typer.Option("--round-once", help="Convolutions for packed kernels; not to the bit TensorFlow's.")
    ] = False,
) -> None:
    """Make a model image of a .tflite file that others trained."""
    from firmware.importing.command import import_model
    from firmware.importing.request import ImportRequest

    request = ImportRequest(
        model=model,
        out=out,
        device=device,
        provision=provision,
        name=name,
        window=window,
        hop=hop,
        bands=bands,
        sample_rate_hz=sample_rate,
        gap_seconds=gap,
        counts_per_unit=counts_per_unit,
        scaler=scaler,
        threshold=threshold,
        healthy=healthy,
        healthy_rows=healthy_rows,
        channels=tuple(each.strip() for each in channels.split(",") if each.strip()),
        time_column=time_column,
        version=version,
        key=key,
        round_once=round_once,
    )
    import_model(request, typer.echo)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A model image, packed or not, or a .tflite file.")],
    key: Annotated[
        str | None, typer.Option(help="Ed25519 public key (hexadecimal) to check the signature with.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what a model file holds, layer by layer, and whether digest, golden vector and signature are right."""
    from firmware.importing.inspecting import inspect_file

    inspect_file(file, key, as_json, typer.echo)
