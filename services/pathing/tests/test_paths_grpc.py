"""Paths over gRPC, by a real client over a socket."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from atelier.pathing.v1 import events_pb2, service_pb2, service_pb2_grpc
from atelier_common.grpc.kit import GrpcServer, open_channel


@pytest.fixture
async def ask(school: Any) -> AsyncIterator[Callable[..., Any]]:
    """Makes stubs over a socket, one per caller."""
    server = GrpcServer(school.pathing.grpc, school.issuer.verifier())
    port = await server.start()
    channels: list[grpc.aio.Channel] = []

    def stub(*roles: str, **more: Any) -> Any:
        token = school.issuer.issue("district-1", "caller-1", roles, 5, **more)
        channels.append(open_channel(f"127.0.0.1:{port}", lambda: token))
        return service_pb2_grpc.PathingServiceStub(channels[-1])

    yield stub
    for channel in channels:
        await channel.close()
    await server.stop()


async def test_the_frontier_and_whole_paths_are_answered(school: Any, make: Any, named: Any, ask: Any) -> None:
    await school.adopt(make("abc", "a=>b"))
    sam, kim = await school.enrol("sam", "kim")
    await school.master(sam, "a")
    coach = ask("coach")
    frontier = await coach.GetFrontier(service_pb2.GetFrontierRequest(learner_id=sam))
    assert [(entry.competency_id, entry.rank) for entry in frontier.frontier] == [(named("b"), 1), (named("c"), 2)]
    paths = await coach.BatchGetPaths(service_pb2.BatchGetPathsRequest(learner_ids=[sam, kim, "lrn_nobody"]))
    assert [(path.learner_id, path.revision) for path in paths.paths] == [(sam, 2), (kim, 1)]
    assert list(paths.missing) == ["lrn_nobody"]
    assert paths.paths[0] == school.revisions(sam)[-1]


async def test_readiness_is_explained_gate_by_gate(school: Any, make: Any, named: Any, ask: Any) -> None:
    await school.adopt(make("abc", "a=>c", "b=>c"))
    (sam,) = await school.enrol("sam")
    await school.master(sam, "a")
    answer = await ask("coach").ExplainReadiness(
        service_pb2.ExplainReadinessRequest(learner_id=sam, competency_id=named("c"))
    )
    assert not answer.ready
    assert [(gate.competency_id, gate.reason) for gate in answer.met] == [(named("a"), events_pb2.GATE_REASON_EARNED)]
    assert list(answer.missing_competency_ids) == [named("b")]
    assert "“Can make b” has to come first." in answer.sentence


async def test_another_learners_path_is_not_found_and_a_partner_may_not_ask(school: Any, make: Any, ask: Any) -> None:
    await school.adopt(make("abc"))
    sam, kim = await school.enrol("sam", "kim")
    request = service_pb2.GetFrontierRequest(learner_id=kim)
    with pytest.raises(grpc.aio.AioRpcError) as not_found:
        await ask("student", learners=[sam]).GetFrontier(request)
    assert not_found.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.aio.AioRpcError) as forbidden:
        await ask("partner").GetFrontier(request)
    assert forbidden.value.code() == grpc.StatusCode.PERMISSION_DENIED
