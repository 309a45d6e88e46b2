"""The key that signs model images: Ed25519 (RFC 8032), made here, or in a file of the operator that is only read."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from cloud.errors import CloudError
from shared.credentials import read_secret

KEY_NAME = "signing-key.pem"


def signing_key_path(folder: Path, given: Path | None = None) -> Path:
    """Where the private key lies: in the file `given`, else in the data folder."""
    return given or folder / KEY_NAME


def ensure_signing_key(folder: Path, given: Path | None = None) -> bytes:
    """The public key (32 bytes) of the signing key; that of the data folder is made at the first call (mode 0600).

    Raises
    ------
    CloudError
        The file is not such a key, or cannot be written.
    UsageError
        The file `given` is missing or empty.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     key = ensure_signing_key(Path(folder))
    ...     len(key), key == ensure_signing_key(Path(folder))
    (32, True)
    """
    path = signing_key_path(folder, given)
    if given is not None:
        read_secret(given, "TOCSIN_CLOUD_SIGNING_KEY_FILE")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_secret(path, pem)
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CloudError(f"The signing key {path} cannot be read: put back a copy of it.") from error
    except OSError as error:
        raise CloudError(f"The signing key {path} cannot be used ({error.strerror}).") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CloudError(f"The signing key {path} is not an Ed25519 key: put back a copy of the one made here.")
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all; an existing one stays as it is."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass  # another process was first: its content counts
    finally:
        unfinished.unlink()
