"""The gRPC door, by a real client over a socket."""

from collections.abc import AsyncIterator

import grpc
import pytest
from atelier.assessment.v1 import service_pb2, service_pb2_grpc
from atelier_common.grpc.kit import GrpcServer

TENANT = "district-1"


@pytest.fixture
async def stub(district, fractions) -> AsyncIterator[service_pb2_grpc.AssessmentServiceStub]:
    await district.list_framework(fractions)
    await district.enrol("learner-1")
    server = GrpcServer([district.assessment.grpc], district.issuer.verifier(), drain_seconds=0.1)
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield service_pb2_grpc.AssessmentServiceStub(channel)
    await server.stop()


def metadata(district, subject: str, role: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {district.issuer.issue(TENANT, subject, [role], 5)}")]


def evidence(number: int, competency: str, **more: object) -> service_pb2.EvidenceCommand:
    fields = {
        "evidence_id": f"e{number}",
        "learner_sourced_id": "learner-1",
        "competencies": [competency],
        "kind": service_pb2.EVIDENCE_KIND_ITEM_ANSWER,
        "performed_at_ms": 1_789_000_000_000 + number,
        "score": 1.0,
        "circumstances": service_pb2.Circumstances(
            item_id=f"item-{number}", supervision=service_pb2.SUPERVISION_PROCTORED
        ),
        **more,
    }
    return service_pb2.EvidenceCommand(evidence=service_pb2.Evidence(**fields))  # type: ignore[arg-type]  # keyword bundle


async def test_evidence_goes_in_and_mastery_comes_out(stub, district, fractions):
    request = service_pb2.RecordEvidenceRequest(
        tenant=TENANT,
        commands=[
            evidence(1, fractions),
            evidence(1, fractions),
            evidence(2, "https://example.org/unknown"),
            evidence(3, fractions, score=2.0),
        ],
    )
    response = await stub.RecordEvidence(request, timeout=5, metadata=metadata(district, "reader-app", "partner"))
    assert [outcome.status for outcome in response.outcomes] == [
        service_pb2.EVIDENCE_STATUS_ACCEPTED,
        service_pb2.EVIDENCE_STATUS_REPEATED,
        service_pb2.EVIDENCE_STATUS_PARKED,
        service_pb2.EVIDENCE_STATUS_REFUSED,
    ]
    assert response.outcomes[2].code == "unknown-competency"
    accepted = response.outcomes[0]
    ask = service_pb2.BatchGetMasteryRequest(
        tenant=TENANT,
        learner_ids=[await district.learner("learner-1")],
        after_stream=accepted.stream,
        after_version=accepted.version,
    )
    found = await stub.BatchGetMastery(ask, timeout=5, metadata=metadata(district, "coach-1", "coach"))
    (mastery,) = found.masteries
    assert (mastery.competency_id, mastery.evidence_count) == (fractions, 1)
    assert mastery.estimate > 0.5


async def test_a_call_needs_a_deadline_a_role_and_its_own_tenant(stub, district):
    request = service_pb2.BatchGetMasteryRequest(tenant=TENANT)
    coach = metadata(district, "coach-1", "coach")
    for call, code in (
        (stub.BatchGetMastery(request, metadata=coach), grpc.StatusCode.INVALID_ARGUMENT),
        (stub.BatchGetMastery(request, timeout=5), grpc.StatusCode.UNAUTHENTICATED),
        (
            stub.BatchGetMastery(request, timeout=5, metadata=metadata(district, "a", "partner")),
            grpc.StatusCode.PERMISSION_DENIED,
        ),
        (
            stub.BatchGetMastery(service_pb2.BatchGetMasteryRequest(tenant="other"), timeout=5, metadata=coach),
            grpc.StatusCode.NOT_FOUND,
        ),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() == code
