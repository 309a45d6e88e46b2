"""The key of a site's images: the private one of the cloud, a PEM file, signs; the public one checks."""

import importlib
from pathlib import Path
from typing import Any

from firmware.errors import FirmwareError
from shared import model_image
from shared.ed25519 import key_id
from shared.errors import UsageError

REMEDY = "signing needs the package cryptography: pip install cryptography"
_PUBLIC_KEY_BYTES = 32


def public_key(text: str) -> bytes:
    """A raw Ed25519 public key from 64 hexadecimal digits; UsageError otherwise."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _PUBLIC_KEY_BYTES:
        raise UsageError(f"--key {text!r} must be a public key, 64 hexadecimal digits")
    return key


def _primitives(name: str) -> Any:
    try:
        return importlib.import_module(f"cryptography.hazmat.primitives.{name}")
    except ImportError as error:
        raise FirmwareError(REMEDY) from error


def sign_with(path: Path, unsigned: bytes) -> bytes:
    """The whole image: `unsigned` as `model_image.encode` gave it, with the key's id and signature.

    Raises UsageError where `path` holds no Ed25519 private key, FirmwareError without the package that signs.
    """
    serialization = _primitives("serialization")
    ed25519 = _primitives("asymmetric.ed25519")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise UsageError(
            f"the key {path} cannot be read ({error.strerror}); name the private key's PEM file"
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{path} is no private key without a password; name the PEM file of the cloud's key"
        ) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UsageError(f"{path} is not an Ed25519 key; name the PEM file of the cloud's key")
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    signature: bytes = key.sign(model_image.signed_message(unsigned))
    return model_image.seal(unsigned, key_id(public), signature)
