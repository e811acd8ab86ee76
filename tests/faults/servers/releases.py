"""Releases that are not there: what the present one is before or after in an upgrade, made by changing what it registers.

A release is applied in a process of its own, before the service is built.
"""

from dataclasses import replace


def reader_of_an_earlier_contract() -> None:
    """Pathing as it was before it knew that mastery changes."""
    from atelier_pathing import bootstrap

    bootstrap.SUBSCRIPTIONS = tuple(
        replace(one, types={}) if one.source == "assessment" else one for one in bootstrap.SUBSCRIPTIONS
    )


def reads_the_next_schema() -> None:
    """Assessment that knows the next schema version of recorded evidence and writes the present one."""
    _next_schema(writes=False)


def writes_the_next_schema() -> None:
    """Assessment that knows the next schema version of recorded evidence and writes it."""
    _next_schema(writes=True)


def _next_schema(*, writes: bool) -> None:
    """The registry holds what a name is read as apart from what a class is written as; so a release can be before or after."""
    from atelier_assessment.domain.attempt_events import EvidenceRecorded
    from atelier_assessment.domain.registry import registry

    name = registry.name_of(EvidenceRecorded)
    now = registry._by_name[name]
    following = replace(now, version=now.version + 1, upcasters=(*now.upcasters, dict))
    registry._by_name[name] = following
    if writes:
        registry._by_class[EvidenceRecorded] = following
