"""A provider of evidence: a vendor's system that a district has registered. Stream ``provider/<provider>``.

The provider's id is the subject of its bearer token, so nobody can report under another's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput

from atelier_assessment.domain.evidence import KINDS
from atelier_assessment.domain.registry import registry


@dataclass(frozen=True, slots=True)
class RegisterProvider:
    """``only_kind`` types all its evidence, whatever it says itself: what a machine wrote stays typed so. Empty: it says itself."""

    title: str
    only_kind: str
    registered_by: str
    now: int


@registry.event("ProviderRegistered")
@dataclass(frozen=True, slots=True)
class ProviderRegistered:
    title: str
    only_kind: str
    registered_by: str


@dataclass(frozen=True, slots=True)
class Provider:
    """``title`` is empty while nobody has registered it."""

    title: str = ""
    only_kind: str = ""


def decide(command: RegisterProvider, state: Provider) -> Sequence[ProviderRegistered]:
    if not command.title.strip():
        raise InvalidInput("a provider needs a title that people recognise", field="title")
    if command.only_kind and command.only_kind not in KINDS:
        raise InvalidInput(f"only_kind is one of {', '.join(KINDS)}", field="only_kind")
    if state == Provider(command.title, command.only_kind):
        return ()
    return (ProviderRegistered(command.title, command.only_kind, command.registered_by),)


def evolve(_state: Provider, event: ProviderRegistered) -> Provider:
    return Provider(event.title, event.only_kind)


def _result(_command: RegisterProvider, _events: Sequence[ProviderRegistered], state: Provider) -> Any:
    return {"title": state.title, "only_kind": state.only_kind}


provider = Decider[RegisterProvider, Provider, ProviderRegistered](
    "provider", registry, Provider, decide, evolve, _result
)
