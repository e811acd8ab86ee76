"""The planner: facts to a proposed plan, events to a repaired one, questions to answers. Commands come out as data."""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

from atelier_common.commands import Commands
from atelier_common.commit import RecordedEvent
from atelier_common.errors import NotFound, RuleBroken, Unavailable
from atelier_common.eventstore.port import EventStore
from atelier_common.ids import derive_id
from atelier_common.privacy.keysource import KeySource

from atelier_scheduling.domain.plan import PLAN, Cut, PlanProposed, ProposePlan, RefusePlan, plan_key
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.changes import Change, Changes, LearnerChanged, needing
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.questions import Explanation, Question
from atelier_scheduling.planning import solving
from atelier_scheduling.planning.asked import LastAsked
from atelier_scheduling.planning.assembling import assemble, with_birth_dates
from atelier_scheduling.planning.process import SolverProcess
from atelier_scheduling.planning.reading import Library, Models

BIRTH_DATE = "birth_date"
_HELD_SECONDS = 60.0
"""A repair is begun on a plan that was the latest one so long ago at most; before it is proposed it must still be."""


class Planner:
    """Plans and repairs weeks of sites. Parts are stored before the command that names them is returned."""

    def __init__(
        self,
        store: EventStore,
        commands: Commands,
        library: Library,
        models: Models,
        keys: KeySource,
        process: SolverProcess,
    ) -> None:
        self._store = store
        self._commands = commands
        self._library = library
        self._models = models
        self._keys = keys
        self._process = process
        self._asked = LastAsked()

    async def propose(
        self, tenant: str, site_id: str, week: str, reason: str, causes: Sequence[str], now: int
    ) -> ProposePlan | RefusePlan:
        """Plan a week. The previous plan of the week, or else of the week before, is what stability keeps to."""
        description = await self._library.site(tenant, site_id)
        before = await self._before(tenant, site_id, week)
        facts = await self._library.facts(tenant, description, before, now)
        problem = assemble(facts, week, now)
        stored = await self._store.put_part(tenant, problem.to_json())
        opened = await self._opened(tenant, problem)
        outcome = await self._process.run(
            solving.solve,
            opened.to_json(),
            stored,
            before.to_json() if before is not None and before.week == week else None,
            description.effort,
            description.seed,
        )
        if outcome.diagnosis:
            return RefusePlan(stored, outcome.diagnosis, reason, now)
        return await self._proposal(tenant, site_id, week, outcome, stored, b"", reason, causes, description, now)

    async def repair(
        self,
        tenant: str,
        site_id: str,
        week: str,
        changes: Sequence[Change],
        reason: str,
        causes: Sequence[tuple[str, str]],
        now: int,
    ) -> ProposePlan | RefusePlan | None:
        """The week's latest plan after these changes; None where nobody is moved and nothing else changes.

        ``causes``: ids of events, each with the learner whose needs it may have changed, or else "". What changed nobody's
        needs is no cause of the plan.
        """
        key = plan_key(site_id, week)
        description = await self._library.site(tenant, site_id)
        latest, anew, outcome = await self._mend_latest(tenant, site_id, week, changes, description)
        if outcome is None:
            return None
        if outcome.diagnosis:
            return RefusePlan(latest.problem_digest, outcome.diagnosis, reason, now)
        known = None if outcome.changed else outcome.passed_over
        self._asked.note(tenant, key, latest.plan_digest, outcome.digest, anew, known)
        if not outcome.changed:
            return None
        passed_over = needing(changes) - needing(anew) | outcome.passed_over
        led = [cause for cause, learner in causes if learner not in passed_over]
        return await self._proposal(
            tenant, site_id, week, outcome, latest.problem_digest, outcome.answered, reason, led, description, now
        )

    async def trial(self, tenant: str, site_id: str, week: str, changes: Sequence[Change]) -> solving.Outcome:
        """What a repair would do; nothing is stored."""
        latest = await self.latest(tenant, site_id, week)
        description = await self._library.site(tenant, site_id)
        return await self._mend(tenant, latest.plan_digest, changes, description, trial=True)

    async def answer(self, tenant: str, digest: str, question: Question) -> Explanation:
        """Explain a plan."""
        said = await self._with_state(tenant, digest, solving.answer, digest, wire.write(question))
        return wire.read(Explanation, said)

    async def examine(self, tenant: str, site_id: str, week: str, now: int) -> tuple[bool, tuple[str, ...]]:
        """Whether a week can be supervised at all; then what stands in the way and what would help, at what price."""
        description = await self._library.site(tenant, site_id)
        facts = await self._library.facts(tenant, description, None, now)
        opened = await self._opened(tenant, assemble(facts, week, now))
        return await self._process.run(solving.examine, opened.to_json())

    async def judge(self, tenant: str, digest: str) -> tuple[str, ...]:
        """What the oracle finds wrong with a stored plan."""
        findings: tuple[str, ...] = await self._with_state(tenant, digest, solving.judge, digest)
        return findings

    async def must_be_safe(self, tenant: str, key: str) -> None:
        """Let the oracle judge the whole plan that waits. Raises RuleBroken with what it finds; a repair was judged by its days."""
        state, _ = await self._commands.load(PLAN, tenant, key)
        if state.proposed is None or not state.proposed.safe:
            return  # the decision itself refuses these
        findings = await self.judge(tenant, state.proposed.plan_digest)
        if findings:
            raise RuleBroken(
                f"plan {state.proposed.plan_id} breaks a safety rule and is not published: {findings[0]}",
                violations=list(findings[:20]),
            )

    async def latest(self, tenant: str, site_id: str, week: str, *, within: float = 0.0) -> PlanProposed:
        """The latest plan of a week, as it was proposed: the one that waits, or else the one that holds. Raises NotFound.

        ``within``: what other processes planned in the last so many seconds may be missing.
        """
        # Another process may have planned since this one did: on what it held it would find nothing to change, or the wrong thing.
        state, _ = await self._commands.load(PLAN, tenant, plan_key(site_id, week), within=within)
        found: PlanProposed | None = state.proposed or state.held
        if found is None:
            raise NotFound(f"there is no plan of {site_id} for {week} yet; make one with `atelier plan`")
        return found

    async def is_planned(self, tenant: str, site_id: str, week: str) -> bool:
        """Whether there is a plan of a week, by the log."""
        state, _ = await self._commands.load(PLAN, tenant, plan_key(site_id, week))
        return state.proposed is not None or state.held is not None

    async def position_of(self, event: RecordedEvent) -> int:
        """Where an event of the log stands in it. Raises Unavailable before it has a place."""
        position = await self._store.position_of(event.tenant, event.stream, event.version)
        if position is None:
            raise Unavailable(f"{event.stream} has not its place in the log yet")
        return position

    async def _before(self, tenant: str, site_id: str, week: str) -> Plan | None:
        documents = [document for _, document in await self._models.plans.all(tenant, "site", site_id, site_id)]
        for document in sorted(documents, key=lambda one: str(one["week"]), reverse=True):
            held = document["proposed"] or document["published"]
            if document["week"] <= week and held:
                return (await self._library.plan(tenant, held["plan_digest"])).plan
        return None

    async def _mend_latest(
        self, tenant: str, site_id: str, week: str, changes: Sequence[Change], description: Any
    ) -> tuple[PlanProposed, list[Change], solving.Outcome | None]:
        """The week's latest plan, which of the changes it does not know yet, and what these make of it: None where there are none."""
        held = await self.latest(tenant, site_id, week, within=_HELD_SECONDS)
        while True:
            anew = self._asked.anew(tenant, plan_key(site_id, week), held.plan_digest, changes)
            # Most likely nobody else has planned this week since: that is asked while it is mended.
            mending = asyncio.create_task(self._mend_any(tenant, held.plan_digest, anew, description))
            try:
                latest = await self.latest(tenant, site_id, week)
                if latest.plan_digest == held.plan_digest:
                    return latest, anew, await mending
            finally:
                mending.cancel()
                await asyncio.gather(mending, return_exceptions=True)
            held = latest

    async def _mend_any(
        self, tenant: str, digest: str, changes: Sequence[Change], description: Any
    ) -> solving.Outcome | None:
        return await self._mend(tenant, digest, changes, description) if changes else None

    async def _mend(
        self, tenant: str, digest: str, changes: Sequence[Change], description: Any, *, trial: bool = False
    ) -> solving.Outcome:
        stored = wire.write(Changes(tuple(changes)))
        plain = tuple([await self._opened_change(tenant, change) for change in changes])
        opened = stored if plain == tuple(changes) else wire.write(Changes(plain))
        outcome: solving.Outcome = await self._with_state(
            tenant, digest, solving.mend, digest, opened, stored, description.effort, description.seed, trial=trial
        )
        return outcome

    async def _with_state(self, tenant: str, digest: str, work: Any, *arguments: Any, **named: Any) -> Any:
        for _ in range(3):
            try:
                return await self._process.run(work, *arguments, **named)
            except solving.StateMissing:
                await self._load(tenant, digest)
        raise Unavailable("the solver's process lost its state three times")

    async def _load(self, tenant: str, digest: str) -> None:
        """Hand the process a plan it does not hold: the chain's first problem, the changes since, the plan."""
        stored = await self._library.plan(tenant, digest)
        problem_digest = stored.stored_problem or await self._problem_of(tenant, stored.plan, digest)
        problem = SiteProblem.from_json(await self._store.get_part(tenant, problem_digest))
        opened = await self._opened(tenant, problem)
        changes = [
            wire.write(Changes(tuple([await self._opened_change(tenant, one) for one in each.changes])))
            for each in stored.changes
        ]
        await self._process.run(
            solving.load, digest, opened.to_json(), problem_digest, tuple(changes), stored.plan.to_json()
        )

    async def _problem_of(self, tenant: str, plan: Plan, digest: str) -> str:
        key = plan_key(plan.site, plan.week)
        # The log first: another process may have proposed this plan a moment ago, and the read model not show it yet.
        state, _ = await self._commands.load(PLAN, tenant, key)
        for proposal in (state.proposed, state.held):
            if proposal is not None and proposal.plan_digest == digest:
                return str(proposal.problem_digest)
        document = await self._models.plans.get(tenant, key)
        for held in (document["proposed"], document["published"], *document["versions"]) if document else ():
            if held and held["plan_digest"] == digest:
                return str(held["problem_digest"])
        raise NotFound(f"the problem of plan {digest} is not known here")

    async def _opened(self, tenant: str, problem: SiteProblem) -> SiteProblem:
        sealed = [learner.birth_date for learner in problem.learners if learner.birth_date]
        opened = await self._keys.open_many(tenant, [(BIRTH_DATE, one) for one in sealed])
        return with_birth_dates(
            problem, {one: plain if isinstance(plain, str) else "" for one, plain in zip(sealed, opened, strict=True)}
        )

    async def _opened_change(self, tenant: str, change: Change) -> Change:
        if not isinstance(change, LearnerChanged) or not change.learner.birth_date:
            return change
        (plain,) = await self._keys.open_many(tenant, [(BIRTH_DATE, change.learner.birth_date)])
        birth_date = plain if isinstance(plain, str) else ""
        return dataclasses.replace(change, learner=dataclasses.replace(change.learner, birth_date=birth_date))

    async def _proposal(
        self,
        tenant: str,
        site_id: str,
        week: str,
        outcome: solving.Outcome,
        problem_digest: str,
        changes: bytes,
        reason: str,
        causes: Sequence[str],
        description: Any,
        now: int,
    ) -> ProposePlan:
        # Together, so that they become durable together.
        _, *digests = await asyncio.gather(
            *(self._store.put_part(tenant, part) for part in ((outcome.part, changes) if changes else (outcome.part,)))
        )
        changes_digest = digests[0] if digests else ""
        position = max(
            [await model.position(tenant) for model in (self._models.learners, self._models.adults, self._models.paths)]
        )
        return ProposePlan(
            plan_id=derive_id(tenant, outcome.digest, f"plan:{site_id}:{week}"),
            plan_digest=outcome.digest,
            base_digest=outcome.base,
            problem_digest=problem_digest,
            changes_digest=changes_digest,
            reason=reason,
            engine=outcome.engine,
            seed=description.seed,
            effort=description.effort,
            moves=outcome.moves,
            figures=outcome.figures,
            cut=(Cut("log", position),),
            causes=tuple(causes),
            safe=not outcome.violations,
            violations=outcome.violations[:50],
            now=now,
        )
