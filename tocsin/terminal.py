"""Progress for people: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Step = Callable[[str, int, int], None]


def bars(console: Console) -> Progress:
    """Progress bars in Tocsin's one style."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>5.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


@contextmanager
def training_progress(label: str = "training") -> Iterator[Step]:
    """A function (stage, done, total) that shows where a training stands, on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        last = ""

        def plain(stage: str, done: int, total: int) -> None:
            nonlocal last
            if stage != last:
                last = stage
                sys.stderr.write(f"{label}: {stage}\n")

        yield plain
        return
    with bars(console) as progress:
        task = progress.add_task(label, total=1)

        def step(stage: str, done: int, total: int) -> None:
            progress.update(task, description=f"{label}: {stage}", completed=done, total=max(total, 1))

        yield step
