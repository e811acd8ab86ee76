"""Bearer tokens: what is accepted, what is refused, and what it costs."""

import base64
import json
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from atelier_common.errors import Unauthenticated
from atelier_common.security.tokens import AUDIENCE, LOCAL_ISSUER, Caller, TokenIssuer, TokenVerifier
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

NOON = 1_800_000_000.0


class Seconds:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def issuer(tmp_path: Path, seconds: Seconds) -> TokenIssuer:
    return TokenIssuer(tmp_path, now=seconds)


@pytest.fixture
def verifier(issuer: TokenIssuer) -> TokenVerifier:
    return issuer.verifier()


Forge = Callable[..., str]


@pytest.fixture
def forge(tmp_path: Path, issuer: TokenIssuer) -> Forge:
    """Makes a token signed by the issuer's true key, with any header and claims: what a careless issuer might send."""
    assert issuer.jwks()
    key = OKPKey.import_key(json.loads((tmp_path / "token-key.json").read_bytes()))

    def make(header: dict[str, Any] | None = None, without: tuple[str, ...] = (), **claims: Any) -> str:
        whole = {
            "iss": LOCAL_ISSUER,
            "aud": AUDIENCE,
            "exp": NOON + 60,
            "nbf": NOON,
            "sub": "adu_1",
            "tenant": "north",
            "roles": ["coach"],
            **claims,
        }
        kept = {name: value for name, value in whole.items() if name not in without}
        head = {"alg": "Ed25519", "typ": "at+jwt", "kid": key.kid, **(header or {})}
        return jws.serialize_compact(
            {name: value for name, value in head.items() if value is not None},
            json.dumps(kept),
            key,
            algorithms=["Ed25519"],
        )

    return make


def test_a_token_says_who_calls_in_which_tenant_and_roles(issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    token = issuer.issue("north", "adu_1", ["coach", "counselor"], 10)
    assert verifier.verify(token) == Caller("north", "adu_1", frozenset({"coach", "counselor"}))


def test_a_guardians_token_names_the_learners_it_is_about(issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    caller = verifier.verify(issuer.issue("north", "gdn_1", ["guardian"], 10, learners=["lrn_b", "lrn_a", "lrn_a"]))
    assert caller.learners == {"lrn_a", "lrn_b"}
    assert caller.has("guardian", "coach")
    assert not caller.has("coach")


def test_a_token_ends_when_its_minutes_are_over_give_or_take_the_leeway(
    issuer: TokenIssuer, verifier: TokenVerifier, seconds: Seconds
) -> None:
    token = issuer.issue("north", "adu_1", ["coach"], 10)
    verifier.verify(token)
    seconds.now = NOON + 609
    verifier.verify(token)
    seconds.now = NOON + 610
    with pytest.raises(Unauthenticated):
        verifier.verify(token)
    with pytest.raises(Unauthenticated):
        issuer.verifier().verify(token)


def test_a_token_is_refused_before_its_time_also_when_it_was_accepted_before(
    issuer: TokenIssuer, verifier: TokenVerifier, seconds: Seconds
) -> None:
    token = issuer.issue("north", "adu_1", ["coach"], 10)
    verifier.verify(token)
    seconds.now = NOON - 11
    for asked in (verifier, issuer.verifier()):
        with pytest.raises(Unauthenticated):
            asked.verify(token)


def test_a_token_of_another_installation_is_refused(verifier: TokenVerifier, tmp_path: Path, seconds: Seconds) -> None:
    stranger = TokenIssuer(tmp_path / "elsewhere", now=seconds)
    with pytest.raises(Unauthenticated):
        verifier.verify(stranger.issue("north", "adu_1", ["coach"], 10))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-product"},
        {"aud": ["one", "two"]},
        {"iss": "https://elsewhere.example"},
        {"exp": NOON - 11},
        {"exp": "tomorrow"},
        {"nbf": NOON + 60},
        {"tenant": ""},
        {"tenant": 7},
        {"tenant": "_system"},
        {"tenant": "north/south"},
        {"tenant": "north\n"},
        {"sub": ""},
        {"sub": "x" * 201},
        {"sub": 5},
        {"roles": "coach"},
        {"roles": [1]},
        {"learners": {"lrn_a": True}},
    ],
)
def test_a_signed_token_with_a_wrong_claim_is_refused(
    forge: Forge, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(forge(**claims))


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "sub", "tenant"])
def test_a_signed_token_that_lacks_a_claim_is_refused(forge: Forge, verifier: TokenVerifier, name: str) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(forge(without=(name,)))


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": None}, {"kid": None}, {"kid": "another"}])
def test_a_signed_token_of_another_type_or_key_is_refused(
    forge: Forge, verifier: TokenVerifier, header: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(forge(header))


def test_the_long_form_of_the_type_is_accepted_and_other_audiences_beside_ours(
    forge: Forge, verifier: TokenVerifier
) -> None:
    token = forge({"typ": "application/at+jwt"}, aud=["another-product", AUDIENCE])
    assert verifier.verify(token).subject == "adu_1"


def test_a_role_that_is_not_known_here_gives_nothing(forge: Forge, verifier: TokenVerifier) -> None:
    assert verifier.verify(forge(roles=["coach", "emperor"])).roles == {"coach"}


def test_an_unsigned_token_is_refused(forge: Forge, verifier: TokenVerifier) -> None:
    head = json.loads(_decoded(forge().split(".")[0]))
    _, claims, _ = forge().split(".")
    for algorithm in ("none", "None", ""):
        unsigned = f"{_encoded(json.dumps({**head, 'alg': algorithm}))}.{claims}."
        with pytest.raises(Unauthenticated):
            verifier.verify(unsigned)


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(
    issuer: TokenIssuer, verifier: TokenVerifier, forge: Forge
) -> None:
    [public] = issuer.jwks()["keys"]
    secret = OctKey.import_key(_decoded(public["x"]))
    confused = jws.serialize_compact(
        {"alg": "HS256", "typ": "at+jwt", "kid": public["kid"]}, _decoded(forge().split(".")[1]), secret
    )
    with pytest.raises(Unauthenticated):
        verifier.verify(confused)


def test_a_token_with_an_altered_claim_is_refused_also_after_the_true_one_was_accepted(
    forge: Forge, verifier: TokenVerifier
) -> None:
    verifier.verify(forge())
    head, claims, signature = forge().split(".")
    altered = _encoded(_decoded(claims).decode().replace('"north"', '"south"'))
    with pytest.raises(Unauthenticated):
        verifier.verify(f"{head}.{altered}.{signature}")


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "{}", "é" * 40, "a" * 9000, "e30.e30.e30"])
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(token)


def test_a_refusal_repeats_nothing_of_the_token(forge: Forge, verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(forge(sub="robin.sample@school.example", exp=NOON - 3600))
    assert "robin" not in str(caught.value)


def test_the_key_is_made_at_the_first_start_and_only_its_owner_may_read_it(
    tmp_path: Path, verifier: TokenVerifier, seconds: Seconds
) -> None:
    again = TokenIssuer(tmp_path, now=seconds)
    assert verifier.verify(again.issue("north", "adu_1", ["coach"], 10)).tenant == "north"
    assert stat.S_IMODE((tmp_path / "token-key.json").stat().st_mode) == 0o600


def test_the_published_key_set_holds_no_secret(issuer: TokenIssuer) -> None:
    [key] = issuer.jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid"}


def test_a_key_that_is_taken_back_ends_its_tokens_at_once(
    issuer: TokenIssuer, verifier: TokenVerifier, tmp_path: Path, seconds: Seconds
) -> None:
    successor = TokenIssuer(tmp_path / "successor", now=seconds)
    old, new = (one.issue("north", "adu_1", ["coach"], 10) for one in (issuer, successor))
    verifier.replace_keys({"keys": issuer.jwks()["keys"] + successor.jwks()["keys"]})
    assert verifier.verify(old) == verifier.verify(new)
    verifier.replace_keys(successor.jwks())
    assert verifier.verify(new).tenant == "north"
    with pytest.raises(Unauthenticated):
        verifier.verify(old)


@pytest.mark.parametrize(
    ("tenant", "subject", "roles"),
    [("north", "adu_1", ["emperor"]), ("north", "adu_1", []), ("_system", "x", ["coach"]), ("north", "", ["coach"])],
)
def test_a_token_that_no_verifier_would_accept_is_not_issued(
    issuer: TokenIssuer, tenant: str, subject: str, roles: list[str]
) -> None:
    with pytest.raises(ValueError, match="must be"):
        issuer.issue(tenant, subject, roles, 10)


def test_a_token_seen_before_is_verified_many_times_faster(issuer: TokenIssuer) -> None:
    tokens = [issuer.issue("north", f"adu_{n}", ["coach"], 10) for n in range(50)]
    verifier = issuer.verifier()

    def seconds_for_all() -> float:
        begun = time.perf_counter()
        for token in tokens:
            verifier.verify(token)
        return time.perf_counter() - begun

    first = seconds_for_all()
    assert min(seconds_for_all() for _ in range(5)) < first / 10


def test_no_more_tokens_are_remembered_than_there_is_room_for(issuer: TokenIssuer) -> None:
    verifier = TokenVerifier(issuer.jwks(), capacity=2, now=lambda: NOON)
    tokens = [issuer.issue("north", f"adu_{n}", ["coach"], 10) for n in range(5)]
    assert [verifier.verify(token).subject for token in tokens] == [f"adu_{n}" for n in range(5)]
    assert verifier.remembered == 2


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
