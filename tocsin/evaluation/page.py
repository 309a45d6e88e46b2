"""Puts the tables of the committed result into the pages that show them: ``python -m tocsin.evaluation.page``."""

import json
from pathlib import Path
from typing import Any

from tocsin.evaluation.summary import lines
from tocsin.evaluation.table import markdown

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "docs" / "evaluation.json"
PAGE = ROOT / "docs" / "evaluation.md"
README = ROOT / "README.md"
_BEGIN, _END = "<!-- begin: python -m tocsin.evaluation.page -->", "<!-- end -->"


def tables(result: dict[str, Any]) -> str:
    """The Markdown between the markers."""
    parts = []
    for exam in result["protocol"]:
        parts += [f"**{exam}.** {result['protocol'][exam]}", "", *markdown(result, exam), ""]
    return "\n".join(parts)


def with_tables(page: str, content: str) -> str:
    """A page with other content between its markers."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{content}\n{_END}{after}"


def pages(result: dict[str, Any]) -> dict[Path, str]:
    """What stands between the markers of each page."""
    return {PAGE: tables(result), README: "\n".join([*lines(result), ""])}


if __name__ == "__main__":
    for path, content in pages(json.loads(RESULT.read_text(encoding="utf-8"))).items():
        path.write_text(with_tables(path.read_text(encoding="utf-8"), content), encoding="utf-8")
