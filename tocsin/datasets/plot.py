"""A picture of a recording with its truth: one HTML page, or one SVG, that needs nothing from elsewhere."""

import html
from datetime import UTC, datetime
from itertools import starmap

import numpy as np

from shared.recordings.recording import UNKNOWN_START_NS
from tocsin.datasets.catalogue import Entry
from tocsin.datasets.chart import HEALTHY, HEIGHT, LEFT, TRUTH, TRUTH_EDGE, WIDTH, channel
from tocsin.datasets.recordings import Known

_STYLE = f"""
:root {{ color-scheme: light; --ink: #1d2733; --soft: #5b6b7c; --line: #d8dee6; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #f3f5f8; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }}
main {{ max-width: 1080px; margin: 0 auto; padding: 24px 16px 48px; }}
h1 {{ font-size: 1.5rem; margin: 0 0 4px; overflow-wrap: anywhere; }}
p {{ margin: 4px 0 12px; color: var(--soft); overflow-wrap: anywhere; }}
.card {{ background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; margin: 0 0 10px; }}
.card b {{ overflow-wrap: anywhere; }}
svg {{ width: 100%; height: auto; display: block; }} svg text {{ font: 11px system-ui, sans-serif; fill: #5b6b7c; }}
.key i {{ display: inline-block; width: 1em; height: 1em; margin: 0 6px -2px 0; border: 1px solid var(--line); }}
.key span {{ display: inline-block; margin-right: 18px; }}
.healthy {{ background: {HEALTHY}; }} .truth {{ background: {TRUTH}; border-top: 4px solid {TRUTH_EDGE} !important; }}
@media (max-width: 600px) {{ svg text {{ font-size: 17px; }} svg .middle {{ display: none; }} }}
"""
_SVG_STYLE = "text { font: 11px system-ui, sans-serif; fill: #5b6b7c } .name { font-size: 13px; fill: #1d2733 }"
_HEAD, _NAME = 78, 20


def page(entry: Entry, known: Known) -> str:
    """The HTML page: a card per channel, readable on a desk and on a telephone."""
    cards = "".join(
        f'<div class="card"><b>{html.escape(name)}</b>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(name)}">{drawn}</svg></div>'
        for name, drawn in _channels(known)
    )
    title = html.escape(f"{entry.name}: {known.name}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1><p>{html.escape(_facts(known))}</p>"
        f'<p class="key">{_key(known)}</p>{cards}<p>{html.escape(_origin(entry))}</p></main></body></html>\n'
    )


def drawing(entry: Entry, known: Known) -> str:
    """The SVG: all channels below each other."""
    step = HEIGHT + _NAME
    parts = []
    for number, (name, drawn) in enumerate(_channels(known)):
        parts.append(
            f'<g transform="translate(0 {_HEAD + number * step})">'
            f'<text class="name" x="{LEFT}" y="14">{html.escape(name)}</text>'
            f'<g transform="translate(0 {_NAME})">{drawn}</g></g>'
        )
    height = _HEAD + len(parts) * step + 8
    title = html.escape(f"{entry.name}: {known.name}")
    told = "".join(
        f'<text x="{LEFT}" y="{42 + 16 * number}">{html.escape(line)}</text>'
        for number, line in enumerate((_facts(known), _words(known)))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{title}"><style>{_SVG_STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text class="name" x="{LEFT}" y="22" font-weight="bold">{title}</text>{told}{"".join(parts)}</svg>\n'
    )


def _channels(known: Known) -> list[tuple[str, str]]:
    """Name with unit, and what is drawn, of each channel."""
    recording = known.recording
    titles = [f"{name} [{unit}]" if unit else name for name, unit in zip(recording.names, recording.units, strict=True)]
    return list(
        starmap(
            lambda title, values: (title, channel(values, known.healthy_rows, known.labels, title)),
            zip(titles, np.asarray(recording.values).T, strict=True),
        )
    )


def _facts(known: Known) -> str:
    recording = known.recording
    count = len(recording.names)
    told = f"{recording.rows:,} rows of {count} channel{'s' * (count > 1)}, {_rate(recording.sample_rate_hz)}"
    if len(recording.clip_starts) > 1:
        told += f", in {len(recording.clip_starts):,} clips"
    start = int(recording.times_ns[0]) if recording.rows else UNKNOWN_START_NS
    if start != UNKNOWN_START_NS:
        told += f", from {datetime.fromtimestamp(start // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return told + "; over the number of the row"


def _rate(hertz: float) -> str:
    """A sample rate as people say it.

    >>> _rate(25600.0), _rate(1.0), _rate(1 / 300)
    ('25,600 Hz', '1 Hz', 'a row in 300 s')
    """
    if hertz < 1:
        return f"a row in {1 / hertz:,.4g} s"
    return f"{hertz:,.0f} Hz" if hertz >= 1000 else f"{hertz:.4g} Hz"


def _words(known: Known) -> str:
    told = []
    if known.healthy_rows:
        told.append(f"grey: the {known.healthy_rows:,} rows that are declared healthy")
    if known.labels is None:
        told.append("nobody wrote down which rows are anomalous")
    else:
        told.append(f"yellow: the {int(known.labels.sum()):,} anomalous rows")
    return "; ".join(told)


def _key(known: Known) -> str:
    told = []
    if known.healthy_rows:
        told.append(f'<span><i class="healthy"></i>healthy, as declared: {known.healthy_rows:,} rows</span>')
    if known.labels is None:
        told.append("<span>Nobody wrote down which rows are anomalous.</span>")
    else:
        told.append(f'<span><i class="truth"></i>anomalous: {int(known.labels.sum()):,} rows</span>')
    return "".join(told)


def _origin(entry: Entry) -> str:
    facts = entry.facts
    cited = f" {facts['citation']}." if facts["citation"] else ""
    return f"{entry.title}. Home: {facts['home']}. Licence: {facts['licence']}.{cited}"
