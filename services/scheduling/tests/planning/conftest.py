"""A small site's facts as planning reads them: a dozen learners on two paths, three adults, two days."""

import json
from pathlib import Path
from typing import Any

import pytest
from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile
from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.planning.facts import Competency, SiteFacts

GIVEN: dict[str, Any] = json.loads((Path(__file__).parent / "small_site.json").read_text())


def described(**differing: Any) -> SiteDescription:
    return SiteDescription.model_validate({**GIVEN, **differing})


def ready(competency: str, rank: int, **more: Any) -> pathing.FrontierEntry:
    given = {"estimate": 0.4, "uncertainty": 0.1, "state": pathing.FRONTIER_STATE_READY, **more}
    return pathing.FrontierEntry(competency_id=competency, subject=competency.partition("-")[0], rank=rank, **given)


def learner(name: str, **more: Any) -> profile.LearnerChanged:
    given: dict[str, Any] = {"active": True, "site_ids": ["fictional-school"], **more}
    return profile.LearnerChanged(learner_id=name, birth_date=f"sealed:1:{name}:xx", **given)


def facts(count: int = 12, description: SiteDescription | None = None, **of_first: Any) -> SiteFacts:
    """``of_first``: fields of the first learner."""
    names = [f"lrn_{number:02d}" for number in range(count)]
    competencies = [f"{subject}-{number}" for subject in ("Numbers", "Words") for number in range(3)]
    return SiteFacts(
        description=description or described(),
        learners={name: learner(name, **(of_first if name == names[0] else {})) for name in names},
        adults={
            f"adult-{number}": profile.AdultChanged(adult_id=f"adult-{number}", active=True, roles=["teacher"])
            for number in (1, 2, 3)
        },
        paths={
            name: (
                pathing.PathRevised(
                    learner_id=name,
                    framework_id="framework-1",
                    frontier=[ready(f"Numbers-{place % 2}", 1), ready(f"Words-{place % 2}", 2)],
                ),
            )
            for place, name in enumerate(names)
        },
        competencies={one: Competency(one, f"Can do {one}", one.partition("-")[0]) for one in competencies},
    )


class Making:
    """What tests make facts with."""

    described = staticmethod(described)
    ready = staticmethod(ready)
    learner = staticmethod(learner)
    facts = staticmethod(facts)


@pytest.fixture
def make() -> type[Making]:
    return Making
