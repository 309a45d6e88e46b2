"""State of a detector as bytes: CBOR with typed arrays (RFC 8746), the same on every machine, never a pickle.

A pickle ties a stored model to one version of a library and runs whatever it holds; this is data only.

>>> unpack(pack("mark", {"mean": np.array([1.0, np.nan]), "count": 3}), "mark")["count"]
3
"""

import math
import zlib
from typing import Any

import cbor2
import numpy as np
from numpy.typing import NDArray

from gateway.errors import GatewayError

FORMAT = 1
#: Longer than any state of ours: 1024 channels of a slow device would be judged by 75 MB of covariance.
STATE_LIMIT_BYTES = 256 << 20
#: Typed arrays of RFC 8746, little endian, by their tags.
_KINDS: dict[int, type[np.floating[Any]]] = {84: np.float16, 85: np.float32, 86: np.float64}
_FLOAT64 = 86
#: First byte of what zlib writes; a packed state begins as a CBOR map, with another one.
_ZLIB = b"x"
_TAGS = {np.dtype(kind): tag for tag, kind in _KINDS.items()}

Value = NDArray[np.floating[Any]] | int | float | str | bytes | bool | list[Any] | None


def pack(what: str, fields: dict[str, Value]) -> bytes:
    """Bytes of a state: names to arrays of any shape, numbers, texts and other packed states.

    float16 and float32 arrays stay what they are, others become float64.
    """
    encoded: dict[str, Any] = {"format": FORMAT, "what": what}
    for name, value in fields.items():
        if isinstance(value, np.ndarray):
            tag = _TAGS.get(value.dtype, _FLOAT64)
            stored = np.ascontiguousarray(value, dtype=_little(tag))
            encoded[name] = [list(value.shape), cbor2.CBORTag(tag, stored.tobytes())]
        else:
            encoded[name] = value
    return cbor2.dumps(encoded)


def unpack(content: bytes, what: str) -> dict[str, Any]:
    """The fields of a state that `pack` wrote for the same `what`.

    Raises
    ------
    GatewayError
        The bytes are no such state.
    """
    if len(content) > STATE_LIMIT_BYTES:
        raise GatewayError(f"stored {what}: {len(content)} bytes, the limit is {STATE_LIMIT_BYTES}; commission anew")
    try:
        decoded = cbor2.loads(content)
    except Exception as error:  # the decoder raises many kinds for damaged bytes; all mean the same here
        raise _unreadable(what) from error
    if not isinstance(decoded, dict) or decoded.pop("format", None) != FORMAT or decoded.pop("what", None) != what:
        raise _unreadable(what)
    return {name: _array(value, what) if _is_array(value) else value for name, value in decoded.items()}


def compressed(content: bytes) -> bytes:
    """A packed state for a store, in less room.

    >>> unpack(expanded(compressed(pack("mark", {"count": 3})), "mark"), "mark")["count"]
    3
    """
    return zlib.compress(content)


def expanded(content: bytes, what: str) -> bytes:
    """What `compressed` was given; a state that never was is returned as it is.

    Raises
    ------
    GatewayError
        The bytes are damaged, or more than a state may have.
    """
    if not content.startswith(_ZLIB):
        return content
    inflating = zlib.decompressobj()
    try:
        found = inflating.decompress(content, STATE_LIMIT_BYTES)
    except zlib.error as error:
        raise _unreadable(what) from error
    if not inflating.eof or inflating.unused_data:
        raise _unreadable(what)
    return found


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], cbor2.CBORTag)


def _array(value: Any, what: str) -> NDArray[Any]:
    shape, tagged = value
    sizes_are_whole = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if tagged.tag not in _KINDS or type(tagged.value) is not bytes or not sizes_are_whole:
        raise _unreadable(what)
    if len(tagged.value) != _little(tagged.tag).itemsize * math.prod(shape):
        raise _unreadable(what)
    return np.frombuffer(tagged.value, dtype=_little(tagged.tag)).astype(_KINDS[tagged.tag]).reshape(shape)


def _little(tag: int) -> np.dtype[np.floating[Any]]:
    return np.dtype(_KINDS[tag]).newbyteorder("<")


def _unreadable(what: str) -> GatewayError:
    return GatewayError(f"stored {what}: not a state that this version reads; commission the device anew")
