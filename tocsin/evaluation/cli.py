"""``tocsin evaluate``: published protocols through the deployed code."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import UsageError
from tocsin.datasets.folder import recordings_folder
from tocsin.evaluation import results, run, table
from tocsin.evaluation.figures import TrialFigures
from tocsin.evaluation.registry import candidate_named, chosen
from tocsin.evaluation.report import page
from tocsin.output import check_out, write_whole

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    exam: Annotated[str, typer.Argument(help="SKAB, NAB, SMD, TEP, CWRU, FAN, FEMTO, BUDGET, or all that are there.")],
    detector: Annotated[list[str] | None, typer.Option(help="Only this detector; may be given again.")] = None,
    tier: Annotated[str | None, typer.Option(help="Only this tier: sensor, gateway or both.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON object to this file too.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page with tables and charts to this file.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that judge side by side.")] = os.cpu_count() or 1,
) -> None:
    """Run published protocols through the deployed code and print our figures beside the published ones."""
    folder = _folder()
    exams = _exams(exam, folder)
    keys = chosen(detector or [], tier)
    for option, wanted in (("--out", out), ("--report", report)):
        if wanted is not None:
            check_out(wanted, [], option)
    drawn_key = next((key for key in keys if candidate_named(key).deployed), keys[0])
    charts: dict[str, tuple[str, list[TrialFigures]]] = {}
    result = results.empty(seed)
    for name in exams:
        digests, found = run.run(name, folder, keys, seed=seed, workers=workers, progress=_progress)
        results.add(result, name, [trial.name for trial in run.trials_of(name, folder)], digests, found)
        key = drawn_key if drawn_key in found[0] else next(iter(found[0]))
        drawn = [figures for trial in found if isinstance(figures := trial[key], TrialFigures)]
        charts[name] = (key.replace("/", ", "), drawn)
        if not as_json:
            _print(result, name)
        run.trials_of.cache_clear()
    text = results.encoded(result)
    if out is not None:
        write_whole(out, [text])
    if report is not None:
        write_whole(report, [page(result, charts)])
    if as_json:
        sys.stdout.write(text)


def _folder() -> Path:
    folder = recordings_folder()
    if not folder.is_dir():
        raise UsageError(
            f"{folder} does not exist; tocsin datasets fetch NAME makes it, or set TOCSIN_DATASETS to your recordings"
        )
    return folder


def _exams(wanted: str, folder: Path) -> list[str]:
    there = run.present(folder)
    if wanted.lower() == "all":
        missing = [name for name in run.EXAMS if name not in there]
        if missing:
            typer.echo(f"not in {folder}, left out: {', '.join(missing)}", err=True)
        if not there:
            raise UsageError(f"{folder} holds the recordings of no exam; see tocsin datasets list")
        return there
    name = wanted.upper()
    family = [exam for exam in there if exam.partition("-")[0] == name]
    if family:
        return family
    if name not in run.EXAMS:
        raise UsageError(f"there is no exam {wanted!r}; choose one of {', '.join(run.EXAMS)}, or all")
    if name not in there:
        raise UsageError(f"{folder / run.FOLDERS[name]} does not exist; {run.fetching(name)}")
    return [name]


def _print(result: "dict[str, object]", exam: str) -> None:
    known = run.EXAMS[exam]
    typer.echo(f"\n{exam}: {known.title}\n{known.protocol} {known.coverage}\n")
    for line in table.terminal(result, exam):
        typer.echo(line)
    rows = result["rows"]
    assert isinstance(rows, list)
    for row in rows:
        if row["exam"] == exam and row.get("not_judged"):
            typer.echo(f"{table.label_of(row)}: {len(row['not_judged'])} not judged: {row['not_judged'][0]}")


def _progress(exam: str, done: int, count: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{exam}: {done} of {count} recordings" + ("\n" if done == count else ""))
        sys.stderr.flush()
