"""The dashboards as Grafana's JSON, the same bytes each time."""

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from cloud.grafana.asset import asset
from cloud.grafana.plant import plant


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by the name of its file, as plain dictionaries, lists, texts and numbers."""
    return {name: json.loads(_encoded(model())) for name, model in (("plant", plant), ("asset", asset))}


def dashboard_text(dashboard: dict[str, Any]) -> str:
    """A dashboard as the text of a file."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _encoded(model: object) -> str:
    return json.dumps(model, cls=JSONEncoder, sort_keys=True)
