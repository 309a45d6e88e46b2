import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cloud.api.access import ensure_token, token_path
from cloud.errors import CloudError
from cloud.registry.keys import ensure_signing_key, signing_key_path
from shared import ed25519


def test_the_signing_key_signs_what_the_devices_verify(tmp_path):
    public = ensure_signing_key(tmp_path)
    key = load_pem_private_key(signing_key_path(tmp_path).read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    assert ed25519.verify(public, b"image", key.sign(b"image"))
    assert not ed25519.verify(public, b"other", key.sign(b"image"))


def test_secrets_are_for_the_owner_alone_and_differ_between_folders(tmp_path):
    for number, folder in enumerate((tmp_path / "a", tmp_path / "b")):
        ensure_signing_key(folder)
        ensure_token(folder)
        for path in (signing_key_path(folder), token_path(folder)):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, number
        assert {path.name for path in folder.iterdir()} == {"signing-key.pem", "api-token"}
    assert ensure_token(tmp_path / "a") != ensure_token(tmp_path / "b")
    assert ensure_signing_key(tmp_path / "a") != ensure_signing_key(tmp_path / "b")


def test_a_broken_key_or_an_empty_token_is_refused(tmp_path):
    signing_key_path(tmp_path).write_bytes(b"not a key")
    with pytest.raises(CloudError, match="cannot be read"):
        ensure_signing_key(tmp_path)
    token_path(tmp_path).write_text("\n")
    with pytest.raises(CloudError, match="too short"):
        ensure_token(tmp_path)
