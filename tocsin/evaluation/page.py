"""Puts the tables of the committed result into docs/evaluation.md: ``python -m tocsin.evaluation.page``."""

import json
from pathlib import Path
from typing import Any

from tocsin.evaluation.table import markdown

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "docs" / "evaluation.json"
PAGE = ROOT / "docs" / "evaluation.md"
_BEGIN, _END = "<!-- begin: python -m tocsin.evaluation.page -->", "<!-- end -->"


def tables(result: dict[str, Any]) -> str:
    """The Markdown between the markers."""
    parts = []
    for exam in result["protocol"]:
        parts += [f"**{exam}.** {result['protocol'][exam]}", "", *markdown(result, exam), ""]
    return "\n".join(parts)


def with_tables(page: str, result: dict[str, Any]) -> str:
    """A page with the tables between its markers."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{tables(result)}\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(
        with_tables(PAGE.read_text(encoding="utf-8"), json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8"
    )
