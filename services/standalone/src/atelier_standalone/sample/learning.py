"""Three school days of answers, from learners with a latent ability per subject, as xAPI statements."""

import json
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from atelier_standalone.sample.framework import Step, steps
from atelier_standalone.sample.people import FIRST_DAY, LearnerPerson, People
from atelier_standalone.sample.strands import SUBJECTS

SCHOOL_DAYS = tuple(FIRST_DAY + timedelta(days=day) for day in range(3))
ACCOUNT_HOME = "https://harbour.example.org"
CIRCUMSTANCES = "urn:atelier:xapi:circumstances"
ITEMS_PER_COMPETENCY = 12
ABSENT_SHARE = 0.04
_SPACE = uuid.UUID("d2f0a3f4-1f0c-5c65-9a1e-7a0f3a0d5b21")
_GUESS, _CEILING = 0.1, 0.95
_STEEPNESS = 1.4
_LEARNED_PER_ANSWER = 0.05
# Chance of success that work is chosen for, and of going on with what was begun.
_WITHIN_REACH, _STAYS = 0.72, 0.7
# How many competencies on a day, answers on each, and what the answers are asked for.
_DAYS = ((5, 2, "placement"), (3, 4, "practice"), (2, 5, "exit-ticket"))
_SCHOOL_OPENS = time(14, 0)
_SCHOOL_SECONDS = 6 * 3600


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one item. ``at`` is when it was given."""

    learner: str
    step: Step
    item: int
    correct: bool
    hint: bool
    seconds: int
    purpose: str
    at: datetime


def difficulty(step: Step) -> float:
    """Logits: beginnings are easy, each step before it makes a competency harder."""
    return 0.75 * step.depth - 2.6


def chance(ability: float, step: Step) -> float:
    """Chance of a correct answer without help."""
    return _GUESS + (_CEILING - _GUESS) / (1.0 + math.exp(-_STEEPNESS * (ability - difficulty(step))))


def answers(people: People, seed: int) -> tuple[tuple[Answer, ...], ...]:
    """The answers of each school day, in order of time."""
    known = steps()
    by_subject = {subject: [step for step in known.values() if step.subject == subject] for subject in SUBJECTS}
    days: list[list[Answer]] = [[] for _ in SCHOOL_DAYS]
    for place, learner in enumerate(people.learners):
        random = Random(f"answers:{seed}:{learner.sourced_id}")
        gained = dict.fromkeys(known, 0.0)
        latest: dict[str, Step] = {}
        for day, (count, each, purpose) in enumerate(_DAYS):
            if random.random() >= ABSENT_SHARE:
                chosen = _worked_on(random, learner, by_subject, gained, count, latest)
                given = _answers_of_a_day(random, learner, chosen, each, purpose, gained)
                days[day] += _spread(given, SCHOOL_DAYS[day], place)
    return tuple(tuple(sorted(day, key=lambda answer: answer.at)) for day in days)


def _worked_on(
    random: Random,
    learner: LearnerPerson,
    by_subject: dict[str, list[Step]],
    gained: dict[str, float],
    count: int,
    latest: dict[str, Step],
) -> list[Step]:
    """One competency in each of ``count`` subjects: often the one begun before, else one neither far too easy nor far too hard."""
    subjects = list(SUBJECTS) if count == len(SUBJECTS) else random.sample(SUBJECTS, count)
    for subject in subjects:
        if subject not in latest or random.random() >= _STAYS:
            latest[subject] = _within_reach(random, by_subject[subject], learner.ability[subject], gained)
    return [latest[subject] for subject in subjects]


def _within_reach(random: Random, choice: list[Step], ability: float, gained: dict[str, float]) -> Step:
    near = sorted(choice, key=lambda step: abs(chance(ability + gained[step.code], step) - _WITHIN_REACH))
    return random.choice(near[:5])


def _answers_of_a_day(
    random: Random, learner: LearnerPerson, chosen: list[Step], each: int, purpose: str, gained: dict[str, float]
) -> Iterator[Answer]:
    nowhere = datetime.min
    for step in chosen:
        for item in random.sample(range(1, ITEMS_PER_COMPETENCY + 1), each):
            hint = purpose == "practice" and random.random() < 0.15
            likely = chance(learner.ability[step.subject] + gained[step.code] + (0.8 if hint else 0.0), step)
            correct = random.random() < likely
            gained[step.code] += _LEARNED_PER_ANSWER
            yield Answer(learner.sourced_id, step, item, correct, hint, random.randint(12, 150), purpose, nowhere)


def _spread(given: Iterator[Answer], day: date, place: int) -> list[Answer]:
    """Evenly over the school day, learners some milliseconds apart, so that no two answers share a moment."""
    listed = list(given)
    opens = datetime.combine(day, _SCHOOL_OPENS, UTC)
    return [
        Answer(
            answer.learner,
            answer.step,
            answer.item,
            answer.correct,
            answer.hint,
            answer.seconds,
            answer.purpose,
            opens + timedelta(seconds=number / len(listed) * _SCHOOL_SECONDS, milliseconds=place),
        )
        for number, answer in enumerate(listed)
    ]


def statement(answer: Answer) -> dict[str, object]:
    """The answer as an xAPI statement; its id is a function of learner, item and day."""
    when = answer.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{answer.at.microsecond // 1000:03d}Z"
    item = f"{answer.step.code}-{answer.item:02d}"
    circumstances: dict[str, str] = {
        "purpose": answer.purpose,
        "activity": "independent" if answer.purpose == "practice" else "small-group",
    }
    if answer.hint:
        circumstances["assistance"] = "hint"
    return {
        "id": str(uuid.uuid5(_SPACE, f"{answer.learner}:{item}:{when}")),
        "actor": {"objectType": "Agent", "account": {"homePage": ACCOUNT_HOME, "name": answer.learner}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered"}},
        "object": {
            "objectType": "Activity",
            "id": f"{ACCOUNT_HOME}/items/{item}",
            "definition": {"type": "http://adlnet.gov/expapi/activities/question"},
        },
        "result": {
            "success": answer.correct,
            "score": {"scaled": 1.0 if answer.correct else 0.0},
            "duration": f"PT{answer.seconds}S",
        },
        "context": {
            "contextActivities": {"grouping": [{"objectType": "Activity", "id": answer.step.uri}]},
            "language": "en",
            "extensions": {CIRCUMSTANCES: circumstances},
        },
        "timestamp": when,
    }


def evidence_ndjson(answers_of_a_day: tuple[Answer, ...]) -> bytes:
    """One statement per line, in order of time."""
    lines = (json.dumps(statement(answer), separators=(",", ":")) for answer in answers_of_a_day)
    return "".join(f"{line}\n" for line in lines).encode()
