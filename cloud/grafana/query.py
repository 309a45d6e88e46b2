"""A Flux query of a dashboard together with what it returns, and how Grafana's JSON holds it.

What Grafana makes of an answer decides the form of a query: a table with ``_value`` and a time becomes a *series*,
named by ``_field`` and labelled by every other column without an underscore; any other table stays a *table* with its
columns as they are. Grafana puts in ``v.timeRangeStart``, ``v.timeRangeStop``, ``v.windowPeriod``, ``v.defaultBucket``
and the dashboard's variables, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import DataqueryConfig
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import AnnotationTarget

from cloud.grafana.names import DATASOURCE, DATASOURCE_TYPE

Shape = Literal["series", "table", "choices"]
ColumnType = Literal["time", "float", "int", "string", "bool"]


@dataclass(frozen=True)
class Query:
    """A Flux query and the columns of its answer, by their types.

    A series has ``_time``, ``_value``, ``_field`` and its labels; a table has its columns; choices have one column of
    texts. A table may lack a column marked by `optional` when no row has it.
    """

    flux: str
    shape: Shape
    columns: Mapping[str, ColumnType]
    optional: frozenset[str] = frozenset()

    def target(self, ref_id: str = "A") -> "FluxTarget":
        """This query as a target of a panel."""
        return FluxTarget(FluxDataquery(self.flux, ref_id))


class FluxDataquery(Dataquery):
    """A target of a panel as Grafana's InfluxDB plugin writes it; the kit has no model of it."""

    def __init__(self, query: str, ref_id: str = "A") -> None:
        self.query = query
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        """The fields that the plugin reads."""
        return {"datasource": DATASOURCE, "query": self.query, "refId": self.ref_id}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The target of a dashboard that was read."""
        return cls(data["query"], data["refId"])


class FluxTarget(Builder[Dataquery]):
    """The builder that panels ask for."""

    def __init__(self, query: FluxDataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        """The target."""
        return self._query


class FluxAnnotationTarget(AnnotationTarget):
    """The query of an annotation; the kit's own class knows Grafana's built-in source alone."""

    def __init__(self, query: str) -> None:
        super().__init__()
        self.query = query

    def to_json(self) -> dict[str, object]:
        """The same fields as a panel's target."""
        return FluxDataquery(self.query, "Annotations").to_json()


def variant_config() -> DataqueryConfig:
    """What the kit needs to read such targets back."""
    return DataqueryConfig(identifier=DATASOURCE_TYPE, from_json_hook=FluxDataquery.from_json)
