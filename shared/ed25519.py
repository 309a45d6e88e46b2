"""Ed25519 signature check in pure Python (RFC 8032, section 5.1), for devices; runs in CPython and MicroPython.

Only verification is here, and it handles public values alone, so nothing needs constant time. SHA-512 comes from
`hashlib`
where it has it and from the few lines below (FIPS 180-4) where it does not.

>>> public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
>>> signature = bytes.fromhex(
...     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
...     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
... )
>>> verify(public, b"", signature), verify(public, b"x", signature)
(True, False)
"""

import hashlib

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_MASK = (1 << 64) - 1


def _root(number: int, power: int, bits: int) -> int:
    """The first `bits` fraction bits of the square or cube root of a prime (FIPS 180-4, 4.2.3 and 5.3.5)."""
    scaled = number << (power * bits)
    low = 0
    high = 1 << (bits + 5)
    while high - low > 1:
        middle = (low + high) >> 1
        if middle**power <= scaled:
            low = middle
        else:
            high = middle
    return low & ((1 << bits) - 1)


def _primes(count: int) -> "list[int]":
    found: "list[int]" = []
    candidate = 2
    while len(found) < count:
        for prime in found:
            if candidate % prime == 0:
                break
        else:
            found.append(candidate)
        candidate += 1
    return found


class _Sha512:
    """SHA-512 of one message."""

    rounds: "list[int]" = []
    start: "list[int]" = []

    def __init__(self, message: bytes) -> None:
        if not _Sha512.rounds:
            primes = _primes(80)
            _Sha512.rounds = [_root(prime, 3, 64) for prime in primes]
            _Sha512.start = [_root(prime, 2, 64) for prime in primes[:8]]
        padded = message + b"\x80" + bytes(-(len(message) + 17) % 128) + (8 * len(message)).to_bytes(16, "big")
        state = list(_Sha512.start)
        for offset in range(0, len(padded), 128):
            state = self._block(state, padded[offset : offset + 128])
        self.state = state

    def digest(self) -> bytes:
        return b"".join([word.to_bytes(8, "big") for word in self.state])

    def _block(self, state: "list[int]", block: bytes) -> "list[int]":
        w = [int.from_bytes(block[i : i + 8], "big") for i in range(0, 128, 8)]
        for t in range(16, 80):
            x = w[t - 15]
            y = w[t - 2]
            s0 = (x >> 1 | x << 63) ^ (x >> 8 | x << 56) ^ (x >> 7)
            s1 = (y >> 19 | y << 45) ^ (y >> 61 | y << 3) ^ (y >> 6)
            w.append((w[t - 16] + (s0 & _MASK) + w[t - 7] + (s1 & _MASK)) & _MASK)
        a, b, c, d, e, f, g, h = state
        for t in range(80):
            s1 = (e >> 14 | e << 50) ^ (e >> 18 | e << 46) ^ (e >> 41 | e << 23)
            t1 = h + (s1 & _MASK) + ((e & f) ^ (~e & _MASK & g)) + self.rounds[t] + w[t]
            s0 = (a >> 28 | a << 36) ^ (a >> 34 | a << 30) ^ (a >> 39 | a << 25)
            t2 = (s0 & _MASK) + ((a & b) ^ (a & c) ^ (b & c))
            h, g, f, e, d, c, b, a = g, f, e, (d + t1) & _MASK, c, b, a, (t1 + t2) & _MASK
        return [(old + new) & _MASK for old, new in zip(state, (a, b, c, d, e, f, g, h))]


def _sha512(message: bytes) -> bytes:
    if hasattr(hashlib, "sha512"):
        return hashlib.sha512(message).digest()
    return _Sha512(message).digest()


def _add(p: "tuple[int, int, int, int]", q: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiply(scalar: int, point: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _decompress(encoded: bytes) -> "tuple[int, int, int, int] | None":
    y = int.from_bytes(encoded, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - square) % _P:
        return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


_BASE = _decompress((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` was made with the private part of `public_key` (32 bytes)."""
    if len(public_key) != 32 or len(signature) != 64 or _BASE is None:
        return False
    a = _decompress(public_key)
    r = _decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    challenge = int.from_bytes(_sha512(signature[:32] + public_key + message), "little") % _L
    left = _multiply(s, _BASE)
    right = _add(r, _multiply(challenge, a))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (left[1] * right[2] - right[1] * left[2]) % _P == 0


def key_id(public_key: bytes) -> bytes:
    """Eight bytes that name a public key in an image's trailer."""
    return hashlib.sha256(public_key).digest()[:8]
