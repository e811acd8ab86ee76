"""Evidence and mastery over gRPC: translated and handed on, nothing else."""

from collections.abc import Mapping
from typing import Any

from atelier.assessment.v1 import service_pb2, service_pb2_grpc
from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier_common.commands import Accepted
from atelier_common.commit import Context
from atelier_common.errors import AtelierError, InvalidInput, NotFound, TooLarge
from atelier_common.grpc.kit import GrpcService, current_caller
from atelier_common.http.kit import After, require
from atelier_common.ids import derive_id
from atelier_common.security.tokens import Caller
from atelier_common.telemetry import tracing

from atelier_assessment.api.mastery import show
from atelier_assessment.api.parts import REPORTERS, STAFF, Parts, sender_of
from atelier_assessment.domain.evidence import PURPOSES, SUPERVISION, Circumstances, Outcome
from atelier_assessment.domain.mastery import learner_and_competency, mastery_key
from atelier_assessment.engine.policy import ASSISTANCE
from atelier_assessment.recording.report import FUTURE_TOLERANCE_MS, Person, Report

SERVICE = "atelier.assessment.v1.AssessmentService"
LARGEST_BATCH = 500
LARGEST_READ = 1000
_KINDS = {
    service_pb2.EVIDENCE_KIND_UNSPECIFIED: "item",
    service_pb2.EVIDENCE_KIND_ITEM_ANSWER: "item",
    service_pb2.EVIDENCE_KIND_RUBRIC: "rubric",
    service_pb2.EVIDENCE_KIND_OBSERVATION: "observation",
    service_pb2.EVIDENCE_KIND_PORTFOLIO: "portfolio",
    service_pb2.EVIDENCE_KIND_PRESENTATION: "presentation",
    service_pb2.EVIDENCE_KIND_ADAPTIVE_TEST: "adaptive-item",
    service_pb2.EVIDENCE_KIND_EXTERNAL: "external",
    service_pb2.EVIDENCE_KIND_MACHINE_FEEDBACK: "ai-feedback",
    service_pb2.EVIDENCE_KIND_ACTIVITY: "activity",
}
_STATUSES = {
    "accepted": service_pb2.EVIDENCE_STATUS_ACCEPTED,
    "parked": service_pb2.EVIDENCE_STATUS_PARKED,
    "voided": service_pb2.EVIDENCE_STATUS_PARKED,
}


class AssessmentServicer:
    """The servicer of :data:`SERVICE`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def RecordEvidence(  # the name is the contract's
        self, request: service_pb2.RecordEvidenceRequest, _context: Any
    ) -> service_pb2.RecordEvidenceResponse:
        caller = _caller_of(request.tenant)
        require(caller, *REPORTERS)
        if len(request.commands) > LARGEST_BATCH:
            raise TooLarge(f"at most {LARGEST_BATCH} pieces of evidence in one call", max_pieces=LARGEST_BATCH)
        now = self._parts.clock.now()
        outcomes = [service_pb2.EvidenceOutcome()] * len(request.commands)
        reports: list[tuple[int, Report]] = []
        for place, command in enumerate(request.commands):
            try:
                reports.append((place, read_evidence(command.evidence, now)))
            except InvalidInput as error:
                outcomes[place] = _refused(command.evidence.evidence_id, error)
        root = derive_id(caller.tenant, caller.subject, "RecordEvidence", now)
        context = Context(caller.tenant, caller.subject, root, now, root, trace=tracing.current_traceparent())
        recorded = await self._parts.recorder.record(
            context, sender_of(caller, "api"), [report for _, report in reports]
        )
        for (place, report), (_, outcome) in zip(reports, recorded, strict=True):
            outcomes[place] = _outcome(report.reference, outcome)
        return service_pb2.RecordEvidenceResponse(outcomes=outcomes)

    async def BatchGetMastery(  # the name is the contract's
        self, request: service_pb2.BatchGetMasteryRequest, _context: Any
    ) -> service_pb2.BatchGetMasteryResponse:
        caller = _caller_of(request.tenant)
        require(caller, *STAFF)
        if len(request.learner_ids) > LARGEST_READ:
            raise TooLarge(f"at most {LARGEST_READ} learners in one call", max_learners=LARGEST_READ)
        if request.after_stream:
            await show(self._parts, caller.tenant, After(request.after_stream, request.after_version))
        found: dict[str, Mapping[str, Any]] = {}
        erased = {each for each in request.learner_ids if await self._parts.known.is_erased(caller.tenant, each)}
        learners = [each for each in request.learner_ids if each not in erased]
        if request.competency_ids:
            keys = [mastery_key(learner, name) for learner in learners for name in request.competency_ids]
            found.update(await self._parts.mastery.get_many(caller.tenant, keys))
        else:
            for learner in learners:
                low, high = mastery_key(learner, ""), mastery_key(learner, "\uffff")
                found.update(await self._parts.mastery.all(caller.tenant, low=low, high=high))
        return service_pb2.BatchGetMasteryResponse(masteries=[_mastery(key, found[key]) for key in sorted(found)])


def grpc_service(parts: Parts) -> GrpcService:
    add = service_pb2_grpc.add_AssessmentServiceServicer_to_server
    return GrpcService(SERVICE, AssessmentServicer(parts), add)


def _caller_of(tenant: str) -> Caller:
    caller = current_caller()
    if tenant != caller.tenant:
        raise NotFound("no such tenant")
    return caller


def read_evidence(evidence: service_pb2.Evidence, now: int) -> Report:
    """Raises InvalidInput naming the field."""
    said = evidence.circumstances
    named = evidence.WhichOneof("learner")
    if named is None or not getattr(evidence, named) or not evidence.evidence_id:
        raise InvalidInput("evidence has an id and a learner", field="evidence_id")
    if evidence.performed_at_ms <= 0:
        raise InvalidInput("performed_at_ms is when the learner did it", field="performed_at_ms")
    if evidence.performed_at_ms > now + FUTURE_TOLERANCE_MS:
        raise InvalidInput("performed_at_ms lies in the future", field="performed_at_ms")
    if evidence.kind not in _KINDS:
        raise InvalidInput("this kind of evidence is not known here", field="kind")
    if evidence.HasField("score") and not 0.0 <= evidence.score <= 1.0:
        raise InvalidInput("score lies between 0 and 1", field="score")
    level = evidence.level if evidence.HasField("level") else None
    levels = evidence.level_count if evidence.HasField("level_count") else None
    if (level is None) != (levels is None) or (level is not None and not 0 <= level < (levels or 0)):
        raise InvalidInput(
            "level is one of the rubric's levels, counted from 0, and comes with level_count", field="level"
        )
    circumstances = Circumstances(
        assistance=_code(("", *ASSISTANCE), said.assistance, "assistance"),
        supervision=_code(("", *SUPERVISION), said.supervision, "supervision"),
        language=said.language,
        accommodations=tuple(said.accommodations),
        modification="modified" if said.modified else "",
        item_version=said.item_version,
        form=said.form_id,
        form_version=said.form_version,
        stimulus=said.stimulus_id,
        location=said.location,
        activity=said.activity_kind,
        artefact=said.artefact_uri,
        platform=said.provider,
    )
    content = service_pb2.Evidence()
    content.CopyFrom(evidence)
    content.ClearField("learner_sourced_id")
    content.ClearField("learner_id")
    return Report(
        reference=evidence.evidence_id,
        learner=Person(sourced_id=evidence.learner_sourced_id, id=evidence.learner_id),
        kind=_KINDS[evidence.kind],
        verb=evidence.verb,
        item=said.item_id,
        performed_at=evidence.performed_at_ms,
        outcome=Outcome(
            scaled=evidence.score if evidence.HasField("score") else None,
            success=evidence.success if evidence.HasField("success") else None,
            level=level,
            levels=levels,
            duration_ms=evidence.duration_ms if evidence.HasField("duration_ms") else None,
        ),
        targets=tuple(dict.fromkeys(evidence.competencies)),
        content=content.SerializeToString(deterministic=True).hex(),
        private=True,
        attempt=said.attempt_id,
        registration=said.sitting_id,
        purpose=_code(("", *PURPOSES), evidence.purpose, "purpose"),
        circumstances=None if circumstances == Circumstances() else circumstances,
        rater=Person(id=said.rater_id) if said.rater_id else None,
        group=tuple(Person(id=member) for member in said.group_member_ids),
    )


def _code(names: tuple[str, ...], number: int, field: str) -> str:
    if not 0 <= number < len(names):
        raise InvalidInput(f"this {field} is not known here", field=field)
    return names[number]


def _refused(reference: str, error: AtelierError) -> service_pb2.EvidenceOutcome:
    return service_pb2.EvidenceOutcome(
        evidence_id=reference, status=service_pb2.EVIDENCE_STATUS_REFUSED, code=error.code, detail=error.detail
    )


def _outcome(reference: str, outcome: Accepted | AtelierError) -> service_pb2.EvidenceOutcome:
    if isinstance(outcome, AtelierError):
        return _refused(reference, outcome)
    repeated = outcome.repeated or not outcome.events
    return service_pb2.EvidenceOutcome(
        evidence_id=reference,
        status=service_pb2.EVIDENCE_STATUS_REPEATED if repeated else _STATUSES[outcome.result["status"]],
        code=", ".join(outcome.result["reasons"]),
        stream=outcome.stream,
        version=outcome.version,
    )


def _mastery(key: str, body: Mapping[str, Any]) -> MasteryChanged:
    learner, competency = learner_and_competency(key)
    return MasteryChanged(
        learner_id=learner,
        competency_id=competency,
        estimate=body["estimate"],
        uncertainty=body["uncertainty"],
        earned=body["earned"],
        earned_at_ms=body["earned_at_ms"],
        policy_version=str(body["policy_version"]),
        calibration_version=str(body["calibration_version"]),
        evidence_count=body["evidence_count"],
        performed_at_ms=body["performed_at_ms"],
        opportunities_without_progress=body["opportunities_without_progress"],
        last_activity_kind=body["last_activity_kind"],
        last_success=body["last_success"],
    )
