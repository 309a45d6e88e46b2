"""A result as one HTML page: a table per exam and a chart per recording, readable without a network."""

import html
from typing import Any

from tocsin.evaluation.chart import KEY, chart
from tocsin.evaluation.figures import TrialFigures
from tocsin.evaluation.run import EXAMS
from tocsin.evaluation.table import grid

_STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #5b6b7c; --line: #d8dee6; --card: #ffffff; }
* { box-sizing: border-box; }
body { margin: 0; background: #f3f5f8; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.6rem; margin: 0 0 4px; } h2 { font-size: 1.2rem; margin: 32px 0 4px; }
p { margin: 4px 0 12px; color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 12px; margin: 0 0 12px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--card);
  white-space: normal; min-width: 120px; max-width: 200px; }
.deployed td { font-weight: 600; } .published td, .published td:first-child { color: var(--soft); font-style: italic; }
.baseline td { color: var(--soft); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 12px; }
.grid .card { margin: 0; } .key { font-size: .85rem; color: var(--soft); }
svg { width: 100%; height: auto; display: block; } svg text { font: 16px system-ui, sans-serif; fill: #5b6b7c; }
small { color: var(--soft); font-weight: 400; }
"""


def page(result: dict[str, Any], charts: dict[str, tuple[str, list[TrialFigures]]]) -> str:
    """The page of a result.

    `charts`: per exam whose scores are drawn, and the figures of its trials.
    """
    opening = (
        "<h1>How good the detection is</h1>"
        "<p>Published protocols run through the code that a plant runs. Bold: what runs by default. Grey: baselines "
        "that know nothing of machines; a figure that they reach says little. Italic: published by others. Fitted: the "
        "threshold was chosen on the labels, which no plant has. In brackets: the middle 95 % of a bootstrap over "
        "recordings.</p>"
    )
    body = [opening]
    for exam in result["protocol"]:
        body += [
            f"<h2>{exam}: {html.escape(EXAMS[exam].title)}</h2>",
            f"<p>{html.escape(result['protocol'][exam])}</p>",
        ]
        body.append(_table(result, exam))
        if exam in charts:
            body.append(_charts(*charts[exam]))
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    body.append(f'<p class="key">{html.escape(versions)}; seed {result["seed"]}.</p>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tocsin evaluation</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _table(result: dict[str, Any], exam: str) -> str:
    head, *lines = grid(result, exam, interval=True)
    kinds = [
        "published" if row["published"] else "deployed" if row["deployed"] else row["tier"]
        for row in result["rows"]
        if row["exam"] == exam
    ]
    # A table by sizes has more lines than rows, and none of a plant's.
    kinds += [""] * (len(lines) - len(kinds))
    body = "".join(
        f'<tr class="{kind}"><td>{html.escape(label)}</td>{"".join(map(_cell, cells))}</tr>'
        for kind, (label, *cells) in zip(kinds, lines, strict=True)
    )
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    return f'<div class="card scroll"><table><tr>{titles}</tr>{body}</table></div>'


def _cell(text: str) -> str:
    value, _, interval = text.partition(" (")
    return f"<td>{html.escape(value)}" + (f" <small>({html.escape(interval)}</small>" if interval else "") + "</td>"


def _charts(who: str, parts: list[TrialFigures]) -> str:
    cards = "".join(
        f'<div class="card"><b>{html.escape(part.name)}</b> <span class="key">{_caption(part)}</span>'
        f"{chart(part.outline, part.name)}</div>"
        for part in parts
    )
    return (
        f"<details><summary>{len(parts)} recordings, judged by {html.escape(who)}</summary>"
        f'<p class="key">{KEY}</p><div class="grid">{cards}</div></details>'
    )


def _caption(part: TrialFigures) -> str:
    words = []
    if part.roc_auc == part.roc_auc:
        words.append(f"AUC {part.roc_auc:.3f}")
    if part.events:
        words.append(f"{len(part.delays_seconds)} of {part.events} events alarmed")
    words.append(f"{part.false_alarms} false alarm{'' if part.false_alarms == 1 else 's'}")
    if part.provisional:
        words.append("provisional")
    return " · ".join(words)
