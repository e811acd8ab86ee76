"""The plainly fictional sample district, brought into a running server, and made-up answers of its learners."""

import json
import random
import uuid
from datetime import UTC, date, datetime, time

from atelier_standalone.cli.importing import send_framework, send_roster, send_site
from atelier_standalone.client import Client
from atelier_standalone.sample.district import SampleDistrict, sample_district
from atelier_standalone.sample.framework import steps

NOW = int(datetime(2026, 9, 11, 20, 30, tzinfo=UTC).timestamp() * 1000)
"""The evening of the sample's last school day, milliseconds UTC: where the measured server's clock stands."""


async def bring_in(client: Client, *, sites: bool) -> SampleDistrict:
    """Framework, roster and supports; with ``sites`` the two sites as well."""
    sample = sample_district()
    await send_framework(client, sample.framework)
    await client.settle()
    await send_roster(client, sample.roster)
    await client.send("/profile/v1/supports", sample.supports, "application/json")
    if sites:
        for content in sample.sites.values():
            await send_site(client, content)
    await client.settle()
    return sample


def made_up_statements(sample: SampleDistrict, count: int, seed: int) -> list[bytes]:
    """xAPI statements, a JSON object each: any learner, any competency, more right than wrong. Same seed, same bytes."""
    draw = random.Random(f"statements:{seed}")
    learners = [learner.sourced_id for learner in sample.people.learners]
    competencies = [step.competency_id for step in steps().values()]
    day = datetime.combine(date(2026, 9, 10), time(13, 0), UTC).timestamp()
    return [
        _statement(draw, draw.choice(learners), draw.choice(competencies), day + place * 0.05) for place in range(count)
    ]


def _statement(draw: random.Random, learner: str, competency: str, at: float) -> bytes:
    success = draw.random() < 0.7
    statement = {
        "id": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        "actor": {"objectType": "Agent", "account": {"homePage": "https://example.org", "name": learner}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en-US": "answered"}},
        "object": {"id": f"https://example.org/items/{draw.randrange(900)}"},
        "result": {"success": success, "score": {"scaled": 1.0 if success else 0.0}},
        "context": {
            "contextActivities": {"grouping": [{"id": f"https://example.org/ims/case/v1p1/CFItems/{competency}"}]}
        },
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return json.dumps(statement).encode()
