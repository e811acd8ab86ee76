"""The ready set of a learner, in the order in which it is offered, each with its reasons as codes and parameters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

from atelier_pathing.engine.estimates import BANDS, Bands, Estimate
from atelier_pathing.engine.standing import (
    CERTAIN,
    COVERED,
    CREDITED,
    DONE,
    EARNED,
    GATE_MET,
    STARTED,
    SUCCEEDS,
    WAIVED,
    Standing,
)

_TOO_LITTLE_KNOWN = bytes(not flag & CERTAIN or bool(flag & (COVERED | SUCCEEDS)) for flag in range(256))
"""By a node's flags whether it is asked rather than taught: little is known, or success was seen and not yet earned."""

State = Literal["ready", "probe", "deferred"]
GateMetBy = Literal["earned", "success-beyond", "credit", "waiver"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people asked for. ``first`` is the order that a learner or coach set; the rest keeps the teaching order.

    ``deferred`` maps a competency to the moment its deferral ends, ``asked`` are competencies to be tested out of.
    """

    first: Sequence[str] = ()
    deferred: Mapping[str, int] | None = None
    asked: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class PerSubject:
    """How many steps of a subject are next in line: at most ``started`` that were begun, then new ones up to ``new`` in
    all, but always one. What people wished for counts as begun.
    """

    started: int
    new: int


class Step(NamedTuple):
    """One competency of the frontier. ``rank`` counts from 1 over all subjects."""

    competency_id: str
    subject: str
    state: State
    rank: int


def frontier(standing: Standing, wishes: Wishes, now: int, per_subject: PerSubject | None = None) -> tuple[Step, ...]:
    """The ready set at ``now``: wished order, then what was started, then what is new, each in teaching order;
    deferred last.

    With ``per_subject`` only so many of each subject that are not deferred (those next in line), plus everything
    wished or deferred. Guarantee: no step has an unmet essential gate.
    """
    graph = standing.graph
    put_off = {key for key, until in (wishes.deferred or {}).items() if until > now}
    wished = [number for key in wishes.first if key not in put_off and (number := _ready(standing, key)) is not None]
    deferred = sorted(number for key in put_off if (number := _ready(standing, key)) is not None)
    taken = {*wished, *deferred}
    others = _next_in_line(standing, wished, taken, per_subject or PerSubject(len(graph), len(graph)))
    nodes, flags, asked = graph.nodes, standing.flags, wishes.asked
    steps = []
    for rank, number in enumerate([*wished, *others, *deferred], start=1):
        node = nodes[number]
        competency_id = node.competency_id
        state: State = "probe" if _TOO_LITTLE_KNOWN[flags[number]] or competency_id in asked else "ready"
        steps.append(Step(competency_id, node.subject, "deferred" if competency_id in put_off else state, rank))
    return tuple(steps)


def _ready(standing: Standing, competency_id: str) -> int | None:
    number = standing.graph.place.get(competency_id)
    return number if number is not None and standing.is_ready(number) else None


def _next_in_line(
    standing: Standing, wished: Sequence[int], taken: Collection[int], per_subject: PerSubject
) -> list[int]:
    """Ready nodes that are not ``taken``, as many of each subject as are next in line."""
    subject_of = standing.graph.subject_numbers
    begun = [0] * standing.graph.subject_count
    for number in wished:
        begun[subject_of[number]] += 1
    started, new = standing.started_and_new()
    kept: list[int] = []
    for number in started:
        subject = subject_of[number]
        if begun[subject] < per_subject.started and number not in taken:
            begun[subject] += 1
            kept.append(number)
    room = [max(1, per_subject.new - count) for count in begun]
    closed = 0
    for number in new:
        subject = subject_of[number]
        if not room[subject] or number in taken:
            continue
        kept.append(number)
        room[subject] -= 1
        closed += not room[subject]
        if closed == len(room):
            break
    return kept


def placement_probes(standing: Standing) -> tuple[str, ...]:
    """Beyond the frontier, one competency per subject whose answer tells most of where the learner stands.

    Uncertain means probe, not unready: candidates are those of which too little is known and whose unmet gates are
    themselves not known. The one in the middle of the teaching order is taken, so every answer about halves what is
    left: success covers what comes before, a sure failure shuts what comes after.
    """
    graph, flags = standing.graph, standing.flags
    shut = bytearray(len(graph))
    candidates: dict[str, list[str]] = {}
    for number, node in enumerate(graph.nodes):
        unmet = [need for need in graph.needs[number] if not flags[need] & GATE_MET]
        shut[number] = any(flags[need] & CERTAIN or shut[need] for need in unmet)
        if unmet and node.learnable and not shut[number] and not flags[number] & (DONE | CERTAIN):
            candidates.setdefault(node.subject, []).append(node.competency_id)
    return tuple(found[len(found) // 2] for found in candidates.values())


Reason = dict[str, Any]


def reasons(
    standing: Standing, competency_id: str, wishes: Wishes, now: int, estimate: Estimate | None, bands: Bands = BANDS
) -> list[Reason]:
    """Why a competency of the graph stands where it does: codes with parameters, the gates first.

    Codes: gate-met (by earned, credit, waiver, success-beyond), gate-unmet, no-gates, after (unfinished competencies
    that usually come before), started, no-evidence, uncertain, known-well-enough, succeeds-beyond, succeeds,
    test-out-asked, deferred, chosen-order, earned, credited.
    """
    graph = standing.graph
    number = graph.place[competency_id]
    flags = standing.flags[number]
    found: list[Reason] = []
    if flags & EARNED:
        found.append({"code": "earned"})
    if flags & CREDITED:
        found.append({"code": "credited"})
    for need in graph.needs[number]:
        by = met_by(standing.flags[need])
        parameters = {"competency_id": graph.nodes[need].competency_id}
        found.append({"code": "gate-met", **parameters, "by": by} if by else {"code": "gate-unmet", **parameters})
    if not graph.needs[number]:
        found.append({"code": "no-gates"})
    before = [need for need in graph.follows[number] if not standing.flags[need] & (EARNED | CREDITED)]
    if before:
        found.append(
            {"code": "after", "competency_ids": [graph.nodes[need].competency_id for need in islice(before, 5)]}
        )
    if flags & STARTED:
        found.append({"code": "started"})
    if flags & COVERED:
        found.append({"code": "succeeds-beyond"})
    if estimate is None:
        found.append({"code": "no-evidence"})
    elif not flags & CERTAIN:
        found.append({"code": "uncertain", "uncertainty": estimate.uncertainty, "probe_above": bands.probe_above})
    elif flags & SUCCEEDS:
        found.append({"code": "succeeds", "estimate": estimate.estimate, "success_from": bands.success_from})
    else:
        found.append({"code": "known-well-enough", "uncertainty": estimate.uncertainty})
    if competency_id in wishes.asked:
        found.append({"code": "test-out-asked"})
    if (until := (wishes.deferred or {}).get(competency_id, 0)) > now:
        found.append({"code": "deferred", "until": until})
    if competency_id in wishes.first:
        found.append({"code": "chosen-order", "place": list(wishes.first).index(competency_id) + 1})
    return found


def met_by(flags: int) -> GateMetBy | None:
    """What meets the gate of a node with these flags, the strongest first; None where it is not met."""
    if flags & EARNED:
        return "earned"
    if flags & CREDITED:
        return "credit"
    if flags & COVERED:
        return "success-beyond"
    return "waiver" if flags & WAIVED else None
