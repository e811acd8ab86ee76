"""Every service answers over gRPC: by a real client, over a socket, with a deadline."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from atelier.assessment.v1 import service_pb2 as assessment
from atelier.assessment.v1 import service_pb2_grpc as assessment_grpc
from atelier.pathing.v1 import service_pb2 as pathing
from atelier.pathing.v1 import service_pb2_grpc as pathing_grpc
from atelier.profile.v1 import service_pb2 as profile
from atelier.profile.v1 import service_pb2_grpc as profile_grpc
from atelier.scheduling.v1 import service_pb2 as scheduling
from atelier.scheduling.v1 import service_pb2_grpc as scheduling_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.support import school
from tests.support.running import District

SERVICES = (
    "atelier.profile.v1.ProfileService",
    "atelier.assessment.v1.AssessmentService",
    "atelier.pathing.v1.PathingService",
    "atelier.scheduling.v1.SchedulingService",
)
SECONDS = 20.0


@pytest.fixture
async def channel(planned: District) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{planned.system.grpc_port}") as opened:
        yield opened


def bearer(district: District, *roles: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {district.token(*roles)}")]


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_is_healthy_and_describes_itself(channel: Any, planned: District, service: str) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(file_containing_symbol=service)])
    told = reflection.ServerReflectionInfo(asked, timeout=SECONDS, metadata=bearer(planned, "operator"))
    (described,) = [one async for one in told]
    assert described.file_descriptor_response.file_descriptor_proto


async def test_each_service_answers_a_read(channel: Any, planned: District) -> None:
    learner = planned.learner_ids()["Pupil Number12"]
    call: dict[str, Any] = {"timeout": SECONDS, "metadata": bearer(planned, "operator", "district-admin", "coach")}
    tenant = planned.tenant
    batch = profile.BatchGetLearnersRequest(tenant=tenant, learner_ids=[learner, "lrn_nobody"])
    learners = await profile_grpc.ProfileServiceStub(channel).BatchGetLearners(batch, **call)
    assert ([one.learner_id for one in learners.learners], list(learners.missing)) == ([learner], ["lrn_nobody"])
    wanted = assessment.BatchGetMasteryRequest(tenant=tenant, learner_ids=[learner])
    known = await assessment_grpc.AssessmentServiceStub(channel).BatchGetMastery(wanted, **call)
    assert {one.competency_id for one in known.masteries} == {school.competency("N1"), school.competency("W1")}
    frontier = pathing.GetFrontierRequest(tenant=tenant, learner_id=learner)
    ready = await pathing_grpc.PathingServiceStub(channel).GetFrontier(frontier, **call)
    assert {one.competency_id for one in ready.frontier} == {school.competency("N1"), school.competency("W1")}
    week = scheduling.GetTimetableRequest(
        tenant=tenant,
        site_id=school.SITE,
        week=school.WEEK,
        plan_id=planned.document()["proposed"]["plan_id"],
        learner_id=learner,
    )
    timetable = await scheduling_grpc.SchedulingServiceStub(channel).GetTimetable(week, **call)
    assert timetable.sessions


async def test_a_call_without_a_deadline_or_a_token_or_for_another_tenant_is_refused(
    channel: Any, planned: District
) -> None:
    stub = pathing_grpc.PathingServiceStub(channel)
    request = pathing.GetFrontierRequest(tenant=planned.tenant, learner_id=planned.learner_ids()["Pupil Number12"])
    stranger = planned.system.district("elsewhere")
    for metadata, timeout, code in (
        (bearer(planned, "coach"), None, grpc.StatusCode.INVALID_ARGUMENT),
        ([], SECONDS, grpc.StatusCode.UNAUTHENTICATED),
        (bearer(stranger, "coach"), SECONDS, grpc.StatusCode.NOT_FOUND),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetFrontier(request, timeout=timeout, metadata=metadata)
        assert refused.value.code() is code, refused.value.details()
