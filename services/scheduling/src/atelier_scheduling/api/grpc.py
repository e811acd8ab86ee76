"""The gRPC door of scheduling: it translates and delegates."""

from typing import Any

from atelier.scheduling.v1 import events_pb2, service_pb2, service_pb2_grpc
from atelier_common.clock import Clock
from atelier_common.commit import Context
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.grpc.kit import GrpcService, current_caller
from atelier_common.http.kit import require, require_learner
from atelier_common.security.tokens import Caller

from atelier_scheduling.api.roles import PLANNERS, STAFF
from atelier_scheduling.engine.plan import Plan, Presence
from atelier_scheduling.engine.questions import Asking
from atelier_scheduling.engine.sessions import Session
from atelier_scheduling.planning.desk import Desk

SERVICE = "atelier.scheduling.v1.SchedulingService"
_ASKING = {
    service_pb2.QUESTION_UNSPECIFIED: Asking.WHY,
    service_pb2.QUESTION_WHY: Asking.WHY,
    service_pb2.QUESTION_WHY_NOT: Asking.WHY_NOT,
    service_pb2.QUESTION_WHAT_WOULD_CHANGE: Asking.WHAT_WOULD_CHANGE,
}


class SchedulingServicer:
    """The servicer of :data:`SERVICE`."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def ProposePlan(  # the name is the contract's
        self, request: service_pb2.ProposePlanRequest, _context: Any
    ) -> service_pb2.ProposePlanResponse:
        caller = _caller_of(request.tenant)
        require(caller, *PLANNERS)
        if not request.command_id:
            raise InvalidInput("command_id makes a repeated call safe; it is needed", field="command_id")
        context = Context(caller.tenant, caller.subject, request.command_id, self._clock.now())
        accepted = await self._desk.propose(request.site_id, request.week, context)
        document = await self._desk.after(caller.tenant, accepted)
        refused = document["refused"]
        if refused:
            diagnoses = [
                service_pb2.Diagnosis(code=line.partition(": ")[0], sentence=line.partition(": ")[2])
                for line in refused["diagnosis"]
            ]
            return service_pb2.ProposePlanResponse(
                diagnoses=diagnoses, stream=accepted.stream, version=accepted.version
            )
        held = document["proposed"] or document["published"]
        figures = {
            name: value
            for name, value in held["figures"].items()
            if name in events_pb2.PlanFigures.DESCRIPTOR.fields_by_name
        }
        return service_pb2.ProposePlanResponse(
            plan_id=held["plan_id"],
            plan_digest=held["plan_digest"],
            figures=events_pb2.PlanFigures(**figures),
            moved_learners=[events_pb2.MovedLearner(**move) for move in held["moves"]],
            stream=accepted.stream,
            version=accepted.version,
        )

    async def GetTimetable(  # the name is the contract's
        self, request: service_pb2.GetTimetableRequest, _context: Any
    ) -> service_pb2.GetTimetableResponse:
        caller = _caller_of(request.tenant)
        whose = request.WhichOneof("of")
        if whose == "learner_id":
            require_learner(caller, request.learner_id, *STAFF)
        else:
            require(caller, *STAFF)
        held, view = await self._desk.view(caller.tenant, request.site_id, request.week)
        if held["state"] != "published" and not caller.has(*STAFF):
            raise NotFound(f"no timetable of {request.site_id} is published for {request.week}")
        wanted = getattr(request, whose) if whose else ""
        sessions = [
            _session(view.plan, session, request.learner_id if whose == "learner_id" else "", view.title(session))
            for session in view.plan.sessions
            if _is_of(view.plan, session, whose, wanted)
        ]
        return service_pb2.GetTimetableResponse(
            plan_id=held["plan_id"],
            plan_digest=held["plan_digest"],
            published=held["state"] == "published",
            sessions=sessions,
        )

    async def Explain(  # the name is the contract's
        self, request: service_pb2.ExplainRequest, _context: Any
    ) -> service_pb2.ExplainResponse:
        caller = _caller_of(request.tenant)
        require_learner(caller, request.learner_id, *STAFF)
        _, view = await self._desk.view(caller.tenant, request.site_id, request.week)
        session = next((one for one in view.plan.sessions if one.id == request.session_id), None)
        if session is None:
            raise NotFound("no such session in this plan")
        said = await self._desk.explain(
            caller.tenant,
            request.learner_id,
            request.week,
            _ASKING.get(request.question, Asking.WHY),
            session.interval.start,
            {"session": session.id},
            proposed=False,
        )
        reasons = [*said["reasons"], *said["would_change"]]
        return service_pb2.ExplainResponse(
            reasons=[service_pb2.Reason(code=one["code"], sentence=one["sentence"]) for one in reasons]
        )


def grpc_service(desk: Desk, clock: Clock) -> GrpcService:
    """Scheduling's gRPC service, to be served."""
    add = service_pb2_grpc.add_SchedulingServiceServicer_to_server
    return GrpcService(SERVICE, SchedulingServicer(desk, clock), add)


def _caller_of(tenant: str) -> Caller:
    """The caller; another tenant's things are not found."""
    caller = current_caller()
    if tenant not in ("", caller.tenant):
        raise NotFound("no such tenant")
    return caller


def _is_of(plan: Plan, session: Session, whose: str | None, wanted: str) -> bool:
    match whose:
        case "learner_id":
            return any(one.learner == wanted and one.session == session.id for one in plan.attendances)
        case "adult_id":
            return any(staff.adult == wanted for staff in session.staff)
        case "zone_id":
            return session.zone == wanted or any(station.zone == wanted for station in session.stations)
        case _:
            return True


def _session(plan: Plan, session: Session, only: str, title: str) -> service_pb2.Session:
    attending = [one for one in plan.attendances if one.session == session.id and only in ("", one.learner)]
    return service_pb2.Session(
        session_id=session.id,
        kind=session.kind,
        focus=session.focus.id if session.focus else "",
        subject=session.focus.subject if session.focus else "",
        label=title,
        starts_at_ms=session.interval.start * 60_000,
        ends_at_ms=session.interval.end * 60_000,
        zone_id=session.zone,
        adults=[service_pb2.SessionAdult(adult_id=one.adult, role=str(one.role)) for one in session.staff],
        attendance=[
            service_pb2.SessionAttendance(
                learner_id=one.learner,
                minutes=one.interval.minutes,
                reason_code="arranged" if one.because.restricted else one.because.code,
                absent=one.presence is Presence.MEMBER,
            )
            for one in attending
        ],
        inside_session_id=session.parent or None,
        studio_id=session.studio or None,
        section_id=session.official.section or None,
        course_code=session.official.course or None,
        teacher_of_record_id=session.official.teacher_of_record or None,
    )
