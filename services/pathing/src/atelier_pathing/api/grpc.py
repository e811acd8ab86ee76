"""Paths over gRPC, for neighbours and apps that need a fresh answer or many at once."""

from typing import Any

from atelier.pathing.v1 import events_pb2, service_pb2, service_pb2_grpc
from atelier_common.clock import Clock
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.grpc.kit import GrpcService, current_caller
from atelier_common.http.kit import require_learner
from atelier_common.projection import ReadModel
from atelier_common.security.tokens import Caller

from atelier_pathing.api.showing import ADULT_ROLES, is_adult, sentences
from atelier_pathing.domain.path_events import FrontierStep
from atelier_pathing.domain.path_state import standing_on
from atelier_pathing.engine.frontier import Step, met_by
from atelier_pathing.engine.standing import GATE_MET
from atelier_pathing.publish import GATES, STATES, path_revised, write_step
from atelier_pathing.reading import OpenedPath, Paths

SERVICE = "atelier.pathing.v1.PathingService"
MOST_PATHS = 1_000
READERS = (*ADULT_ROLES, "operator")


class PathingServicer(service_pb2_grpc.PathingServiceServicer):
    """Answers from the log itself. A learner of another tenant is not found."""

    def __init__(self, paths: Paths, model: ReadModel, clock: Clock) -> None:
        self._paths = paths
        self._model = model
        self._clock = clock

    async def GetFrontier(
        self, request: service_pb2.GetFrontierRequest, _context: Any
    ) -> service_pb2.GetFrontierResponse:
        caller = _caller(request.tenant)
        require_learner(caller, request.learner_id, *READERS)
        await self._wait(caller, request.after_stream, request.after_version)
        path = await self._paths.open(caller.tenant, request.learner_id, request.framework_id)
        response = service_pb2.GetFrontierResponse(revision=path.state.revision)
        for step in path.ready(self._clock.now()):
            if request.subject in ("", step.subject):
                write_step(_told(path, step), step.rank, response.frontier.add())
        return response

    async def BatchGetPaths(
        self, request: service_pb2.BatchGetPathsRequest, _context: Any
    ) -> service_pb2.BatchGetPathsResponse:
        caller = _caller(request.tenant)
        if len(request.learner_ids) > MOST_PATHS:
            raise InvalidInput(f"At most {MOST_PATHS} learners in one call.", field="learner_ids")
        for learner_id in request.learner_ids:
            require_learner(caller, learner_id, *READERS)
        await self._wait(caller, request.after_stream, request.after_version)
        taught = await self._paths.taught(caller.tenant, request.framework_id)
        response = service_pb2.BatchGetPathsResponse()
        for learner_id in request.learner_ids:
            published = await self._paths.published(caller.tenant, learner_id, taught)
            if published is None:
                response.missing.append(learner_id)
            else:
                response.paths.append(path_revised(published))
        return response

    async def ExplainReadiness(
        self, request: service_pb2.ExplainReadinessRequest, _context: Any
    ) -> service_pb2.ExplainReadinessResponse:
        caller = _caller(request.tenant)
        require_learner(caller, request.learner_id, *READERS)
        path = await self._paths.open(caller.tenant, request.learner_id, request.framework_id)
        graph = path.taught.graph
        node = graph.place.get(request.competency_id.lower())
        if node is None:
            raise NotFound("This competency is not in the learner's framework.")
        flags = standing_on(path.state, graph).flags
        now = self._clock.now()
        competency_id = graph.nodes[node].competency_id
        state = next((step.state for step in path.ready(now) if step.competency_id == competency_id), None)
        named = path.taught.competencies
        return service_pb2.ExplainReadinessResponse(
            ready=path.is_ready(competency_id),
            state=STATES[state] if state else events_pb2.FRONTIER_STATE_UNSPECIFIED,
            met=[
                events_pb2.GateMet(
                    competency_id=graph.nodes[need].competency_id,
                    reason=GATES[how],
                    waived_by=path.state.waived_by.get(graph.nodes[need].competency_id)
                    if how == "waiver" and is_adult(caller)
                    else None,
                )
                for need in graph.needs[node]
                if (how := met_by(flags[need])) is not None
            ],
            missing_competency_ids=[
                graph.nodes[need].competency_id for need in graph.needs[node] if not flags[need] & GATE_MET
            ],
            sentence=" ".join(sentences(path.why(competency_id, now), named, is_adult(caller))),
        )

    async def _wait(self, caller: Caller, stream: str, version: int) -> None:
        if stream:
            await self._model.caught_up(caller.tenant, stream, version)


def grpc_services(paths: Paths, model: ReadModel, clock: Clock) -> list[GrpcService]:
    """What the server of this service registers."""
    servicer = PathingServicer(paths, model, clock)
    return [GrpcService(SERVICE, servicer, service_pb2_grpc.add_PathingServiceServicer_to_server)]


def _caller(tenant: str) -> Caller:
    """The caller; a tenant that is not theirs does not exist."""
    caller = current_caller()
    if tenant not in ("", caller.tenant):
        raise NotFound("There is no such district.")
    return caller


def _told(path: OpenedPath, step: Step) -> FrontierStep:
    known = path.state.estimates.get(step.competency_id)
    origin = path.state.first_by if step.competency_id in path.state.first else "engine"
    until = path.state.deferred.get(step.competency_id) if step.state == "deferred" else None
    if known is None:
        return FrontierStep(step.competency_id, step.subject, step.state, deferred_until=until, origin=origin)
    return FrontierStep(
        step.competency_id,
        step.subject,
        step.state,
        known.estimate,
        known.uncertainty,
        known.evidence_ids,
        until,
        origin,
        known.without_progress,
        known.failed_kind,
    )
