"""Who uses the simulated school: everything they do comes from the seed, goes through HTTP, and is asked until it is answered."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from atelier_common.ids import derive_id

from tests.simulation.world import TENANT, World
from tests.support import school

LEARNERS = 7
CODES = ("N1", "N2", "N3", "W1", "W2")
ANSWERS = 4
SHIFT_SECONDS = 90.0
"""How long people come, in seconds of the loop: until after the cut-off."""
ZIP = {"content-type": "application/zip"}
XAPI = {"X-Experience-API-Version": "1.0.3", "content-type": "application/json"}


@dataclass
class People:
    """Everybody, and what they were told is done."""

    world: World
    acknowledged: list[tuple[str, str, int, str, float]] = field(default_factory=list)
    """(service, stream, version, command id, moment of the loop)."""
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Acknowledged statements by id."""
    answered: int = 0
    refused: list[str] = field(default_factory=list)
    erased: str = ""
    _tokens: dict[str, str] = field(default_factory=dict)
    _asked: int = 0

    def __post_init__(self) -> None:
        self.random = self.world.random
        self.pupils = school.pupils(LEARNERS)

    async def learner(self, number: int) -> str:
        """The Atelier id of a pupil."""
        return await self.world.keyring.pseudonym(TENANT, "learner", self.pupils[number].sourced_id)

    def _token(self, *roles: str) -> str:
        if roles[0] not in self._tokens:
            self._tokens[roles[0]] = self.world.issuer.issue(TENANT, f"the-{roles[0]}", roles, 24 * 60)
        return self._tokens[roles[0]]

    async def ask(
        self, service: str, roles: Sequence[str], method: str, path: str, *, key: str = "", **given: Any
    ) -> httpx.Response:
        """Ask one process after another until there is an answer that another try would not change."""
        self._asked += 1
        key = key or f"key-{self._asked}"
        headers = {
            "Authorization": f"Bearer {self._token(*roles)}",
            "Idempotency-Key": f'"{key}"',
            **given.pop("headers", {}),
        }
        while True:
            replica = await self.world.somebody(service)
            transport = httpx.ASGITransport(replica.app, raise_app_exceptions=False)
            answer = None
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{service}.example") as http:
                try:
                    async with asyncio.timeout(20):
                        answer = await http.request(method, f"/{service}{path}", headers=headers, **given)
                except TimeoutError:
                    pass
            if answer is not None and answer.status_code < 500:
                break
            await asyncio.sleep(self.random.uniform(0, 0.7))
        self.answered += 1
        if answer.is_success and method != "GET":
            self._remember(service, f"the-{roles[0]}", method, f"/{service}{path}", key, answer)
        elif not answer.is_success:
            self.refused.append(f"{method} /{service}{path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _remember(self, service: str, who: str, method: str, path: str, key: str, answer: httpx.Response) -> None:
        told = answer.json() if answer.content else None
        if isinstance(told, dict) and isinstance(told.get("stream"), str):
            command = derive_id(TENANT, f"{who}\x1f{method} {path.partition('?')[0]}", key)
            if path.partition("?")[0].endswith("/roster-imports"):
                command = derive_id(TENANT, command, "part", 1)  # what is answered is the acceptance, not the preview
            now = asyncio.get_running_loop().time()
            self.acknowledged.append((service, told["stream"], told["version"], command, now))

    async def open_the_school(self) -> None:
        """Framework, roster and site, in whatever order the weather lets them come through."""
        admin = ("district-admin",)
        package = {"content": school.case_package(), "headers": {"content-type": "application/json"}}
        description = school.site_description(school.studios(), self.pupils, publishing="automatic")
        answers = await asyncio.gather(
            self.ask("pathing", admin, "POST", "/v1/frameworks", **package),
            self._send_roster(self.pupils[:-1]),
            self.ask("scheduling", admin, "PUT", f"/v1/sites/{school.SITE}", json=description),
        )
        assert all(one.is_success for one in answers), [one.text for one in answers]

    async def _send_roster(self, pupils: Sequence[school.Pupil]) -> httpx.Response:
        """A roster; one that finds another being applied comes again a little later."""
        while True:
            answer = await self.ask(
                "profile", ("district-admin",), "POST", "/v1/roster-imports?confirm_deactivations=1",
                content=school.roster_zip(pupils), headers=ZIP,
            )  # fmt: skip
            if answer.status_code != 409:
                return answer
            await asyncio.sleep(self.random.uniform(0.5, 3.0))

    async def live(self) -> None:
        """Everybody does what they do, until the cut-off has come; then every answer is sent once more."""
        await asyncio.gather(
            self._answer_items(), self._keep_the_roster(), self._coach(), self._plan(), self._ask_to_be_forgotten()
        )

    def _answers(self) -> list[dict[str, Any]]:
        """Right more often than wrong, of every learner in every competency."""
        return [
            school.statement(
                pupil.sourced_id, code, number, correct=self.random.random() < 0.7,
                at=f"2026-10-01T{8 + CODES.index(code):02d}:{number:02d}:00Z",
            )
            for pupil in self.pupils for code in CODES for number in range(1, ANSWERS + 1)
        ]  # fmt: skip

    async def _answer_items(self) -> None:
        """Some answers come late, some twice, some twice at once."""
        answers = self._answers()
        late = {one["id"] for one in self.random.sample(answers, len(answers) // 5)}
        waiting = sorted(answers, key=lambda one: (one["id"] in late, self.random.random()))
        pause = SHIFT_SECONDS / (len(waiting) / 3)
        while waiting:
            some, waiting = waiting[: (taken := self.random.randint(1, 5))], waiting[taken:]
            copies = 2 if self.random.random() < 0.2 else 1
            await asyncio.gather(*(self._send(some) for _ in range(copies)))
            await asyncio.sleep(self.random.uniform(0, 2 * pause))
        self.random.shuffle(answers)
        for start in range(0, len(answers), 25):
            await self._send(answers[start : start + 25])

    async def _send(self, statements: Sequence[dict[str, Any]]) -> None:
        content = json.dumps(statements)
        answer = await self.ask("assessment", ("partner",), "POST", "/xapi/statements", content=content, headers=XAPI)
        assert answer.is_success, answer.text
        self.statements |= {one["id"]: one for one in statements}

    async def _keep_the_roster(self) -> None:
        """One learner comes when half the time is over, another leaves after that."""
        await asyncio.sleep(self.random.uniform(0.2, 0.6) * SHIFT_SECONDS)
        assert (await self._send_roster(self.pupils)).is_success
        await asyncio.sleep(self.random.uniform(0.1, 0.3) * SHIFT_SECONDS)
        answer = await self._send_roster([*self.pupils[:1], *self.pupils[2:]])
        assert answer.is_success, answer.text

    async def _coach(self) -> None:
        """Puts something off for somebody now and then, and places somebody elsewhere."""
        roles = ("coach",)
        for _ in range(5):
            await asyncio.sleep(self.random.uniform(0, 0.35) * SHIFT_SECONDS)
            learner = await self.learner(self.random.randrange(LEARNERS))
            body = {"competency_id": school.competency(self.random.choice(CODES)), "days": self.random.randint(1, 3)}
            await self.ask("pathing", roles, "POST", f"/v1/learners/{learner}/path/defer", json=body)
            await self._override(learner)

    async def _override(self, learner: str) -> None:
        path = f"/v1/sites/{school.SITE}/days/{school.MONDAY.isoformat()}?proposed=true"
        answer = await self.ask("scheduling", ("coach",), "GET", path)
        studios = [one for one in answer.json()["sessions"] if one["shared_gap"]] if answer.is_success else []
        if not studios:
            return
        target = self.random.choice(studios)
        body = {
            "action": "place", "reason": "to work with a friend", "learners": [learner], "week": school.WEEK,
            "starts_at_ms": target["starts_at_ms"], "ends_at_ms": target["ends_at_ms"], "zone": target["zone"],
            "focus": target["focus"], "subject": target["subject"],
        }  # fmt: skip
        await self.ask("scheduling", ("coach",), "POST", f"/v1/sites/{school.SITE}/overrides", json=body)

    async def _plan(self) -> None:
        """Has the week planned some times before the cut-off."""
        for _ in range(3):
            await asyncio.sleep(self.random.uniform(0.05, 0.3) * SHIFT_SECONDS)
            await self.propose()

    async def propose(self) -> httpx.Response:
        path = f"/v1/sites/{school.SITE}/plans?week={school.WEEK}"
        return await self.ask("scheduling", ("principal",), "POST", path)

    async def publish(self) -> httpx.Response:
        path = f"/v1/sites/{school.SITE}/plans/{school.WEEK}/publication"
        return await self.ask("scheduling", ("principal",), "POST", path, json={"acknowledge_owed": True})

    async def _ask_to_be_forgotten(self) -> None:
        await asyncio.sleep(self.random.uniform(0.3, 0.9) * SHIFT_SECONDS)
        learner = await self.learner(LEARNERS - 2)
        answer = await self.ask("profile", ("district-admin",), "POST", f"/v1/learners/{learner}/erasure")
        assert answer.is_success, answer.text
        self.erased = learner
