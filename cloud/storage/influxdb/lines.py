"""Line protocol: text of points, and points of text.

What is written can be read back exactly. Floats are in their shortest form that gives the same bits again; NaN and
infinity, which line protocol does not have, are left out. Two things a tag cannot hold are replaced before it is
written, see `tag_text`.

>>> line("readings", {"device": "pump 1"}, {"score": 0.1, "boot": 3, "alarm": False, "note": 'a "b"'}, 7)
'readings,device=pump\\\\ 1 score=0.1,boot=3i,alarm=false,note="a \\\\"b\\\\"" 7'
>>> parse(_) == ("readings", {"device": "pump 1"}, {"score": 0.1, "boot": 3, "alarm": False, "note": 'a "b"'}, 7)
True
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

Value = bool | int | float | str

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TAG_SPECIAL = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_STRING_SPECIAL = str.maketrans({"\\": "\\\\", '"': '\\"'})
_UNESCAPED_TAG = re.compile(r"\\([,= ])")
_UNESCAPED_STRING = re.compile(r'\\(["\\])')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_WORD = re.compile(r"[^, ]+")


class Point(NamedTuple):
    """A line, taken apart; the time in ns."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Value]
    time_ns: int


def tag_text(text: str) -> str:
    r"""What a tag holds for a text: control characters become spaces, and a backslash at the end gets one behind it.

    >>> tag_text("a\nb"), tag_text("C:\\")
    ('a b', 'C:\\ ')
    """
    text = _CONTROL.sub(" ", text)
    return text + " " if text.endswith("\\") else text


def tag(key: str, text: str) -> str:
    r"""A tag with the comma before it, ready for a line; an empty one is left out, as line protocol asks.

    >>> tag("unit", "m/s, rms"), tag("unit", "")
    (',unit=m/s\\,\\ rms', '')
    """
    text = tag_text(text)
    return f",{key.translate(_TAG_SPECIAL)}={text.translate(_TAG_SPECIAL)}" if text else ""


def string(text: str) -> str:
    r"""A string field's value, quoted.

    >>> print(string('over "1" by \\ '))
    "over \"1\" by \\ "
    """
    return f'"{text.translate(_STRING_SPECIAL)}"'


def field(value: Value) -> str | None:
    """A field's value; None if line protocol has none for it (NaN, infinity).

    >>> field(-0.0), field(5e-324), field(-(2**63)), field(True), field(float("nan"))
    ('-0.0', '5e-324', '-9223372036854775808i', 'true', None)
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, str):
        return string(value)
    return repr(value) if math.isfinite(value) else None


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value | None], time_ns: int) -> str | None:
    """One line; fields that are None or cannot be written are left out. None if no field is left.

    Measurement and keys are names of ours: letters, digits and underscores.
    """
    texts = [(key, None if value is None else field(value)) for key, value in fields.items()]
    written = ",".join(f"{key}={text}" for key, text in texts if text is not None)
    if not written:
        return None
    return f"{measurement}{''.join(tag(key, tags[key]) for key in sorted(tags))} {written} {time_ns}"


def parse(text: str) -> Point:
    """A line of ours, taken apart.

    Raises
    ------
    ValueError
        It is none.
    """
    head = _until_space(text)
    measurement, *pairs = _parts(head)
    tags = {}
    for pair in pairs:
        key, value = re.split(r"(?<!\\)=", pair, maxsplit=1)
        tags[_UNESCAPED_TAG.sub(r"\1", key)] = _UNESCAPED_TAG.sub(r"\1", value)
    fields: dict[str, Value] = {}
    at = len(head) + 1
    while True:
        key, _, _ = text[at:].partition("=")
        at += len(key) + 1
        quoted = _STRING.match(text, at)
        word = quoted or _WORD.match(text, at)
        if word is None:
            raise ValueError(f"no value for field {key!r} in line {text[:200]!r}")
        fields[key] = _UNESCAPED_STRING.sub(r"\1", quoted[1]) if quoted else _value(word[0])
        at = word.end() + 1
        if text[word.end() : at] == " ":
            return Point(measurement, tags, fields, int(text[at:]))


def _until_space(text: str) -> str:
    """Measurement and tags: everything before the first space that no backslash precedes."""
    found = re.search(r"(?<!\\) ", text)
    if found is None:
        raise ValueError(f"no fields in line {text[:200]!r}")
    return text[: found.start()]


def _parts(head: str) -> list[str]:
    return re.split(r"(?<!\\),", head)


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)
