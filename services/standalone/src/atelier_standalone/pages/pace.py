"""On pace or not, by when, and who helps: computed from a learner's own goals and from what was shown, never guessed.

Without a goal there is no date to be on pace for, and the page says so. Between the day a goal was set and its due date the way is
taken to be even: on pace means that at least as much of it is done as of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from atelier_assessment.domain.mastery import learner_and_competency, mastery_key
from atelier_common.privacy.sealed import Erased
from atelier_profile.domain.goal import Goal, Measure, progress
from atelier_words.plain import without_grades

from atelier_standalone.pages import words
from atelier_standalone.pages.studios import competencies
from atelier_standalone.system import Atelier

STATEMENT = "statement"
_STUCK = 5
"""Opportunities without progress after which a person should look; the page says so openly."""


@dataclass(frozen=True)
class Aim:
    """One goal. ``on_pace`` is None where it cannot be told; ``done`` lies between 0 and 1."""

    statement: str
    due: str
    done: float
    on_pace: bool | None
    helpers: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """Something that is being worked on and is not shown yet. ``helpers``: this week's adults of it, or else of its subject."""

    title: str
    subject: str
    pieces: int
    needs_another_way: bool
    helpers: tuple[str, ...]


@dataclass(frozen=True)
class Pace:
    """``shown`` of ``known`` competencies are shown; ``since`` is when the first work was done (milliseconds), None for no work yet."""

    aims: tuple[Aim, ...]
    steps: tuple[Step, ...]
    shown: int
    known: int
    since: int | None


def share_of_time(set_on: date, due: date, today: date) -> float:
    """How much of the time from the goal's day to its due date is over, 0 to 1."""
    length = (due - set_on).days
    return 1.0 if length <= 0 else min(1.0, max(0.0, (today - set_on).days / length))


def is_on_pace(done: float, set_on: date, due: date, today: date) -> bool | None:
    """Whether at least as much is done as of the time; None on the first day, when nothing can be told."""
    if done >= 1.0:
        return True
    if today <= set_on:
        return None
    return done >= share_of_time(set_on, due, today)


async def pace_of(atelier: Atelier, tenant: str, learner_id: str, blocks: Sequence[dict[str, Any]]) -> Pace:
    """Everything from the learner's own record. ``blocks``: the week, with the adults of each session."""
    low, high = mastery_key(learner_id, ""), mastery_key(learner_id, "\uffff")
    rows = await atelier.assessment.parts.mastery.scan(tenant, low=low, high=high, limit=10_000)
    standings = {learner_and_competency(key)[1]: body for key, body in rows}
    taught = await competencies(atelier, tenant)
    helpers = {key: _helpers(one.subject, key, blocks) for key, one in taught.items()}
    steps = [
        Step(
            without_grades(taught[key].statement),
            taught[key].subject,
            body["evidence_count"],
            body["opportunities_without_progress"] >= _STUCK,
            helpers.get(key, ()),
        )
        for key, body in standings.items()
        if not body["earned"] and key in taught
    ]
    worked_on = sorted(steps, key=lambda one: (not one.helpers, not one.needs_another_way, one.subject, one.title))
    return Pace(
        aims=tuple(await _aims(atelier, tenant, learner_id, standings, helpers)),
        steps=tuple(worked_on),
        shown=sum(body["earned"] for body in standings.values()),
        known=len(standings),
        since=min((body["performed_at_ms"] for body in standings.values()), default=None),
    )


def _helpers(subject: str, competency_id: str, blocks: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Adults of this week's sessions on the competency; where there is none, of those on its subject."""
    own = [adult for block in blocks if block["focus"] == competency_id for adult in block["adults"]]
    near = [adult for block in blocks if subject and block["subject"] == subject for adult in block["adults"]]
    return tuple(dict.fromkeys(own or near))


async def _aims(
    atelier: Atelier,
    tenant: str,
    learner_id: str,
    standings: dict[str, dict[str, Any]],
    helpers: dict[str, tuple[str, ...]],
) -> list[Aim]:
    profile = atelier.profile.profile
    said = await profile.voice.all(tenant, "learner", learner_id, learner_id)
    goals = [body for _, body in said if body["category"] == "goal" and body["outcome"] is None]
    opened = await atelier.keyring.open_many(tenant, [(STATEMENT, body["goal"][STATEMENT]) for body in goals])
    today = words.utc_now(atelier.clock.now()).date()
    mastery = {key: (body["estimate"], body["earned"]) for key, body in standings.items()}
    aims = []
    for body, statement in zip(goals, opened, strict=True):
        goal = body["goal"]
        measure = Measure(
            goal["measure"]["kind"], tuple(goal["measure"]["competency_ids"]), goal["measure"].get("unit", "")
        )
        asked = Goal(learner_id, measure, goal["target"], goal["due"], goal["horizon"], goal["provenance"])
        done = min(1.0, progress(asked, body["logged"], mastery) / goal["target"])
        set_on = words.utc_now(goal["provenance"]["observed_at"]).date()
        named = [one for key in measure.competency_ids for one in helpers.get(key, ())]
        aims.append(
            Aim(
                "" if isinstance(statement, Erased) else statement,
                goal["due"],
                done,
                is_on_pace(done, set_on, date.fromisoformat(goal["due"]), today),
                tuple(dict.fromkeys(named)),
            )
        )
    return aims
