"""What a model image says, and whether digest, golden vector and signature are right."""

from typing import Any

from firmware.importing.layer_facts import layer_facts, layer_lines, products_of
from firmware.importing.memory import memory_of
from firmware.kernels.cores import KERNELS
from firmware.kernels.packing import plain_rows, unpacked
from firmware.kernels.plan import plan_memory
from shared import ed25519, model_image
from shared.model_image import ImageContent, feature_names
from shared.quantized import targets
from shared.quantized.scorer import Scorer
from shared.signal.definition import KIND_SLOW


def image_facts(content: ImageContent, image: bytes, key: bytes | None) -> dict[str, Any]:
    """The facts of an image, of which `content` is what the reader gave, as plain values.

    `key`: an Ed25519 public key to check the signature with.
    """
    named, signature = model_image.signature_of(image)
    channels = max(1, len(content.channels))
    return {
        "file": "model image",
        "format": model_image.FORMAT,
        "bytes": len(image),
        "version": content.version,
        "target": targets.target_name(content.target),
        "kind": "slow" if content.kind == KIND_SLOW else "fast",
        "input": "samples" if content.samples else "features",
        "inputs": content.inputs,
        "channels": len(content.channels),
        "features": len(content.features),
        "features_of_a_channel": feature_names(content)[: len(content.features) // channels],
        "window": content.window,
        "hop": content.hop,
        "gap_seconds": content.gap_ns / 1e9,
        "sample_rate_hz": content.sample_rate_millihertz / 1000,
        "bands": content.bands,
        "envelope_bands": content.envelope_bands,
        "envelope_first_bin": content.envelope_first,
        "envelope_bins": content.envelope_bins,
        "profile": content.profile_digest.hex(),
        "threshold": content.threshold,
        "weights": [min(content.weights, default=0), max(content.weights, default=0)],
        "layers": [layer_facts(layer, number) for number, layer in enumerate(content.layers, 1)],
        "products": products_of(content.layers),
        "plain_rows": list(plain_rows(content)),
        "memory_bytes": memory_of(content, kernel_bytes_of(content)).total_bytes,
        "digest": "right",
        "golden": golden_state(content),
        "signature": signature_state(image, named, signature, key),
    }


def golden_state(content: ImageContent) -> str:
    """``none`` without layers, else whether the golden vector is ``right`` or ``wrong`` in this arithmetic.

    A packed image is unpacked for it; PackingError where its blocks cannot be.
    """
    if not content.layers:
        return "none"
    return "wrong" if Scorer(unpacked(content)).golden_fails() else "right"


def kernel_bytes_of(content: ImageContent) -> int:
    """Buffers of a packed model with the fastest kernel of its target; 0 for an image that is not packed."""
    if not content.target or not content.layers:
        return 0
    kernel = next(kernel for kernel in KERNELS.values() if kernel.target == content.target)
    return plan_memory(content.layers, kernel, scored=True).total_bytes


def signature_state(image: bytes, named: bytes, signature: bytes, key: bytes | None) -> str:
    """``none``, or the key's id with ``not checked``, ``right`` or ``wrong``."""
    if not any(signature):
        return "none"
    if key is None:
        return f"by key {named.hex()}, not checked (give --key)"
    right = ed25519.key_id(key) == named and ed25519.verify(key, model_image.signed_message(image), signature)
    return f"by key {named.hex()}, {'right' if right else 'wrong'}"


def image_lines(facts: dict[str, Any], image: bytes) -> list[str]:
    """The facts for people, then the table of layers."""
    content = model_image.read(image)
    recipe = f"window {facts['window']}, hop {facts['hop']}, gap {facts['gap_seconds']:g} s"
    if facts["bands"]:
        recipe += f", {facts['bands']} bands"
    if facts["envelope_bands"]:
        last = facts["envelope_first_bin"] + facts["envelope_bins"] - 1
        recipe += f", {facts['envelope_bands']} envelope bands of bins {facts['envelope_first_bin']} to {last}"
    least, most = facts["weights"]
    told = {
        "file": f"model image, format {facts['format']}, {facts['bytes']} bytes",
        "version": facts["version"],
        "target": _target(facts),
        "device": f"{facts['kind']}, {facts['channels']} channels at {facts['sample_rate_hz']:g} Hz, "
        f"profile {facts['profile']}",
        "recipe": recipe,
        "features": _features(content),
        "model": f"{facts['inputs']} {facts['input']} in and out, {facts['products']} products"
        if content.layers
        else "none: a recipe without a model",
        "score": f"threshold {facts['threshold']}, weights {least} to {most}",
        "memory": f"{facts['memory_bytes']} bytes of RAM in the C core",
        "digest": facts["digest"],
        "golden": facts["golden"],
        "signature": facts["signature"],
    }
    width = max(map(len, told))
    return [*(f"{name:<{width}}  {value}" for name, value in told.items()), *layer_lines(content.layers)]


def _target(facts: dict[str, Any]) -> str:
    if facts["target"] == "any":
        return "any processor"
    plain, rows = facts["plain_rows"]
    slow = f", {plain} rows of {rows} by the plain loop" if plain else ""
    return f"packed for {facts['target']}{slow}"


def _features(content: ImageContent) -> str:
    if not content.features:
        return "none: the rows are sent"
    names = feature_names(content)
    names = names[: len(names) - content.bands - content.envelope_bands]
    for count, word in ((content.bands, "bands"), (content.envelope_bands, "envelope bands")):
        names += [f"{count} {word}"] if count else []
    return f"{len(content.features)}, of each channel {', '.join(names)}"
