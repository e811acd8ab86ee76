"""Profile over gRPC: fresh facts in batches, progress, and the keys that other services open sealed values with."""

from collections.abc import Sequence
from typing import Any

from atelier.profile.v1 import service_pb2, service_pb2_grpc
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.grpc.kit import GrpcService, current_caller
from atelier_common.http.kit import require
from atelier_common.privacy.keyring import Keyring
from atelier_common.privacy.sealed import Erased
from atelier_common.security.tokens import Caller

from atelier_profile.api.access import STAFF
from atelier_profile.contracts import learner_changed
from atelier_profile.domain.learner.decider import learner
from atelier_profile.domain.learner.state import public
from atelier_profile.profile import Profile
from atelier_profile.projections.learner_progress import progress_of

PROFILE_SERVICE = "atelier.profile.v1.ProfileService"
KEY_SERVICE = "atelier.profile.v1.KeyService"
MOST_AT_ONCE = 1_000


class ProfileServicer(service_pb2_grpc.ProfileServiceServicer):
    """Answers with what neighbours may know. A learner of another tenant is missing, like one that does not exist."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    async def BatchGetLearners(
        self, request: service_pb2.BatchGetLearnersRequest, _context: Any
    ) -> service_pb2.BatchGetLearnersResponse:
        caller = _caller(request.tenant)
        # The planner's whole view of a learner is for services and the district office; people read by their own circle.
        require(caller, "operator", "district-admin")
        answer = service_pb2.BatchGetLearnersResponse()
        for learner_id in _bounded(request.learner_ids, "learner_ids"):
            # Folded from the log itself, so an ``after`` of the learner's own stream is always met.
            state, _ = await self._profile.service.commands.load(learner, caller.tenant, learner_id)
            known = public(state)
            if known is None:
                answer.missing.append(learner_id)
            else:
                answer.learners.append(learner_changed(known))
        return answer

    async def GetProgress(
        self, request: service_pb2.GetProgressRequest, _context: Any
    ) -> service_pb2.GetProgressResponse:
        caller = _caller(request.tenant)
        document = await self._profile.access.learner(caller, request.learner_id, None, *STAFF, "operator")
        if request.after_stream:
            await self._profile.progress.caught_up(caller.tenant, request.after_stream, request.after_version)
        found = await progress_of(self._profile.progress, caller.tenant, request.learner_id)
        shown = [
            service_pb2.CompetencyProgress(
                competency_id=held["competency_id"],
                estimate=held["estimate"],
                uncertainty=held["uncertainty"],
                earned=held["earned"],
                earned_at_ms=held["earned_at"],
                evidence_count=held["evidence_count"],
            )
            for held in found
        ]
        plan = await self._profile.plans.get(caller.tenant, document["site"])
        return service_pb2.GetProgressResponse(
            learner_id=request.learner_id,
            competencies=shown,
            earned_count=sum(one.earned for one in shown),
            plan_id=plan["plan_id"] if plan else None,
            plan_week=plan["week"] if plan else None,
        )


class KeyServicer(service_pb2_grpc.KeyServiceServicer):
    """Hands keys to services of the same tenant, who call as operators. Nobody else may see one."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def GetSubjectKeys(
        self, request: service_pb2.GetSubjectKeysRequest, _context: Any
    ) -> service_pb2.GetSubjectKeysResponse:
        caller = _caller(request.tenant)
        require(caller, "operator")
        wanted = _bounded(request.subject_ids, "subject_ids")
        keys = await self._keyring.subject_keys(caller.tenant, wanted)
        answer = service_pb2.GetSubjectKeysResponse()
        for subject in wanted:
            key = keys.get(subject)
            if key is None:
                answer.keys.add(subject_id=subject, state=service_pb2.KEY_STATE_UNKNOWN)
            elif isinstance(key, Erased):
                answer.keys.add(subject_id=subject, state=service_pb2.KEY_STATE_ERASED)
            else:
                answer.keys.add(subject_id=subject, state=service_pb2.KEY_STATE_ACTIVE, key=key)
        return answer

    async def GetTenantPseudonymKey(
        self, request: service_pb2.GetTenantPseudonymKeyRequest, _context: Any
    ) -> service_pb2.GetTenantPseudonymKeyResponse:
        caller = _caller(request.tenant)
        require(caller, "operator")
        return service_pb2.GetTenantPseudonymKeyResponse(key=await self._keyring.pseudonym_key(caller.tenant))


def grpc_services(profile: Profile) -> list[GrpcService]:
    """What the server of this service registers."""
    return [
        GrpcService(PROFILE_SERVICE, ProfileServicer(profile), service_pb2_grpc.add_ProfileServiceServicer_to_server),
        GrpcService(KEY_SERVICE, KeyServicer(profile.keyring), service_pb2_grpc.add_KeyServiceServicer_to_server),
    ]


def _caller(tenant: str) -> Caller:
    """The caller; a tenant that is not theirs does not exist."""
    caller = current_caller()
    if tenant not in ("", caller.tenant):
        raise NotFound("there is no such district")
    return caller


def _bounded(ids: Sequence[str], field: str) -> Sequence[str]:
    if len(ids) > MOST_AT_ONCE:
        raise InvalidInput(f"at most {MOST_AT_ONCE} in one call", field=field)
    return ids
