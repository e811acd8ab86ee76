"""Who makes a request, and what its role allows."""

from typing import Annotated

from fastapi import Depends, Request

from atelier_common.errors import Forbidden, NotFound, Unauthenticated
from atelier_common.security.tokens import Caller

RELATED_ROLES = frozenset({"student", "guardian"})
"""Roles that see no record but those their token is about."""


async def current_caller(request: Request) -> Caller:
    """The caller that the door verified. Raises Unauthenticated on a public path."""
    caller = request.scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        raise Unauthenticated("send a token: Authorization: Bearer …")
    return caller


CallerDep = Annotated[Caller, Depends(current_caller)]


def require(caller: Caller, *roles: str) -> None:
    """Raises :class:`Forbidden` unless the caller has one of ``roles``."""
    if not caller.has(*roles):
        raise Forbidden(f"this needs the role {' or '.join(roles)}", roles=list(roles))


def require_learner(caller: Caller, learner_id: str, *roles: str) -> None:
    """Let ``roles`` pass, and a student or guardian whose token is about this learner.

    Another learner is *not found* for a student or guardian, as is one that does not exist. Raises NotFound or
    Forbidden.
    """
    if caller.has(*roles) or (caller.has(*RELATED_ROLES) and learner_id in caller.learners):
        return
    if caller.has(*RELATED_ROLES):
        raise NotFound("no such learner")
    require(caller, *roles)
