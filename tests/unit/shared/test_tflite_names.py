"""Names of operators and types are those of the format's own schema, as installed packages have it."""

import importlib.util
from pathlib import Path

import pytest
from tflite_files import INT8, Part, Step, file_of

from shared.errors import TfliteError
from shared.tflite import schema
from shared.tflite.reader import parse_tflite


def names_by_number(enumeration):
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


def test_names_are_those_of_litert():
    """The schema alone is loaded: the package around it needs a second."""
    found = importlib.util.find_spec("ai_edge_litert")
    if found is None:
        pytest.skip("ai_edge_litert is not installed: pip install 'tocsin[dev]'")
    path = Path(found.submodule_search_locations[0]) / "schema_py_generated.py"
    spec = importlib.util.spec_from_file_location("litert_schema", path)
    litert = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(litert)
    operators, types = names_by_number(litert.BuiltinOperator), names_by_number(litert.TensorType)
    assert len(operators) > 200
    assert [schema.operator_name(number) for number in sorted(operators)] == [operators[n] for n in sorted(operators)]
    assert [schema.type_name(number).upper() for number in sorted(types)] == [types[n] for n in sorted(types)]


@pytest.mark.parametrize("name", ["BATCH_MATMUL", "GELU", "STABLEHLO_CBRT"])
def test_a_late_operator_is_refused_by_name(name):
    pytest.importorskip("tflite", reason="tflite is not installed: pip install 'tocsin[dev]'")
    content = file_of([Part((1, 2)), Part((1, 2), kind=INT8), Part((1, 2))], [Step(name, (0, 1), (2,))])
    with pytest.raises(TfliteError, match=rf"operator 0 \({name}\)"):
        parse_tflite(content, "a.tflite")
