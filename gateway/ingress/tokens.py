"""Opaque texts that clients hand back to us: page tokens and watch positions.

Base64url of one byte that says what it is, the content, and four bytes of check. The check finds a token that was
cut, mistyped or used for something else; it is no secret, and needs none: a token only says where to go on.
"""

import base64
import binascii
import hashlib
from enum import Enum
from typing import Final

CHECK_BYTES: Final = 4
TOKEN_CHARS_MAX: Final = 128  # ours are below 50


class Kind(bytes, Enum):
    PAGE = b"p"
    DOUBTS = b"d"
    POSITION = b"w"


def seal(kind: Kind, content: bytes, bound_to: bytes = b"") -> str:
    """A token that `unseal` takes only for the same kind and the same `bound_to`."""
    sealed = kind.value + content
    return base64.urlsafe_b64encode(sealed + _check(sealed, bound_to)).decode().rstrip("=")


def unseal(kind: Kind, token: str, bound_to: bytes = b"") -> bytes | None:
    """The content, or None where the token is none of ours for this."""
    if len(token) > TOKEN_CHARS_MAX:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    sealed, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
    if sealed[:1] != kind.value or check != _check(sealed, bound_to):
        return None
    return sealed[1:]


def _check(sealed: bytes, bound_to: bytes) -> bytes:
    return hashlib.sha256(len(sealed).to_bytes(2, "big") + sealed + bound_to).digest()[:CHECK_BYTES]
