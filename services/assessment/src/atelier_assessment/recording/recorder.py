"""Records reports: people become pseudonyms, competencies are looked up, then one command each in one durable write."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson
from atelier_common.commands import Accepted, Commands, Request
from atelier_common.commit import Context
from atelier_common.errors import AtelierError, IdentityTaken
from atelier_common.ids import derive_id
from atelier_common.privacy.keysource import KeySource

from atelier_assessment.domain.attempt import RecordEvidence, StateVoiding, attempt
from atelier_assessment.domain.evidence import Circumstances, Evidence
from atelier_assessment.domain.provider import Provider, provider
from atelier_assessment.recording.known import Known
from atelier_assessment.recording.report import Person, Report

_REMEMBERED_PEOPLE = 200_000
_KNOWN_SECONDS = 1.0
"""How much later a registration of a provider may count in the other replicas: every report asks for it."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who reports. ``provider`` answers for the report; ``as_district``: the district itself speaks, for any provider."""

    provider: str
    as_district: bool
    via: str


class Recorder:
    """The way of every report into the log, whichever door it came through."""

    def __init__(self, commands: Commands, keys: KeySource, known: Known) -> None:
        self._commands = commands
        self._keys = keys
        self._known = known
        self._ids: dict[tuple[str, str, str], str] = {}

    @staticmethod
    def statement_key(tenant: str, statement_id: str) -> str:
        """The evidence id of an xAPI statement; statement ids are unique in a tenant whoever sends them."""
        return derive_id(tenant, statement_id, "statement")

    @staticmethod
    def evidence_key(tenant: str, provider_id: str, reference: str) -> str:
        """The evidence id of a native report; references are unique per provider."""
        return derive_id(tenant, f"{provider_id}\x1f{reference}", "evidence")

    async def record(
        self, context: Context, sender: Sender, reports: Sequence[Report]
    ) -> list[tuple[str, Accepted | AtelierError]]:
        """Each report's evidence id and outcome, in order."""
        requests = await self.requests(context, sender, reports)
        outcomes = await self._commands.execute_many(requests)
        return [(request.key, outcome) for request, outcome in zip(requests, outcomes, strict=True)]

    async def requests(self, context: Context, sender: Sender, reports: Sequence[Report]) -> list[Request]:
        """The command of each report. The same report always gives the same command id."""
        tenant = context.tenant
        only_kinds: dict[str, str] = {}
        learners = [await self._person(tenant, "learner", report.learner) for report in reports]
        resolutions = await self._known.resolve(
            tenant, [(learner, report.targets) for learner, report in zip(learners, reports, strict=True)]
        )
        requests = []
        for report, learner, resolution in zip(reports, learners, resolutions, strict=True):
            said = report.circumstances
            provider_id = (
                said.platform if sender.as_district and said is not None and said.platform else sender.provider
            )
            if provider_id not in only_kinds:
                only_kinds[provider_id] = await self._only_kind(tenant, provider_id)
            if report.rater is not None or report.group:
                said = await self._with_people(tenant, said or Circumstances(), report)
            evidence = Evidence(
                learner=learner,
                provider=provider_id,
                reference=report.reference,
                via=sender.via,
                kind=only_kinds[provider_id] or report.kind,
                verb=report.verb,
                item=report.item,
                performed_at=report.performed_at,
                outcome=report.outcome,
                targets=report.targets,
                digest=await self._digest(tenant, learner, report),
                attempt=report.attempt,
                registration=report.registration,
                purpose=report.purpose,
                circumstances=said,
            )
            key = (
                self.statement_key(tenant, report.reference)
                if sender.via == "xapi"
                else self.evidence_key(tenant, provider_id, report.reference)
            )
            command = RecordEvidence(evidence, resolution, context.now)
            requests.append(Request(attempt, key, command, _as_part(context, f"{key}:{evidence.digest}"), opening=True))
        return requests

    async def record_all(self, requests: Sequence[Request]) -> Sequence[Accepted]:
        """All of them or none. Raises what refuses one; of a batch IdentityTaken says the ``index``, and that nothing was stored."""
        accepted: list[Accepted] = []
        for index, outcome in enumerate(await self._commands.execute_together(requests)):
            if isinstance(outcome, IdentityTaken) and len(requests) > 1:
                reference = outcome.extensions["id"]
                raise IdentityTaken(
                    f"{reference} was accepted before with other content; nothing of this request was stored",
                    id=reference,
                    index=index,
                )
            if isinstance(outcome, AtelierError):
                raise outcome
            if outcome is not None:
                accepted.append(outcome)
        return accepted

    def voiding(self, context: Context, sender: Sender, reference: str, target: str, performed_at: int) -> Request:
        """The command that claims a voiding statement's identity."""
        digest = hashlib.sha256(f"voids {target}".encode()).hexdigest()[:32]
        key = self.statement_key(context.tenant, reference)
        command = StateVoiding(
            target=self.statement_key(context.tenant, target),
            target_reference=target,
            provider=sender.provider,
            as_district=sender.as_district,
            reference=reference,
            digest=digest,
            performed_at=performed_at,
            now=context.now,
        )
        return Request(attempt, key, command, _as_part(context, f"{key}:{digest}"))

    async def _person(self, tenant: str, kind: str, person: Person) -> str:
        if person.id:
            return person.id
        slot = (tenant, kind, person.sourced_id)
        known = self._ids.get(slot)
        if known is None:
            if len(self._ids) >= _REMEMBERED_PEOPLE:
                self._ids.clear()
            known = self._ids[slot] = await self._keys.pseudonym(tenant, kind, person.sourced_id)
        return known

    async def _with_people(self, tenant: str, said: Circumstances, report: Report) -> Circumstances:
        rater = await self._person(tenant, "adult", report.rater) if report.rater is not None else ""
        group = tuple([await self._person(tenant, "learner", other) for other in report.group])
        return replace(said, rater=rater, group=group)

    async def _only_kind(self, tenant: str, provider_id: str) -> str:
        registered, _ = await self._commands.load(provider, tenant, provider_id, within=_KNOWN_SECONDS)
        assert isinstance(registered, Provider)
        return registered.only_kind

    async def _digest(self, tenant: str, learner: str, report: Report) -> str:
        content = orjson.dumps((learner, report.content), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        digest = hashlib.sha256(content).hexdigest()[:32]
        if report.private:
            # Free text and names can be guessed and checked against a plain digest; against a keyed one they cannot.
            return await self._keys.pseudonym(tenant, "content", digest)
        return digest


def _as_part(context: Context, command_id: str) -> Context:
    return Context(
        context.tenant,
        context.actor,
        command_id,
        context.now,
        context.correlation_id,
        context.causation_ids,
        context.trace,
    )
