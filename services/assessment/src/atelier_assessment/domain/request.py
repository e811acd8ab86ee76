"""A request that came with an Idempotency-Key: the key stands for one body for ever. Stream ``request/<command id>``.

A batch of evidence touches many streams; this one commit is where the same key with another body is noticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from atelier_common.decider import Decider

from atelier_assessment.domain.registry import registry


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    digest: str
    now: int


@registry.event("RequestClaimed")
@dataclass(frozen=True, slots=True)
class RequestClaimed:
    digest: str


def _decide(command: ClaimRequest, claimed: str) -> Sequence[RequestClaimed]:
    return () if claimed else (RequestClaimed(command.digest),)


def _evolve(_claimed: str, event: RequestClaimed) -> str:
    return event.digest


claimed_request = Decider[ClaimRequest, str, RequestClaimed](
    "request", registry, str, _decide, _evolve, remembered=False
)
