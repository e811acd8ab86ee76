"""Many learners' supports in one request: checked all, then recorded all."""

from collections.abc import Sequence
from typing import Any

from atelier_common.commands import Accepted, Request
from atelier_common.errors import AtelierError, InvalidInput, NotFound
from atelier_common.http.kit import command_context
from atelier_common.security.tokens import Caller
from fastapi import Request as HttpRequest

from atelier_profile.api.bodies import LearnerSupportsBody, SupportsBatchBody, SupportsBody
from atelier_profile.api.supports import supports_command
from atelier_profile.domain.learner.decider import learner
from atelier_profile.domain.learner.state import Unknown
from atelier_profile.profile import Profile

_AT_ONCE = 200


async def record_supports_batch(
    profile: Profile, body: SupportsBatchBody, request: HttpRequest, caller: Caller
) -> dict[str, Any]:
    """How many learners' records changed, and where to read them from. Raises the first refusal with its place, nothing recorded."""
    requests: list[Request] = []
    unchanged = 0
    for place, one in enumerate(body.learners):
        learner_id = await _learner_id(profile, caller, one, place)
        state, _ = await profile.service.commands.load(learner, caller.tenant, learner_id)
        if isinstance(state, Unknown):
            raise NotFound(f"learners[{place}] is nobody in this roster", place=place)
        context = command_context(request, caller, profile.clock, place + 1)
        supports = SupportsBody.model_validate(one.model_dump(exclude={"learner_id", "sourced_id"}))
        command = await supports_command(profile.keyring, caller, learner_id, supports, context.now)
        try:
            events = learner.decide(command, state)
        except AtelierError as refusal:
            raise type(refusal)(
                f"learners[{place}]: {refusal.detail}", **{**refusal.extensions, "place": place}
            ) from refusal
        if events:
            requests.append(Request(learner, learner_id, command, context))
        else:
            unchanged += 1
    accepted = await _all_accepted(profile, requests)
    return {
        "changed": len(accepted),
        "unchanged": unchanged,
        "after": [f"{one.stream}@{one.version}" for one in accepted[-1:]],
    }


async def _all_accepted(profile: Profile, requests: Sequence[Request]) -> list[Accepted]:
    accepted: list[Accepted] = []
    for start in range(0, len(requests), _AT_ONCE):
        for outcome in await profile.service.commands.execute_many(requests[start : start + _AT_ONCE]):
            if isinstance(outcome, AtelierError):
                raise outcome
            accepted.append(outcome)
    return accepted


async def _learner_id(profile: Profile, caller: Caller, one: LearnerSupportsBody, place: int) -> str:
    if (one.learner_id is None) == (one.sourced_id is None):
        raise InvalidInput(
            f"learners[{place}] is named by learner_id or by sourced_id", place=place, field="learner_id"
        )
    return one.learner_id or await profile.keyring.pseudonym(caller.tenant, "learner", one.sourced_id or "")
