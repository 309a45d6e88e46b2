"""What one layer is, as plain values and as a line: of an image or of a .tflite file alike."""

from typing import Any

from shared.model_image import LAYER_DENSE, ROUNDING_TWICE, Layer

KINDS = ("dense", "convolution", "depthwise")
_HEADER_BYTES = 8
_PACKED_HEADER_BYTES = 8
#: Bias, multiplier and shift of a row.
_ROW_BYTES = 9


def layer_facts(layer: Layer, number: int) -> dict[str, Any]:
    """The facts of layer `number`, counted from 1; `shifts` are missing where the layer is packed."""
    facts: dict[str, Any] = {
        "number": number,
        "kind": KINDS[layer.kind],
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "products": layer.outputs * layer.columns,
        "bytes": layer_bytes(layer),
        "zero": layer.zero,
        "low": layer.low,
    }
    if layer.kind != LAYER_DENSE:
        facts |= {
            "channels": layer.channels,
            "filters": layer.filters,
            "taps": layer.taps,
            "stride": layer.stride,
            "pad": layer.pad,
            "padding": layer.padding,
            "rounding": "twice" if layer.rounding == ROUNDING_TWICE else "once",
        }
    if layer.packed:
        facts["plain_blocks"] = layer.plain
    else:
        facts["shifts"] = [min(layer.shifts), max(layer.shifts)]
    return facts


def layer_bytes(layer: Layer) -> int:
    """Bytes of the layer's record in an image."""
    header = _HEADER_BYTES if layer.kind == LAYER_DENSE else 2 * _HEADER_BYTES
    if layer.packed:
        return header + _PACKED_HEADER_BYTES + len(layer.packed)
    rows, weights = layer.rows, layer.rows * layer.columns
    return header + (_ROW_BYTES * rows + 3) // 4 * 4 + (weights + 3) // 4 * 4


def products_of(layers: list[Layer]) -> int:
    """Multiplications of weights and values in one inference; what convolutions multiply outside counts too."""
    return sum(layer.outputs * layer.columns for layer in layers)


def layer_lines(layers: list[Layer]) -> list[str]:
    """A table of layers with its heading; no lines when there are none."""
    if not layers:
        return []
    rows: list[tuple[str, ...]] = [("layer", "kind", "from", "to", "products", "bytes", "shifts", "")]
    rows += [_row(layer, number) for number, layer in enumerate(layers, 1)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = {0, 4, 5}
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(layer: Layer, number: int) -> tuple[str, ...]:
    facts = layer_facts(layer, number)
    source, target = str(layer.inputs), str(layer.outputs)
    notes = []
    if layer.kind != LAYER_DENSE:
        source = f"{layer.inputs // layer.channels} x {layer.channels}"
        target = f"{layer.outputs // layer.filters} x {layer.filters}"
        notes.append(f"{layer.taps} taps, stride {layer.stride}, pad {layer.pad}")
        notes.append(f"rounded {facts['rounding']}")
    if layer.low > -128:
        notes.append("ReLU" if layer.low == layer.zero else f"at least {layer.low}")
    if layer.plain:
        notes.append(f"{layer.plain} plain blocks")
    least, most = facts.get("shifts", (0, 0))
    shifts = "packed" if layer.packed else str(least) if least == most else f"{least}-{most}"
    return (
        str(number),
        KINDS[layer.kind],
        source,
        target,
        str(facts["products"]),
        str(facts["bytes"]),
        shifts,
        ", ".join(notes),
    )
