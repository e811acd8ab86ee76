"""The problem of a week: canonical, sealed, and true to what profile, pathing and the site say."""

import dataclasses
import random
from typing import Any

from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile
from atelier_scheduling.engine.needs import FocusKind, Gate, GateMetBy, NeedClass, Origin, Setting
from atelier_scheduling.engine.people import BarTarget, Choice, PairKind
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import Interval, minute_of
from atelier_scheduling.planning.assembling import assemble, with_birth_dates
from atelier_scheduling.planning.facts import Competency, SiteFacts

WEEK = "2026-W38"
NOW = minute_of("2026-09-09", 720, "America/Chicago") * 60_000


def problem_of(facts: SiteFacts) -> SiteProblem:
    return assemble(facts, WEEK, NOW)


def at(day: str, minutes: int) -> int:
    return minute_of(day, minutes, "America/Chicago")


def shuffled(facts: SiteFacts, seed: int) -> SiteFacts:
    """The same facts in the order in which they happened to arrive."""
    chance = random.Random(seed)

    def mixed(given: dict[str, Any]) -> dict[str, Any]:
        return dict(chance.sample(list(given.items()), len(given)))

    description = facts.description.model_copy(
        update={
            name: tuple(chance.sample(getattr(facts.description, name), len(getattr(facts.description, name))))
            for name in ("zones", "kinds", "staff")
        }
    )
    return dataclasses.replace(
        facts,
        description=description,
        learners=mixed(facts.learners),
        adults=mixed(facts.adults),
        paths=mixed(facts.paths),
        competencies=mixed(facts.competencies),
    )


def test_facts_in_any_order_give_the_same_bytes(make: Any) -> None:
    apart = profile.PairRule(kind=profile.PAIR_KIND_APART, other_learner_id="lrn_05")
    facts = make.facts(pairs=[apart])
    expected = problem_of(facts).to_json()
    for seed in range(5):
        assert problem_of(shuffled(facts, seed)).to_json() == expected
    assert SiteProblem.from_json(expected).to_json() == expected


def test_birth_dates_stay_sealed_and_are_opened_only_at_the_door(make: Any) -> None:
    problem = problem_of(make.facts(count=2))
    assert [one.birth_date for one in problem.learners] == ["sealed:1:lrn_00:xx", "sealed:1:lrn_01:xx"]
    opened = with_birth_dates(problem, {"sealed:1:lrn_00:xx": "2017-03-04", "sealed:1:lrn_01:xx": ""})
    assert [one.birth_date for one in opened.learners] == ["2017-03-04", ""]
    assert dataclasses.replace(opened, learners=problem.learners) == problem


def test_a_learner_who_left_is_not_in_the_problem_nor_in_anybody_elses_pairs(make: Any) -> None:
    apart = profile.PairRule(kind=profile.PAIR_KIND_APART, other_learner_id="lrn_01")
    facts = make.facts(count=2, pairs=[apart])
    assert [(pair.learner, pair.other, pair.order) for pair in problem_of(facts).pairs] == [("lrn_00", "lrn_01", True)]
    facts.learners["lrn_01"].active = False
    left = problem_of(facts)
    assert [one.id for one in left.learners] == ["lrn_00"]
    assert left.pairs == ()
    assert {need.learner for need in left.needs} == {"lrn_00"}


def test_a_pair_that_both_name_stands_once(make: Any) -> None:
    facts = make.facts(count=2, pairs=[profile.PairRule(kind=profile.PAIR_KIND_TOGETHER, other_learner_id="lrn_01")])
    facts.learners["lrn_01"].pairs.add(kind=profile.PAIR_KIND_TOGETHER, other_learner_id="lrn_00")
    (pair,) = problem_of(facts).pairs
    assert (pair.kind, pair.order) == (PairKind.TOGETHER, False)


def test_absences_hours_bars_and_choices_are_taken_over_until_they_expire(make: Any) -> None:
    monday = profile.Absence(starts_at_ms=at("2026-09-14", 540) * 60_000, ends_at_ms=at("2026-09-14", 600) * 60_000)
    facts = make.facts(
        count=1,
        absences=[monday],
        bars=[
            profile.Bar(target=profile.BAR_TARGET_ZONE, target_id="hall"),
            profile.Bar(target=profile.BAR_TARGET_ADULT, target_id="adult-1", expires_at_ms=NOW - 1),
        ],
        choices=[
            profile.RankedChoice(focus_id="Words-0", rank=1),
            profile.RankedChoice(focus_id="old", expires_at_ms=1),
        ],
        step_free=True,
        accommodations=[profile.Accommodation(kind="extended-time", time_factor=1.5)],
    )
    (learner,) = problem_of(facts).learners
    assert learner.absences == (Interval(at("2026-09-14", 540), at("2026-09-14", 600)),)
    assert [(bar.target, bar.id) for bar in learner.bars] == [(BarTarget.ZONE, "hall")]
    assert learner.choices == (Choice("Words-0", 1),)
    assert [(str(one.kind), one.factor) for one in learner.accommodations] == [
        ("extended-time", 1.5),
        ("step-free", 1.0),
    ]


def test_a_learner_who_can_come_on_mondays_only_is_away_on_the_other_days(make: Any) -> None:
    mondays = profile.WeeklyInterval(weekday=1, start_minute=540, end_minute=1440)
    (learner,) = problem_of(make.facts(count=1, availability=[mondays])).learners
    assert learner.absences == (
        Interval(at("2026-09-14", 510), at("2026-09-14", 540)),
        Interval(at("2026-09-15", 510), at("2026-09-15", 725)),
    )


def test_an_adult_has_the_sites_hours_without_absences_and_unexpired_certificates(make: Any) -> None:
    facts = make.facts(count=1)
    known = facts.adults["adult-1"]
    known.absences.add(starts_at_ms=at("2026-09-15", 0) * 60_000, ends_at_ms=at("2026-09-16", 0) * 60_000)
    known.certificates.add(code="Music", valid_until="2026-09-13")
    known.certificates.add(code="Arts", valid_until="2026-09-30")
    known.roles.append("mentor")
    adult = problem_of(facts).adults[0]
    assert adult.available == (Interval(at("2026-09-14", 510), at("2026-09-14", 725)),)
    assert adult.certificates == ("Arts", "Numbers", "Words")
    assert adult.roles == ("mentor", "teacher")


def test_an_adult_who_left_is_gone_and_one_whom_only_the_site_knows_stays(make: Any) -> None:
    facts = make.facts(count=1)
    facts.adults["adult-1"].active = False
    del facts.adults["adult-2"]
    assert [one.id for one in problem_of(facts).adults] == ["adult-2", "adult-3"]


def test_needs_come_from_path_services_and_routine(make: Any) -> None:
    speech = profile.LearnerService(
        service_id="s1",
        kind="speech",
        minutes_per_week=40,
        setting=profile.SERVICE_SETTING_PULL_OUT,
        group_size_max=3,
        provider_role="speech",
        source="iep",
        sessions_min=2,
    )
    needs = problem_of(make.facts(count=1, services=[speech])).needs
    assert [need.id for need in needs] == [
        "lrn_00:Numbers-0",
        "lrn_00:Words-0",
        "lrn_00:service:s1",
        "lrn_00:lunch",
    ]
    service = needs[2]
    assert (service.need_class, service.origin, service.setting) == (
        NeedClass.OBLIGATION,
        Origin.LAW,
        Setting.PULL_OUT,
    )
    assert (service.minutes, service.times, service.group_most, service.restricted) == (40, 2, 3, True)
    assert service.may_take_from == (FocusKind.HOME, FocusKind.STUDY)


def test_deferred_steps_are_no_needs_and_only_the_first_few_of_a_subject_are(make: Any) -> None:
    facts = make.facts(count=1)
    frontier = [
        make.ready("Numbers-0", 1, state=pathing.FRONTIER_STATE_DEFERRED),
        make.ready("Numbers-3", 4),
        make.ready("Numbers-2", 3),
        make.ready("Numbers-1", 2),
    ]
    facts.paths["lrn_00"] = (pathing.PathRevised(learner_id="lrn_00", frontier=frontier),)
    needs = [need for need in problem_of(facts).needs if need.focus.kind is FocusKind.COMPETENCY]
    assert [(need.focus.id, need.rank) for need in needs] == [("Numbers-1", 2), ("Numbers-2", 3)]


def test_gates_are_the_essential_prerequisites_and_say_how_each_is_met(make: Any) -> None:
    facts = make.facts(count=1)
    facts.competencies["Numbers-2"] = Competency("Numbers-2", "Two", "Numbers", ("a", "b", "c"))
    met = [
        pathing.GateMet(competency_id="a", reason=pathing.GATE_REASON_EARNED),
        pathing.GateMet(competency_id="b", reason=pathing.GATE_REASON_WAIVER, waived_by="coach-1"),
    ]

    def gates(state: int) -> tuple[Gate, ...]:
        path = pathing.PathRevised(frontier=[make.ready("Numbers-2", 1, state=state)], gates_met=met)
        facts.paths["lrn_00"] = (path,)
        return problem_of(facts).needs[0].gates

    first = (Gate("a", GateMetBy.EARNED), Gate("b", GateMetBy.WAIVER))
    assert gates(pathing.FRONTIER_STATE_READY) == (*first, Gate("c", GateMetBy.OPEN))
    assert gates(pathing.FRONTIER_STATE_PROBE) == (*first, Gate("c", GateMetBy.PROBE))


def test_what_is_not_known_of_a_learner_is_said_to_be_uncertain(make: Any) -> None:
    facts = make.facts(count=1)
    entry = pathing.FrontierEntry(competency_id="Numbers-1", subject="Numbers", state=pathing.FRONTIER_STATE_PROBE)
    entry.opportunities_without_progress = 9
    facts.paths["lrn_00"] = (pathing.PathRevised(frontier=[entry]),)
    need = problem_of(facts).needs[0]
    assert need.readiness is not None
    assert (need.readiness.estimate, need.readiness.uncertainty, need.urgency) == (0.5, 0.5, 1.0)


def test_routine_needs_may_be_of_named_learners_alone(make: Any) -> None:
    routine = [{"id": "lunch", "title": "Lunch", "focus": "lunch", "minutes": 20, "learners": ["lrn_01"]}]
    facts = make.facts(count=2, description=make.described(routine=routine))
    assert [need.learner for need in problem_of(facts).needs if need.focus.id == "lunch"] == ["lrn_01"]


def test_titles_name_the_foci_of_the_week_and_no_others(make: Any) -> None:
    titles = {title.id: title.text for title in problem_of(make.facts(count=1)).titles}
    assert titles == {"Numbers-0": "Can do Numbers-0", "Words-0": "Can do Words-0", "lunch": "Lunch"}
