"""Which xAPI a client speaks: 1.0.x or 2.0.x, said in a header on every request and every answer."""

from collections.abc import Mapping

from atelier_assessment.xapi.malformed import MalformedRequest

HEADER = "X-Experience-API-Version"
CONSISTENT = "X-Experience-API-Consistent-Through"


def negotiated(headers: Mapping[str, str]) -> str:
    """The full version that answers carry. Raises MalformedRequest where the header is absent or names another one."""
    asked = headers.get(HEADER)
    if asked is None:
        raise MalformedRequest(f"say which xAPI you speak: {HEADER}: 1.0.3 or 2.0.0", header=HEADER)
    if asked in ("1.0", "2.0") or asked.startswith(("1.0.", "2.0.")):
        return "1.0.3" if asked.startswith("1") else "2.0.0"
    raise MalformedRequest(f"{HEADER} {asked[:20]!r} is not spoken here; 1.0.x and 2.0.x are", header=HEADER)
