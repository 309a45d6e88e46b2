"""Signatures: the vectors of RFC 8032, agreement with another implementation, and everything that must be refused."""

import hashlib
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import ed25519

VECTORS = Path(__file__).parents[2] / "vectors" / "ed25519.txt"
L = 2**252 + 27742317777372353535851937790883648493


def cases():
    found = []
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" ")
        if key == "public":
            found.append({})
        if key in ("public", "message", "signature"):
            found[-1][key] = bytes.fromhex(value.removeprefix("-"))
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{len(case['message'])} bytes")
def test_published_vectors(case):
    assert ed25519.verify(case["public"], case["message"], case["signature"])
    assert not ed25519.verify(case["public"], case["message"] + b"\0", case["signature"])


def test_there_are_vectors():
    assert len(cases()) == 4


def signed(seed, message):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.public_key().public_bytes_raw(), key.sign(message)


@settings(max_examples=12, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=300), data=st.data())
def test_what_another_implementation_signs_is_accepted_and_one_bit_off_is_not(seed, message, data):
    public, signature = signed(seed, message)
    assert ed25519.verify(public, message, signature)
    bit = data.draw(st.integers(0, 511))
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert not ed25519.verify(public, message, bytes(changed))
    other, _ = signed(hashlib.sha256(seed).digest(), message)
    assert not ed25519.verify(other, message, signature)


def test_a_second_form_of_the_same_signature_is_refused():
    public, signature = signed(bytes(32), b"model")
    doubled = (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")
    assert not ed25519.verify(public, b"model", signature[:32] + doubled)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_and_signatures_of_other_lengths_are_refused(length):
    public, signature = signed(bytes(32), b"model")
    assert not ed25519.verify((public * 2)[:length], b"model", signature)
    assert not ed25519.verify(public, b"model", (signature * 2)[: 2 * length])


@pytest.mark.parametrize(
    "encoded",
    [
        (2**255 - 19).to_bytes(32, "little"),  # y = p: 0 in a form that is not its own
        (2**255 - 1).to_bytes(32, "little"),
        (2).to_bytes(32, "little"),  # no point has this y
        (1 + 2**255).to_bytes(32, "little"),  # x = 0 with a sign
    ],
)
def test_bytes_that_are_no_point_are_refused(encoded):
    public, signature = signed(bytes(32), b"model")
    assert not ed25519.verify(encoded, b"model", signature)
    assert not ed25519.verify(public, b"model", encoded + signature[32:])


def test_the_own_sha_512_is_the_standard_one():
    generator = random.Random(5)
    for length in (0, 1, 111, 112, 113, 127, 128, 129, 239, 240, 300):
        message = generator.randbytes(length)
        assert ed25519._Sha512(message).digest() == hashlib.sha512(message).digest()


def test_signatures_are_checked_where_hashlib_has_no_sha_512(monkeypatch):
    class Small:
        """What MicroPython's hashlib has."""

        sha256 = hashlib.sha256

    public, signature = signed(bytes(range(32)), b"model")
    monkeypatch.setattr(ed25519, "hashlib", Small)
    assert ed25519.verify(public, b"model", signature)
    assert not ed25519.verify(public, b"Model", signature)


def test_a_key_is_named_by_its_digest():
    assert ed25519.key_id(bytes(32)) == hashlib.sha256(bytes(32)).digest()[:8]
