"""Signing a model image: Ed25519 (RFC 8032) over its digest, where the key is."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared import model_image
from shared.ed25519 import key_id


def sign_image(unsigned: bytes, private_key: Ed25519PrivateKey) -> bytes:
    """The whole image: `unsigned` as `model_image.encode` gave it, with the key's id and signature."""
    public = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return model_image.seal(unsigned, key_id(public), private_key.sign(model_image.signed_message(unsigned)))
