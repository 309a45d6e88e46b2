"""``tocsin firmware``: the C core built for this machine, and what a model image says."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware.errors import FirmwareError
from shared import ed25519, model_image
from shared.errors import UsageError
from shared.model_image import ImageContent
from shared.quantized.scorer import Scorer

app = typer.Typer(no_args_is_help=True, help="The device: build the C core, look into model images.")


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="Folder for the program.")] = Path("build/firmware"),
    sanitize: Annotated[bool, typer.Option("--sanitize", help="With address and undefined-behaviour checks.")] = False,
) -> None:
    """Build the C device as a program of this machine, with its compiler or the one from the package ziglang."""
    from firmware.build import build_host

    typer.echo(f"built {build_host(out, sanitize=sanitize)}")


@app.command()
def inspect(
    image: Annotated[Path, typer.Argument(help="A model image.")],
    key: Annotated[
        str | None, typer.Option(help="Ed25519 public key (hexadecimal) to check the signature with.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what a model image holds, and whether digest, golden vector and signature are right."""
    try:
        content = image.read_bytes()
    except OSError as error:
        raise UsageError(f"{image} cannot be read ({error.strerror}); name a model image") from error
    facts = describe(model_image.read(content), content, key)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {value}")


def describe(content: ImageContent, image: bytes, key: str | None) -> dict[str, Any]:
    """The facts of an image that could be read."""
    layers = content.layers
    sizes = [str(len(content.features)), *(str(layer.outputs) for layer in layers)]
    named, signature = model_image.signature_of(image)
    return {
        "version": content.version,
        "kind": "fast" if content.kind else "slow",
        "bytes": len(image),
        "channels": len(content.channels),
        "features": len(content.features),
        "window": content.window,
        "hop": content.hop,
        "gap": f"{content.gap_ns / 1e9:g} s",
        "layers": " - ".join(sizes) if layers else "none: a recipe without a model",
        "multiplications": sum(layer.inputs * layer.outputs for layer in layers),
        "threshold": content.threshold,
        "digest": "right",
        "golden vector": "none" if not layers else "wrong" if Scorer(content).golden_fails() else "right",
        "signature": _signature(image, named, signature, key),
    }


def _signature(image: bytes, named: bytes, signature: bytes, key: str | None) -> str:
    if not any(signature):
        return "none"
    if key is None:
        return f"by key {named.hex()}, not checked (give --key)"
    try:
        public = bytes.fromhex(key)
    except ValueError as error:
        raise UsageError(f"key {key!r} must be 64 hexadecimal digits") from error
    if len(public) != 32:
        raise FirmwareError(f"an Ed25519 public key has 32 bytes, this one has {len(public)}")
    right = ed25519.key_id(public) == named and ed25519.verify(public, model_image.signed_message(image), signature)
    return f"by key {named.hex()}, {'right' if right else 'wrong'}"
