"""What the members of a studio share: its own gap, or where it serves a whole subject, the steps that most of them are ready for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from atelier_pathing.case.model import Competency
from atelier_scheduling.projections.neighbours import paths_in

Shown = dict[str, Any]
Frontiers = Mapping[str, Mapping[str, Sequence[str]]]
"""Learner -> subject -> competencies that the learner is ready for, the next one first."""
_STEPS = 3


def frontiers(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """From the paths that planning knows of, by learner."""
    found: dict[str, dict[str, list[str]]] = {}
    for learner, document in documents.items():
        steps = [step for path in paths_in(dict(document)) for step in path.frontier]
        by_subject = found.setdefault(learner, {})
        for step in sorted(steps, key=lambda one: one.rank):
            by_subject.setdefault(step.subject, []).append(step.competency_id)
    return found


def gaps_of(meeting: Shown, ready: Frontiers, taught: Mapping[str, Competency]) -> list[Shown]:
    """Competencies with how many members they concern; the most shared first, at most three of a subject."""
    own = [gap["competency_id"] for gap in meeting["shared_gap"] if gap["competency_id"] in taught]
    members = meeting["members"]
    if own:
        return [_gap(one, len(members), taught[one]) for one in own]
    counted = Counter(
        one for learner in members for one in ready.get(learner, {}).get(meeting["subject"], ()) if one in taught
    )
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:_STEPS]
    return [_gap(one, count, taught[one]) for one, count in most]


def step_of(learner: str, gaps: Sequence[Shown], meeting: Shown, ready: Frontiers) -> list[str]:
    """Which competencies to show a member's evidence for: the studio's own gap, or the member's own next step in the subject."""
    if meeting["serves_subject"]:
        return list(ready.get(learner, {}).get(meeting["subject"], ()))[:1]
    return [gap["competency_id"] for gap in gaps]


def _gap(competency_id: str, members: int, competency: Competency) -> Shown:
    return {
        "competency_id": competency_id,
        "title": competency.statement,
        "code": competency.code,
        "framework_uri": competency.uri,
        "members": members,
    }
