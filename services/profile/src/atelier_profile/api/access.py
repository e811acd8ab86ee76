"""Who may see and change what of a learner: by role, by relation, by site."""

from typing import Any

from atelier_common.errors import Forbidden, NotFound
from atelier_common.http.kit import After, require, require_learner
from atelier_common.privacy.sealed import SubjectErased
from atelier_common.projection import ReadModel
from atelier_common.security.tokens import Caller

from atelier_profile.domain.provenance import Visibility

DISTRICT = ("district-admin",)
SUPPORT_STAFF = ("district-admin", "principal", "counselor")
STAFF = (*SUPPORT_STAFF, "coach")

_FAMILY_SEES = frozenset({Visibility.FAMILY, Visibility.SUPPORT})
_COACH_SEES = frozenset({Visibility.FAMILY, Visibility.STAFF})
_SUPPORT_SEES = frozenset({Visibility.FAMILY, Visibility.STAFF, Visibility.SUPPORT, Visibility.RESTRICTED})


def circles(caller: Caller, family: bool) -> frozenset[Visibility]:
    """The visibilities open to a caller who may see the learner at all; ``family``: who is the learner or a guardian of this one."""
    seen = _FAMILY_SEES if family else frozenset()
    if caller.has("coach"):
        seen |= _COACH_SEES
    if caller.has("principal", "counselor"):
        seen |= _SUPPORT_SEES
    if caller.has("district-admin"):
        seen |= frozenset(Visibility)
    return seen


class Access:
    """Looks a learner up for a caller. Another tenant's learner, and one of a site where the caller does not work, is not found."""

    def __init__(self, learners: ReadModel, people: ReadModel) -> None:
        self._learners = learners
        self._people = people

    async def learner(self, caller: Caller, learner_id: str, after: After | None = None, *roles: str) -> dict[str, Any]:
        """The learner's document. ``roles`` are the staff that may (default: all staff), beside student and guardian.

        Raises NotFound, Forbidden, or SubjectErased for one who was erased.
        """
        require_learner(caller, learner_id, *(roles or STAFF))
        if after is not None:
            await self._learners.caught_up(caller.tenant, after.stream, after.version)
        document = await self._learners.get(caller.tenant, learner_id)
        if document is None:
            raise NotFound("no such learner")
        if document.get("erased"):
            raise SubjectErased(f"learner {learner_id} was erased", request_id=document["request_id"])
        works_here = caller.has(*(roles or STAFF)) and await self._at_own_site(caller, document)
        if not (works_here or await self.is_family(caller, document)):
            raise NotFound("no such learner")
        return document

    async def is_family(self, caller: Caller, document: dict[str, Any]) -> bool:
        """Whether the caller is this learner or a guardian of this one *now*: a token may be older than an order of custody.

        A guardian whom no roster names acts on the word of the token alone.
        """
        if document["learner_id"] not in caller.learners:
            return False
        if caller.has("student"):
            return True
        guardian = await self._people.get(caller.tenant, f"guardian/{caller.subject}")
        return caller.has("guardian") and (
            guardian is None or (guardian["active"] and caller.subject in document["entry"]["guardian_ids"])
        )

    async def site(self, caller: Caller, site_id: str | None) -> None:
        """Staff of other sites do not list the learners of this one; None stands for all sites. Raises Forbidden."""
        require(caller, *STAFF)
        sites = await self._sites(caller)
        if sites is not None and site_id not in sites:
            raise Forbidden("list the learners of a site where you work", sites=sorted(sites))

    async def _at_own_site(self, caller: Caller, document: dict[str, Any]) -> bool:
        sites = await self._sites(caller)
        return sites is None or not sites.isdisjoint(document["entry"]["site_ids"])

    async def _sites(self, caller: Caller) -> frozenset[str] | None:
        """Sites where the caller works; None: no bound. A subject that no roster names acts on the word of its token alone."""
        if caller.has(*DISTRICT):
            return None
        adult = await self._people.get(caller.tenant, f"adult/{caller.subject}")
        if adult is None:
            return None
        return frozenset(held["site_id"] for held in adult["entry"]["roles"]) if adult["active"] else frozenset()


def only_family(caller: Caller, learner_id: str) -> None:
    """What the learner says, the learner or a guardian says. Raises Forbidden or NotFound."""
    if caller.has("student", "guardian"):
        require_learner(caller, learner_id)
    else:
        raise Forbidden("only the learner or a guardian says this", roles=["student", "guardian"])
