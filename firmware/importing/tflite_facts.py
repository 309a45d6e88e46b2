"""What a .tflite file holds, in the terms of a model image, and whether an image could be made of it."""

from typing import Any

from firmware.importing.layer_facts import layer_facts, layer_lines, products_of
from shared.tflite.reader import TfliteModel, parse_tflite


def tflite_facts(content: bytes, name: str) -> dict[str, Any]:
    """The facts of a file as plain values; TfliteError when it holds what no image can say, and what that is."""
    model = parse_tflite(content, name)
    return {
        "file": ".tflite",
        "bytes": len(content),
        "input_shape": list(model.input_shape),
        "inputs": model.layers[0].inputs,
        "outputs": model.layers[-1].outputs,
        "input_scale": model.input_scale,
        "input_zero": model.input_zero,
        "output_scale": model.output_scale,
        "output_zero": model.output_zero,
        "input_type": "float32" if model.float_input else "int8",
        "output_type": "float32" if model.float_output else "int8",
        "layers": [
            layer_facts(layer, number) | {"operator": operator}
            for number, (layer, operator) in enumerate(zip(model.layers, model.operators, strict=True), 1)
        ],
        "products": products_of(model.layers),
        "importable": _obstacle(model) == "",
    }


def tflite_lines(facts: dict[str, Any], content: bytes, name: str) -> list[str]:
    """The facts for people, then the table of layers."""
    model = parse_tflite(content, name)
    shape = " x ".join(map(str, facts["input_shape"]))
    told = {
        "file": f".tflite, {facts['bytes']} bytes",
        "input": f"{shape}, {facts['input_type']}, steps of {facts['input_scale']:g}, zero at {facts['input_zero']}",
        "output": f"{facts['outputs']}, {facts['output_type']}, steps of {facts['output_scale']:g}, "
        f"zero at {facts['output_zero']}",
        "model": f"{len(model.layers)} layers, {facts['products']} products",
        "import": _obstacle(model) or "possible: tocsin firmware import makes an image of it",
    }
    width = max(map(len, told))
    return [*(f"{name:<{width}}  {value}" for name, value in told.items()), *layer_lines(model.layers)]


def _obstacle(model: TfliteModel) -> str:
    inputs, outputs = model.layers[0].inputs, model.layers[-1].outputs
    if inputs == outputs:
        return ""
    return f"not possible: no autoencoder, it makes {outputs} values of {inputs}"
