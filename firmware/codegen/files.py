"""Which files are generated, and how they are written: beside the sources, whole or not at all."""

from pathlib import Path

from firmware.codegen import limits, sine, turns

REPOSITORY = Path(__file__).resolve().parents[2]


def generated_files() -> dict[str, str]:
    """Path within the repository -> content, for every generated file."""
    return {
        "shared/signal/tables.py": sine.python_source(),
        "firmware/c/generated/tocsin_sine_table.c": sine.c_source(),
        "firmware/c/generated/tocsin_turns_table.c": turns.c_source(),
        "firmware/c/generated/tocsin_limits.h": limits.c_source(),
    }


def write_all(repository: Path = REPOSITORY) -> list[Path]:
    """Write each generated file whose content changed; returns those."""
    changed = []
    for name, content in generated_files().items():
        path = repository / name
        if path.is_file() and path.read_text(encoding="utf-8") == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(path)
        changed.append(path)
    return changed
