"""A picture of a recording with its truth: one HTML page, or one SVG, that needs nothing from elsewhere."""

import html
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from shared.recordings.recording import UNKNOWN_START_NS
from tocsin.datasets.catalogue import Entry
from tocsin.datasets.chart import HEALTHY, HEIGHT, TRUTH, TRUTH_EDGE, WIDTH, channel, range_of
from tocsin.datasets.recordings import Known

_STYLE = f"""
:root {{ color-scheme: light; --ink: #1d2733; --soft: #5b6b7c; --line: #d8dee6; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #f3f5f8; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }}
main {{ max-width: 1080px; margin: 0 auto; padding: 24px 16px 48px; }}
h1 {{ font-size: 1.5rem; margin: 0 0 4px; overflow-wrap: anywhere; }}
p {{ margin: 4px 0 12px; color: var(--soft); overflow-wrap: anywhere; }}
.card {{ background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; margin: 0 0 10px; }}
.card b {{ overflow-wrap: anywhere; margin-right: 8px; }} .card span, .rows {{ color: var(--soft); font-size: .85rem; }}
.rows {{ display: flex; justify-content: space-between; }}
svg {{ width: 100%; height: 110px; display: block; margin: 4px 0 2px; }}
.key i {{ display: inline-block; width: 1em; height: 1em; margin: 0 6px -2px 0; border: 1px solid var(--line); }}
.key span {{ display: inline-block; margin-right: 18px; }}
.healthy {{ background: {HEALTHY}; }} .truth {{ background: {TRUTH}; border-top: 4px solid {TRUTH_EDGE} !important; }}
@media (max-width: 600px) {{ svg {{ height: 80px; }} }}
"""
_SVG_STYLE = "text { font: 11px system-ui, sans-serif; fill: #5b6b7c } .name { font-size: 13px; fill: #1d2733 }"
_MARGIN, _HEAD, _NAME, _ROWS = 16, 72, 18, 22


def page(entry: Entry, known: Known) -> str:
    """The HTML page: a card per channel, readable on a desk and on a telephone."""
    rows = "".join(f"<span>{row:,}</span>" for row in _ticks(known))
    cards = "".join(
        f'<div class="card"><b>{html.escape(name)}</b><span>{told}</span>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(name)}, {told}">{drawn}</svg><div class="rows">{rows}</div></div>'
        for name, told, drawn in _channels(known)
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
    step = _NAME + HEIGHT + _ROWS
    rows = "".join(
        f'<text x="{WIDTH * share}" y="{HEIGHT + 14}" text-anchor="{anchor}">{row:,}</text>'
        for row, share, anchor in zip(_ticks(known), (0.0, 0.5, 1.0), ("start", "middle", "end"), strict=True)
    )
    parts = [
        f'<g transform="translate({_MARGIN} {_HEAD + number * step})">'
        f'<text y="12"><tspan class="name">{html.escape(name)}</tspan><tspan dx="8">{told}</tspan></text>'
        f'<g transform="translate(0 {_NAME})">{drawn}{rows}</g></g>'
        for number, (name, told, drawn) in enumerate(_channels(known))
    ]
    width, height = WIDTH + 2 * _MARGIN, _HEAD + len(parts) * step
    title = html.escape(f"{entry.name}: {known.name}")
    told = "".join(
        f'<text x="{_MARGIN}" y="{40 + 16 * number}">{html.escape(line)}</text>'
        for number, line in enumerate((_facts(known), _words(known)))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{title}"><style>{_SVG_STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
        f'<text class="name" x="{_MARGIN}" y="22">{title}</text>{told}{"".join(parts)}</svg>\n'
    )


def _channels(known: Known) -> Iterator[tuple[str, str, str]]:
    """Name with unit, range, and what is drawn, of each channel."""
    recording = known.recording
    for name, unit, values in zip(recording.names, recording.units, np.asarray(recording.values).T, strict=True):
        title = f"{name} [{unit}]" if unit else name
        yield title, range_of(values), channel(values, known.healthy_rows, known.labels)


def _ticks(known: Known) -> tuple[int, int, int]:
    rows = known.recording.rows
    return 0, rows // 2, rows


def _facts(known: Known) -> str:
    recording = known.recording
    count = len(recording.names)
    rate = known.rate or _rate(recording.sample_rate_hz)
    told = f"{recording.rows:,} rows of {count} channel{'s' * (count > 1)}, {rate}"
    if len(recording.clip_starts) > 1:
        told += f", in {len(recording.clip_starts):,} clips"
    start = int(recording.times_ns[0]) if recording.rows else UNKNOWN_START_NS
    if start != UNKNOWN_START_NS:
        told += f", from {datetime.fromtimestamp(start // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return told + "; drawn over row numbers"


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
