"""``tocsin datasets``: the catalogue of public recordings, and what is done with them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from shared.errors import TocsinError, UsageError
from tocsin.datasets import fetch as fetching
from tocsin.datasets.catalogue import FACTS, Entry, entries, entry
from tocsin.datasets.folder import recordings_folder
from tocsin.datasets.verify import count_here
from tocsin.datasets.verify import verify as examine
from tocsin.output import check_out, write_whole

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Public recordings: catalogue, fetch, verify, plot.")

Name = Annotated[str, typer.Argument(help="A set of recordings; tocsin datasets list has the names.")]
NameOrAll = Annotated[str, typer.Argument(help="A set of recordings, or all.")]
To = Annotated[Path | None, typer.Option("--to", help="Folder of all recordings.", show_default="TOCSIN_DATASETS")]
#: What a command that was stopped with Ctrl-C ends with.
_INTERRUPTED = 130


@app.command("list")
def list_sets() -> None:
    """Each set: its name, its size, its licence, and how much of it is here."""
    folder = recordings_folder()
    typer.echo(f"in {folder}")
    for known in entries():
        size = _megabytes(known.size) if known.files else "-"
        typer.echo(
            f"{known.name:<8}{size:>9}  {_here(known, folder):<18}{known.title}; licence: {known.facts['licence']}"
        )


@app.command()
def show(name: Name) -> None:
    """What is known of a set: home, licence, citation, channels, labels, protocol."""
    known = entry(name)
    typer.echo(f"{known.name}: {known.title}")
    for fact in FACTS:
        if known.facts[fact]:
            typer.echo(f"{fact + ':':<16}{known.facts[fact]}")
    if known.files:
        typer.echo(f"{'files:':<16}{len(known.files):,}, {_megabytes(known.size)}, in the folder {known.folder}")
    folder = recordings_folder()
    typer.echo(f"{'here:':<16}{_here(known, folder)}, {folder / known.folder}")


@app.command()
def fetch(
    name: Name,
    copy: Annotated[
        Path | None, typer.Option("--from", help="Take the files from this folder, not from the net.")
    ] = None,
    to: To = None,
) -> None:
    """Bring a set here and check every file; after an interruption the same command goes on."""
    known = entry(name)
    folder = to or recordings_folder()
    facts = known.facts
    typer.echo(f"{known.title}\nlicence: {facts['licence']}; redistribution: {facts['redistribution']}", err=True)
    if copy is not None and not copy.is_dir():
        raise UsageError(f"{copy} is no folder; point --from to a folder with the files of {known.name}")
    try:
        with _progress() as progress:
            came = fetching.fetch(known, folder, copy, progress)
    except KeyboardInterrupt:
        held = f"{count_here(known, folder):,} of {len(known.files):,} files of {known.name}"
        typer.echo(f"tocsin: stopped with {held}; the same command goes on from there", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    count = len(known.files)
    typer.echo(
        f"{known.name} is in {folder / known.folder}: of {count:,} files {came:,} came, {count - came:,} were there"
    )


@app.command()
def verify(name: NameOrAll = "all", to: To = None) -> None:
    """Compare every file that is here with the catalogue; status 1 when one is missing or other than it should be."""
    folder = to or recordings_folder()
    chosen = [known for known in entries() if known.files] if name.lower() == "all" else [entry(name)]
    wrong = 0
    for known in chosen:
        found = examine(known, folder)
        said = f"{len(found.right):,} of {len(known.files):,} files are right"
        for words, names in (("missing", found.missing), ("with other bytes", found.altered)):
            if names:
                said += f"; {words}: {names[0]}" + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")
        typer.echo(f"{known.name:<8}{said}")
        wrong += bool(found.altered or found.missing)
    if wrong:
        raise TocsinError(
            f"{wrong} of {len(chosen)} sets are not whole in {folder}; move altered files away, then "
            "tocsin datasets fetch brings what is missing"
        )


@app.command()
def plot(
    name: Name,
    recording: Annotated[str, typer.Argument(help="A recording of the set, such as valve1/0; FOLDER takes a path.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the picture goes: .html or .svg.")],
    to: To = None,
) -> None:
    """Draw a recording with what is known of it: healthy rows, anomalous rows."""
    from tocsin.datasets.plot import drawing, page
    from tocsin.datasets.recordings import recording_named

    draw = {".html": page, ".svg": drawing}.get(out.suffix.lower())
    if draw is None:
        raise UsageError(f"{out} ends neither in .html nor in .svg; choose one of them")
    check_out(out, [])
    known = entry(name)
    found = recording_named(known, to or recordings_folder(), recording)
    write_whole(out, [draw(known, found)])
    typer.echo(f"wrote {out}")


def _here(known: Entry, folder: Path) -> str:
    if not known.files:
        return "here" if (folder / known.folder).is_dir() else "not here"
    count = count_here(known, folder)
    if count == len(known.files):
        return "here"
    return f"{count:,} of {len(known.files):,} files" if count else "not here"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


@contextmanager
def _progress() -> Iterator[fetching.Progress]:
    """A bar on a terminal; nothing elsewhere, where the last line says what came."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _in_all: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("waiting", total=None)

        def step(what: str, done: int, in_all: int) -> None:
            bars.update(task, description=what, completed=done, total=in_all or None)

        yield step
