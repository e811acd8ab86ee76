"""Ids are uuid5, whoever computes them."""

import uuid

from atelier_common import ids


def test_ids_are_those_of_the_standard_library() -> None:
    namespace = uuid.UUID("0b0f7a5e-6f0d-5a53-9d1c-4f6a51a7c0de")
    for cause in ("a", "ü", "", "x" * 300):
        for ordinal in range(20):
            name = "\x1f".join(("fictional", cause, "name", str(ordinal)))
            assert ids.derive_id("fictional", cause, "name", ordinal) == str(uuid.uuid5(namespace, name))
