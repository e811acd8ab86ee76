"""Pseudonyms: ids that stand for natural keys (a SIS id) and reveal nothing of them."""

import base64
import hashlib
import hmac

from atelier_common.errors import InvalidInput

PREFIXES = {"learner": "lrn_", "adult": "adu_", "guardian": "gdn_"}
"""The kinds with a name of their own; any other kind's ids begin with its first three letters and ``_``."""

_LENGTH = 26


def pseudonym_with(key: bytes, kind: str, natural_key: str) -> str:
    """Prefix of the kind and 26 lower-case base32 characters (130 bits) of HMAC-SHA256 over kind and natural key.

    Deterministic under one key; without the key neither guessable nor checkable. Raises InvalidInput on an empty
    natural key.
    """
    if not natural_key or not kind:
        raise InvalidInput("a pseudonym needs a kind and a natural key", field="natural_key")
    digest = hmac.new(key, f"{len(kind)}:{kind}:{natural_key}".encode(), hashlib.sha256).digest()
    prefix = PREFIXES.get(kind) or f"{kind[:3]}_"
    return prefix + base64.b32encode(digest).decode("ascii")[:_LENGTH].lower()
