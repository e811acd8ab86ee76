"""The keyring of profile as its neighbours reach it: by gRPC, in batches."""

from collections.abc import Callable, Collection, Mapping

import grpc
from atelier.profile.v1 import service_pb2, service_pb2_grpc
from atelier_common.grpc.status import neighbour_errors
from atelier_common.privacy.keysource import Key
from atelier_common.privacy.sealed import ERASED

KEY_SERVICE = "atelier.profile.v1.KeyService"
_AT_ONCE = 1_000


class RemoteKeyOwner:
    """The :class:`~atelier_common.privacy.keysource.KeyOwner` behind a channel of ``channel_of(tenant)``."""

    def __init__(self, channel_of: Callable[[str], grpc.aio.Channel]) -> None:
        self._channel_of = channel_of

    async def subject_keys(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Key]:
        stub = service_pb2_grpc.KeyServiceStub(self._channel_of(tenant))
        wanted, found = sorted(subjects), dict[str, Key]()
        for start in range(0, len(wanted), _AT_ONCE):
            request = service_pb2.GetSubjectKeysRequest(tenant=tenant, subject_ids=wanted[start : start + _AT_ONCE])
            with neighbour_errors():
                answer = await stub.GetSubjectKeys(request)
            for told in answer.keys:
                if told.state == service_pb2.KEY_STATE_ACTIVE:
                    found[told.subject_id] = told.key
                elif told.state == service_pb2.KEY_STATE_ERASED:
                    found[told.subject_id] = ERASED
        return found

    async def pseudonym_key(self, tenant: str) -> bytes:
        stub = service_pb2_grpc.KeyServiceStub(self._channel_of(tenant))
        with neighbour_errors():
            answer = await stub.GetTenantPseudonymKey(service_pb2.GetTenantPseudonymKeyRequest(tenant=tenant))
        return bytes(answer.key)
