"""Whether two installations came to the same: what is compared of their answers, and where they differ, in words."""

from typing import Any

_ITS_OWN = frozenset(
    {"plan_id", "plan_before", "plan_after", "correlation_id", "stream", "version", "versions", "revision", "cut"}
    | {"plan_digest", "problem_digest", "corrected_at_ms", "seconds"}
)
"""Names of plans, and places in logs: how many commits there were before depends on what came in one breath. The digests are over
the override's id too, which is made anew for each request; when a number was corrected tells of the order of arrival, and requests
that are under way together have none. Nobody expects the same seconds.
"""


def without_names_of_its_own(found: Any) -> Any:
    """An answer without what each installation names or counts for itself."""
    if isinstance(found, dict):
        return {name: without_names_of_its_own(one) for name, one in found.items() if name not in _ITS_OWN}
    if isinstance(found, list):
        return [without_names_of_its_own(one) for one in found]
    return found


def differences(one: Any, other: Any, at: str) -> list[str]:
    """Where two answers differ, the first few places; ``one`` is of one process, ``other`` of four."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        found = [said for name in names for said in differences(one.get(name), other.get(name), f"{at}/{name}")]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        found = [said for place, (left, right) in pairs for said in differences(left, right, f"{at}[{place}]")]
    else:
        found = [] if one == other else [f"{at}: {one!r} in one process, {other!r} in four"]
    return found[:20]
