"""Bearer tokens: signed JWT access tokens (RFC 9068), verified offline, and a local issuer for one installation.

A token says who calls, in which tenant, in which roles, and for a student or guardian which learners are meant. Whether
a role may touch a record is decided where the record is, by the relations known at the time of the call.
"""

import json
import re
import time
import uuid
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet, OKPKey

from atelier_common.errors import Unauthenticated
from atelier_common.security.secret_file import load_or_create_secret

AUDIENCE = "atelier"
LOCAL_ISSUER = "atelier-local"
TOKEN_TYPE = "at+jwt"
ROLES = frozenset({"district-admin", "principal", "counselor", "coach", "student", "guardian", "partner", "operator"})
ALGORITHMS = ("EdDSA", "Ed25519")
"""Two names of one signature: RFC 8037's, which most libraries write, and RFC 9864's."""

_LEEWAY_SECONDS = 10
_MAX_TOKEN = 8_192
# A leading underscore is refused: such tenants are the kernel's own.
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call. ``learners``: the learner a student is, or those a guardian stands for."""

    tenant: str
    subject: str
    roles: frozenset[str]
    learners: frozenset[str] = frozenset()

    def has(self, *roles: str) -> bool:
        """True for any of these roles."""
        return not self.roles.isdisjoint(roles)


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    not_before: float
    expires: float


class TokenVerifier:
    """Verifies tokens against the public keys of their issuer, with no call to anyone.

    Thousands of calls a second come with the same token: a verified one is remembered until it expires (at most
    ``capacity`` of them). Times are the machine's, never the simulated clock's; ``leeway`` seconds of difference are
    forgiven.
    """

    def __init__(
        self,
        jwks: Mapping[str, Any],
        *,
        issuer: str = LOCAL_ISSUER,
        audience: str = AUDIENCE,
        algorithms: Sequence[str] = ALGORITHMS,
        leeway: int = _LEEWAY_SECONDS,
        capacity: int = 10_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._algorithms = list(algorithms)
        self._leeway = leeway
        self._capacity = capacity
        self._now = now
        self._verified: OrderedDict[str, _Verified] = OrderedDict()
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=leeway,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._keys = KeySet([])
        self.replace_keys(jwks)

    def replace_keys(self, jwks: Mapping[str, Any]) -> None:
        """Take over the issuer's present keys; tokens signed by a key that is gone are refused from now on."""
        self._keys = KeySet.import_key_set({"keys": list(jwks["keys"])})
        self._verified.clear()

    @property
    def remembered(self) -> int:
        """How many tokens are remembered at present."""
        return len(self._verified)

    def verify(self, token: str) -> Caller:
        """Raises :class:`Unauthenticated`, which says what is wrong but repeats nothing of the token."""
        now = self._now()
        known = self._verified.get(token)
        if known is None:
            known = self._check(token)
            self._verified[token] = known
            if len(self._verified) > self._capacity:
                self._verified.popitem(last=False)
        elif known.expires + self._leeway <= now or now < known.not_before - self._leeway:
            del self._verified[token]
            raise Unauthenticated("the token has expired or is not valid yet")
        else:
            self._verified.move_to_end(token)
        return known.caller

    def _check(self, token: str) -> _Verified:
        if len(token) > _MAX_TOKEN:
            raise Unauthenticated("the token is too long")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)
                decoded = jwt.decode(token, self._key_of, algorithms=self._algorithms)
            if str(decoded.header.get("typ", "")).lower().removeprefix("application/") != TOKEN_TYPE:
                raise Unauthenticated(f"the token is not an access token of type {TOKEN_TYPE}")
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthenticated(f"the token is not accepted: {type(error).__name__}") from error
        claims = decoded.claims
        return _Verified(_caller(claims), float(claims.get("nbf", 0)), float(claims["exp"]))

    def _key_of(self, token: Any) -> Any:
        identifier = token.headers().get("kid")
        for key in self._keys.keys:
            if isinstance(identifier, str) and key.kid == identifier:
                return key
        raise Unauthenticated("the token names no key of the issuer")


def _caller(claims: Mapping[str, Any]) -> Caller:
    tenant, subject = claims.get("tenant"), claims["sub"]
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise Unauthenticated("the token names no tenant")
    if not 1 <= len(subject) <= 200:
        raise Unauthenticated("the token's subject must have 1 to 200 characters")
    # Roles that another system knows and this one does not give nothing here.
    return Caller(tenant, subject, _strings(claims, "roles") & ROLES, _strings(claims, "learners"))


def _strings(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    value = claims.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unauthenticated(f"the token's {name} must be a list of strings")
    return frozenset(value)


class TokenIssuer:
    """The installation's own issuer: an Ed25519 key made at the first start, in a 0600 file of ``directory``."""

    def __init__(self, directory: Path, *, now: Callable[[], float] = time.time) -> None:
        stored = load_or_create_secret(directory / "token-key.json", _new_key)
        self._key = OKPKey.import_key(json.loads(stored))
        self._now = now

    def issue(
        self, tenant: str, subject: str, roles: Collection[str], minutes: float, learners: Iterable[str] = ()
    ) -> str:
        """A token for ``minutes`` from now. Raises ValueError on a role or tenant that no verifier would accept."""
        unknown = set(roles) - ROLES
        if unknown or not roles:
            raise ValueError(
                f"roles must be some of {', '.join(sorted(ROLES))}; not {', '.join(sorted(unknown)) or 'none'}"
            )
        if not _TENANT.fullmatch(tenant) or not 1 <= len(subject) <= 200:
            raise ValueError("tenant must be 1 to 64 letters, digits, '.', '_' or '-'; subject 1 to 200 characters")
        now = int(self._now())
        claims: dict[str, Any] = {
            "iss": LOCAL_ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + int(minutes * 60),
            "jti": str(uuid.uuid4()),
            "sub": subject,
            "client_id": "atelier",
            "tenant": tenant,
            "roles": sorted(roles),
        }
        if named := sorted(set(learners)):
            claims["learners"] = named
        header = {"alg": "EdDSA", "typ": TOKEN_TYPE, "kid": self._key.kid}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.encode(header, claims, self._key, algorithms=list(ALGORITHMS))

    def jwks(self) -> dict[str, Any]:
        """The public key as a JWK set: all that a verifier needs."""
        return {"keys": [self._key.as_dict(private=False)]}

    def verifier(self) -> TokenVerifier:
        return TokenVerifier(self.jwks(), now=self._now)


def _new_key() -> bytes:
    return json.dumps(OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=True)).encode()
