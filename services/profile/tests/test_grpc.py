"""The gRPC door, by a real client over a socket."""

from typing import Any

import grpc
import pytest
from atelier.profile.v1 import service_pb2, service_pb2_grpc
from atelier_common.errors import NotFound
from atelier_common.grpc.backfill import RemoteBackfill, backfill_service
from atelier_common.grpc.kit import GrpcServer, open_channel


@pytest.fixture
async def called(rig: Any, roster: Any) -> Any:
    """A school, and a way to open a channel to it in a role."""
    await rig.import_roster(roster.zip())
    log = backfill_service(rig.built.service.publisher.contracts, rig.built.service.store)
    server = GrpcServer([*rig.built.grpc, log], rig.issuer.verifier(), drain_seconds=0.1)
    port = await server.start()
    channels: list[grpc.aio.Channel] = []

    def channel(*roles: str, tenant: str = "fictional") -> grpc.aio.Channel:
        token = rig.issuer.issue(tenant, "a-service", roles, 60)
        channels.append(open_channel(f"127.0.0.1:{port}", lambda: token))
        return channels[-1]

    yield rig, channel
    for one in channels:
        await one.close(None)
    await server.stop()


async def test_neighbours_get_many_learners_in_one_call_and_hear_which_are_missing(called: Any) -> None:
    rig, channel = called
    ids = [await rig.learner_id(key) for key in ("s1", "s2", "nobody")]
    stub = service_pb2_grpc.ProfileServiceStub(channel("operator"))
    answer = await stub.BatchGetLearners(service_pb2.BatchGetLearnersRequest(tenant="fictional", learner_ids=ids))
    assert [one.learner_id for one in answer.learners] == ids[:2]
    assert list(answer.missing) == ids[2:]
    assert answer.learners[0].display_name.startswith("sealed:1:")


async def test_progress_of_a_learner_is_answered_and_another_tenant_is_not_found(called: Any) -> None:
    rig, channel = called
    request = service_pb2.GetProgressRequest(tenant="fictional", learner_id=await rig.learner_id("s1"))
    answer = await service_pb2_grpc.ProfileServiceStub(channel("coach")).GetProgress(request)
    assert (answer.learner_id, answer.earned_count) == (request.learner_id, 0)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service_pb2_grpc.ProfileServiceStub(channel("coach", tenant="elsewhere")).GetProgress(request)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_services_fetch_keys_and_hear_what_is_erased_or_unknown(called: Any) -> None:
    rig, channel = called
    first, second = await rig.learner_id("s1"), await rig.learner_id("s2")
    await rig.admin.post(f"/profile/v1/learners/{second}/erasure")
    stub = service_pb2_grpc.KeyServiceStub(channel("operator"))
    answer = await stub.GetSubjectKeys(
        service_pb2.GetSubjectKeysRequest(tenant="fictional", subject_ids=[first, second, "lrn_nobody"])
    )
    assert [one.state for one in answer.keys] == [
        service_pb2.KEY_STATE_ACTIVE,
        service_pb2.KEY_STATE_ERASED,
        service_pb2.KEY_STATE_UNKNOWN,
    ]
    assert [len(one.key) for one in answer.keys] == [32, 0, 0]
    pseudonym = await stub.GetTenantPseudonymKey(service_pb2.GetTenantPseudonymKeyRequest(tenant="fictional"))
    assert len(pseudonym.key) == 32


@pytest.mark.parametrize("role", ["district-admin", "coach", "student", "partner"])
async def test_keys_are_for_services_alone(called: Any, role: str) -> None:
    rig, channel = called
    request = service_pb2.GetSubjectKeysRequest(tenant="fictional", subject_ids=[await rig.learner_id("s1")])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service_pb2_grpc.KeyServiceStub(channel(role)).GetSubjectKeys(request)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_neighbour_that_missed_events_gets_them_exactly_as_they_were_published(called: Any) -> None:
    rig, channel = called
    await rig.quiet()
    backfill = RemoteBackfill(channel("operator"))
    stream = f"learner/{await rig.learner_id('s1')}"
    here = rig.profile.service.publisher.contracts
    assert await backfill.contract_events("fictional", stream, (0, 0)) == await here.contract_events(
        "fictional", stream
    )
    assert stream in await backfill.streams("fictional", ["profile.learner", "profile.adult"])
    assert sorted(await backfill.streams("fictional", [""])) == sorted(
        await here.streams("fictional", ["profile.learner", "profile.adult"])
    )
    assert await backfill.incarnation("fictional") == await here.incarnation("fictional")
    with pytest.raises(NotFound):
        await backfill.incarnation("elsewhere")
