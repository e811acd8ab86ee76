"""What a learner has shown: one number for every reader, opening to the evidence behind it."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from atelier_assessment.domain.mastery import learner_and_competency, mastery, mastery_key
from atelier_assessment.engine.observation import Observation
from atelier_common.http.kit import CallerDep
from atelier_common.security.tokens import Caller
from atelier_pathing.case.model import Competency
from atelier_words.plain import without_grades
from fastapi import APIRouter
from starlette.responses import Response

from atelier_standalone.pages import words
from atelier_standalone.pages.people import Names
from atelier_standalone.pages.rendering import STAFF, page
from atelier_standalone.pages.studios import competencies
from atelier_standalone.system import Atelier

Shown = dict[str, Any]
_KINDS = {"item": "a question answered", "adaptive-item": "a question answered", "ai-feedback": "feedback of a program"}
_HELP = {"hint": "with a hint", "adult": "with an adult's help", "group": "in a group"}


def progress_routes(atelier: Atelier) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    names = Names(atelier)

    @router.get("/learners/{learner_id}/progress")
    async def progress(learner_id: str, caller: CallerDep) -> Response:
        """Every competency there is evidence of, by subject; the numbers are those of the API, for learner and coach alike."""
        await atelier.profile.profile.access.learner(caller, learner_id)
        tenant = caller.tenant
        low, high = mastery_key(learner_id, ""), mastery_key(learner_id, "\uffff")
        rows = await atelier.assessment.parts.mastery.scan(tenant, low=low, high=high, limit=10_000)
        taught = await competencies(atelier, tenant)
        shown = [await _competency(atelier, caller, key, body, taught) for key, body in rows]
        known = await names.learners(tenant, [learner_id])
        ordered = sorted(shown, key=lambda one: (one["subject"], -one["performed_at_ms"], one["statement"]))
        return page(
            "progress.html",
            caller,
            learner_id=learner_id,
            name=known.get(learner_id, ""),
            subjects=[
                {"subject": subject or "Other", "competencies": list(some)}
                for subject, some in groupby(ordered, lambda one: str(one["subject"]))
            ],
            earned=sum(one["earned"] for one in shown),
            count=len(shown),
            pieces=sum(one["evidence_count"] for one in shown),
            time_zone=await _time_zone(atelier, tenant, learner_id),
        )

    return router


async def _competency(
    atelier: Atelier, caller: Caller, key: str, body: Shown, taught: Mapping[str, Competency]
) -> Shown:
    competency_id = learner_and_competency(key)[1]
    state, _ = await atelier.assessment.parts.commands.load(mastery, caller.tenant, key)
    competency = taught.get(competency_id)
    family = not caller.has(*STAFF)
    statement = competency.statement if competency else "A competency that the framework no longer lists"
    return {
        **body,
        "competency_id": competency_id,
        "statement": (without_grades(statement) or "A competency") if family else statement,
        "code": competency.code if competency and not family else "",
        "subject": competency.subject if competency else "",
        "evidence": [_evidence(one) for one in reversed(state.observations)],
    }


def _evidence(observation: Observation) -> Shown:
    conditions = observation.conditions
    return {
        "performed_at_ms": observation.performed_at,
        "recorded_at_ms": observation.recorded_at,
        "score": observation.score,
        "success": observation.success,
        "what": _KINDS.get(observation.kind, words.label(observation.kind)),
        "help": _HELP.get(conditions.assistance, "") if conditions else "",
        "modified": bool(conditions and conditions.modified),
    }


async def _time_zone(atelier: Atelier, tenant: str, learner_id: str) -> str:
    """The clock of the learner's site; UTC where no site is described."""
    document = await atelier.scheduling.desk.models.learners.get(tenant, learner_id)
    site = await atelier.scheduling.desk.models.sites.get(tenant, document["site"]) if document else None
    return str(site["time_zone"]) if site else "UTC"
