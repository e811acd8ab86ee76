"""Reading facts and plans: the site's facts at this moment, and any plan of a week by its digest."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from atelier.pathing.v1 import events_pb2 as pathing
from atelier_common.errors import NotFound
from atelier_common.eventstore.port import EventStore
from atelier_common.projection import ReadModel

from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.changes import Changes
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.planning.delta import PlanDelta, apply
from atelier_scheduling.planning.facts import Competency, SiteFacts
from atelier_scheduling.projections.neighbours import adult_in, learner_in, paths_in, shown_in

_PLANS_KEPT = 6


@dataclass(frozen=True)
class Models:
    """The read models that planning reads."""

    learners: ReadModel
    adults: ReadModel
    paths: ReadModel
    competencies: ReadModel
    sites: ReadModel
    plans: ReadModel
    overrides: ReadModel
    obligations: ReadModel


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan with what it was made from: the first problem of its chain, as stored, and the changes since."""

    plan: Plan
    stored_problem: str
    changes: tuple[Changes, ...]


class Library:
    """Sites, facts and plans by name. Descriptions and plans are content-addressed, so what is remembered never goes stale."""

    def __init__(self, store: EventStore, models: Models) -> None:
        self._store = store
        self._models = models
        self._descriptions: dict[tuple[str, str], SiteDescription] = {}
        self._plans: OrderedDict[tuple[str, str], StoredPlan] = OrderedDict()

    async def site(self, tenant: str, site_id: str) -> SiteDescription:
        """The description that holds. Raises NotFound."""
        document = await self._models.sites.get(tenant, site_id)
        if document is None:
            raise NotFound(f"no site {site_id} is described here; import it with `atelier import site`")
        key = (tenant, str(document["digest"]))
        if key not in self._descriptions:
            part = await self._store.get_part(tenant, key[1])
            self._descriptions[key] = SiteDescription.model_validate_json(part)
        return self._descriptions[key]

    async def facts(self, tenant: str, description: SiteDescription, before: Plan | None, now_ms: int) -> SiteFacts:
        """Everything known of the site. ``before``: the plan whose home groups and studios go on."""
        site_id = description.site_id
        learners = {
            key: learner_in(document)
            for key, document in await self._models.learners.all(tenant, "site", site_id, site_id)
        }
        return SiteFacts(
            description=description,
            learners=learners,
            adults={
                key: adult_in(document)
                for key, document in (
                    await self._models.adults.get_many(tenant, [member.adult for member in description.staff])
                ).items()
            },
            paths={
                key: paths_in(document)
                for key, document in (await self._models.paths.get_many(tenant, list(learners))).items()
            },
            competencies=await self.competencies(tenant),
            overrides=await self.overrides(tenant, site_id, now_ms),
            home_groups=before.home_groups if before else (),
            studios=before.studios if before else (),
        )

    async def facts_of_learners(
        self, tenant: str, description: SiteDescription, learner_ids: Sequence[str]
    ) -> SiteFacts:
        """The facts of a few learners, enough for their needs."""
        found = await self._models.learners.get_many(tenant, learner_ids)
        known = await self._models.paths.get_many(tenant, learner_ids)
        paths = {key: paths_in(document) for key, document in known.items()}
        shown = {key: shown_in(document) for key, document in known.items()}
        wanted = {
            entry.competency_id
            for some in paths.values()
            for path in some
            for entry in path.frontier
            if entry.state != pathing.FRONTIER_STATE_DEFERRED
        }
        return SiteFacts(
            description=description,
            learners={key: learner_in(document) for key, document in found.items()},
            adults={},
            paths=paths,
            competencies=await self.competencies(tenant, sorted(wanted)),
            shown=shown,
        )

    async def competencies(self, tenant: str, ids: Sequence[str] | None = None) -> dict[str, Competency]:
        """Competencies by id; all of them where no ids are given."""
        if ids is None:
            documents = dict(await self._models.competencies.all(tenant))
        else:
            documents = await self._models.competencies.get_many(tenant, ids)
        return {
            key: Competency(key, document["statement"], document["subject"], tuple(document["essential"]))
            for key, document in documents.items()
        }

    async def overrides(self, tenant: str, site_id: str, now_ms: int) -> tuple[Override, ...]:
        """Overrides in force, by id."""
        found = []
        for _, document in await self._models.overrides.all(tenant, "site", site_id, site_id):
            expired = document["expires"] is not None and document["expires"] * 60_000 <= now_ms
            if document["standing"] not in ("withdrawn", "refused") and not expired:
                found.append(wire.read(Override, document["content"].encode()))
        return tuple(sorted(found, key=lambda one: one.id))

    async def plan(self, tenant: str, digest: str) -> StoredPlan:
        """The plan of this digest, whole. A chain of repairs is applied to the plan it began with. Raises NotFound."""
        deltas: list[tuple[str, PlanDelta]] = []
        at = digest
        while (tenant, at) not in self._plans:
            part = await self._store.get_part(tenant, at)
            if "base" not in orjson.loads(part):
                self._remember(tenant, at, StoredPlan(Plan.from_json(part), "", ()))
                break
            delta = PlanDelta.from_json(part)
            deltas.append((at, delta))
            at = delta.base
        stored = self._plans[(tenant, at)]
        for name, delta in reversed(deltas):
            changes = Changes(delta.changes)
            if delta.answers:
                changes = wire.read(Changes, await self._store.get_part(tenant, delta.answers))
            stored = StoredPlan(apply(stored.plan, delta), delta.stored_problem, (*stored.changes, changes))
            self._remember(tenant, name, stored)
        return stored

    def _remember(self, tenant: str, digest: str, stored: StoredPlan) -> None:
        self._plans[(tenant, digest)] = stored
        self._plans.move_to_end((tenant, digest))
        while len(self._plans) > _PLANS_KEPT:
            self._plans.popitem(last=False)
