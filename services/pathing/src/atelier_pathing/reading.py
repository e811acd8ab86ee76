"""What readers are told of one learner's path: read from the log itself, so it includes every accepted edit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from atelier_common.commands import Commands
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore

from atelier_pathing.curriculum import Curriculum, Taught
from atelier_pathing.domain.path import path_key
from atelier_pathing.domain.path_events import (
    CompetencyDeferred,
    CreditTransferred,
    DeferralEnded,
    GateWaived,
    OrderChosen,
    PathRevised,
    TestOutAsked,
    WaiverWithdrawn,
)
from atelier_pathing.domain.path_state import PathState, standing_on
from atelier_pathing.engine.frontier import Reason, Step, frontier, reasons

_EDITS = (OrderChosen, CompetencyDeferred, DeferralEnded, TestOutAsked, GateWaived, CreditTransferred, WaiverWithdrawn)


@dataclass(frozen=True)
class OpenedPath:
    """A learner's path at one version of the log, over the framework as it is now."""

    taught: Taught
    state: PathState
    version: int

    def ready(self, now: int) -> tuple[Step, ...]:
        """The whole ready set at ``now``."""
        return frontier(standing_on(self.state, self.taught.graph), self.state.wishes, now)

    def why(self, competency_id: str, now: int) -> list[Reason]:
        standing = standing_on(self.state, self.taught.graph)
        known = self.state.estimates.get(competency_id)
        return reasons(standing, competency_id, self.state.wishes, now, known)

    def is_ready(self, competency_id: str) -> bool:
        return standing_on(self.state, self.taught.graph).is_ready(self.taught.graph.place[competency_id])

    @property
    def earned_count(self) -> int:
        return standing_on(self.state, self.taught.graph).earned_count


@dataclass(frozen=True)
class Revision:
    """One revision with what people did in the same commit."""

    event: PathRevised
    edits: tuple[dict[str, Any], ...]
    version: int


class Paths:
    """Opens paths. Raises NotFound for a learner without one."""

    def __init__(self, commands: Commands, store: EventStore, curriculum: Curriculum, registry: EventRegistry) -> None:
        self._commands = commands
        self._store = store
        self.curriculum = curriculum
        self._registry = registry

    async def taught(self, tenant: str, framework_id: str) -> Taught:
        """The framework meant: the one named, or the only one that is followed. Raises NotFound, InvalidInput."""
        adopted = await self.curriculum.adopted(tenant)
        if not framework_id and len(adopted) > 1:
            raise InvalidInput(
                "Several frameworks are followed here; say which.",
                parameter="framework_id",
                choices=[one.framework.framework_id for one in adopted],
            )
        return await self.curriculum.following(tenant, framework_id)

    async def open(self, tenant: str, learner_id: str, framework_id: str = "") -> OpenedPath:
        taught = await self.taught(tenant, framework_id)
        key = path_key(learner_id, taught.framework.framework_id)
        state, version = await self._commands.load(taught.decider, tenant, key)
        if not version or state.forgotten:
            raise NotFound("No such learner has a path here.")
        return OpenedPath(taught, state, version)

    async def published(self, tenant: str, learner_id: str, taught: Taught) -> PathRevised | None:
        """The last revision of a path; None where there is no path."""
        state, _ = await self._commands.load(
            taught.decider, tenant, path_key(learner_id, taught.framework.framework_id)
        )
        assert isinstance(state, PathState)
        return state.published

    async def revisions(self, tenant: str, learner_id: str, framework_id: str) -> list[Revision]:
        """Every revision of the path, newest first."""
        found: list[Revision] = []
        for commit in await self._store.read_stream(tenant, f"path/{path_key(learner_id, framework_id)}"):
            events = [self._registry.decode(stored) for stored in commit.events]
            revised = next((event for event in events if isinstance(event, PathRevised)), None)
            if revised is not None:
                edits = tuple(self._told(event) for event in events if isinstance(event, _EDITS))
                found.append(Revision(revised, edits, commit.version))
        return found[::-1]

    def _told(self, event: Any) -> dict[str, Any]:
        kind = self._registry.name_of(type(event)).rpartition(".")[2]
        return {"kind": kind, **{key: value for key, value in asdict(event).items() if not key.startswith("author")}}


def counted(revisions: Sequence[Revision]) -> tuple[dict[str, int], dict[str, int]]:
    """How many revisions there are by tag, and by role of their author."""
    by_tag = {"approach": 0, "pace": 0, "student-voice": 0}
    by_role: dict[str, int] = {}
    for revision in revisions:
        by_tag[revision.event.tag] += 1
        by_role[revision.event.author_role] = by_role.get(revision.event.author_role, 0) + 1
    return by_tag, by_role
