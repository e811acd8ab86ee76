"""A learner's path as sentences: given what happened, when somebody asks, then this."""

from collections.abc import Sequence
from typing import Any

import pytest
from atelier_common.errors import NotFound, RuleBroken
from atelier_pathing.domain.path import path_decider
from atelier_pathing.domain.path_commands import EditPath, EndDeferrals, ForgetPath, NoteMastery, OpenPath, SettleGate
from atelier_pathing.domain.path_events import (
    CompetencyDeferred,
    CreditTransferred,
    DeferralEnded,
    FrameworkFollowed,
    FrontierStep,
    GateWaived,
    MasteryNoted,
    NotedMastery,
    OrderChosen,
    PathEvent,
    PathForgotten,
    PathOpened,
    PathRevised,
    TestOutAsked,
)
from atelier_pathing.domain.path_revision import PUBLISHED
from atelier_pathing.domain.path_state import PathState
from atelier_pathing.engine.frontier import frontier
from atelier_pathing.engine.graph import Edge, Graph, Node, build_graph
from atelier_pathing.engine.standing import stand
from hypothesis import given, settings
from hypothesis import strategies as st

DAY = 24 * 60 * 60 * 1000
NOW = 1_000 * DAY


def graph_of(names: str, *gates: tuple[str, str], version: str = "1") -> Graph:
    return build_graph(version, [Node(name, "Making") for name in names], [Edge(*gate, True) for gate in gates])


GRAPH = graph_of("abcde", ("a", "b"), ("b", "c"))


class Path:
    """Given commands that were accepted, what the next one does."""

    def __init__(self, graph: Graph = GRAPH) -> None:
        self.decider = path_decider(graph)
        self.state = self.decider.initial()
        self.said: list[PathEvent] = []

    def given(self, *commands: Any) -> "Path":
        for command in commands:
            self.when(command)
        return self

    def when(self, command: Any) -> Sequence[PathEvent]:
        events = self.decider.decide(command, self.state)
        for event in events:
            self.state = self.decider.evolve(self.state, event)
        self.said = list(events)
        return events

    @property
    def frontier(self) -> list[tuple[str, str]]:
        return [(step.competency_id, step.state) for step in self.state.frontier]


def opened(graph: Graph = GRAPH) -> Path:
    return Path(graph).given(OpenPath(NOW, "lrn_1", "f", "cause"))


def noted(competency: str, estimate: float, uncertainty: float = 0.1, earned: bool = False, **more: Any) -> NoteMastery:
    change = NotedMastery(competency, estimate, uncertainty, earned, (f"evidence-{competency}-{estimate}",), **more)
    return NoteMastery(NOW, "lrn_1", "f", "cause", (change,))


def edit(role: Any = "learner", **what: Any) -> EditPath:
    return EditPath(NOW, f"{role}-1", role, "student-voice" if role == "learner" else "approach", "cause", **what)


def kinds(events: Sequence[PathEvent]) -> list[type]:
    return [type(event) for event in events]


def revision(events: Sequence[PathEvent]) -> PathRevised:
    last = events[-1]
    assert isinstance(last, PathRevised)
    return last


def test_a_new_path_probes_what_has_no_gate() -> None:
    path = Path()
    events = path.when(OpenPath(NOW, "lrn_1", "f", "cause"))
    assert kinds(events) == [PathOpened, FrameworkFollowed, PathRevised]
    assert path.frontier == [("a", "probe"), ("d", "probe"), ("e", "probe")]
    assert (revision(events).author_role, revision(events).tag, revision(events).revision) == ("engine", "approach", 1)


def test_opening_an_open_path_again_is_an_accepted_no_op() -> None:
    assert opened().when(OpenPath(NOW, "lrn_1", "f", "other")) == []


def test_earning_a_prerequisite_opens_the_next_and_the_revision_names_its_evidence() -> None:
    path = opened()
    events = path.when(noted("a", 0.95, earned=True))
    assert kinds(events) == [MasteryNoted, PathRevised]
    assert path.frontier[0] == ("b", "probe")
    said = revision(events)
    assert said.tag == "pace"
    assert said.evidence_ids == ("evidence-a-0.95",)
    assert said.causes == ("cause",)
    assert [(gate.competency_id, gate.how) for gate in said.gates_met] == [("a", "earned")]
    assert said.earned_count == 1


@pytest.mark.parametrize(
    "moved",
    [
        {"estimate": 0.500001},
        {"uncertainty": 0.11},
        {"evidence_ids": ("evidence-1",)},
        {"without_progress": 1},
        {"failed_kind": "item"},
    ],
    ids=lambda moved: next(iter(moved)),
)
def test_whatever_is_known_otherwise_of_a_published_step_is_told_at_once(moved: dict[str, Any]) -> None:
    def note(**said: Any) -> NoteMastery:
        return NoteMastery(
            NOW, "lrn_1", "f", "cause", (NotedMastery("a", **{"estimate": 0.5, "uncertainty": 0.1, **said}),)
        )

    step = revision(opened().given(note()).when(note(**moved))).frontier[0]
    assert {name: getattr(step, name) for name in moved} == moved


def test_the_revision_names_the_evidence_that_is_new_and_the_step_all_that_is_latest() -> None:
    path = opened().given(NoteMastery(NOW, "lrn_1", "f", "cause", (NotedMastery("a", 0.4, 0.1, False, ("e1", "e2")),)))
    more = NotedMastery("a", 0.5, 0.1, False, ("e1", "e2", "e3"))
    said = revision(path.when(NoteMastery(NOW, "lrn_1", "f", "cause", (more,))))
    assert said.evidence_ids == ("e3",)
    assert said.frontier[0].evidence_ids == ("e1", "e2", "e3")


def test_what_becomes_certain_is_taught_rather_than_asked() -> None:
    path = opened().given(noted("a", 0.50, uncertainty=0.21))
    assert path.frontier[0] == ("a", "probe")
    assert kinds(path.when(noted("a", 0.51, uncertainty=0.19))) == [MasteryNoted, PathRevised]
    assert path.frontier[0] == ("a", "ready")


def test_the_same_number_again_is_an_accepted_no_op() -> None:
    assert opened().given(noted("a", 0.5)).when(noted("a", 0.5)) == []


def test_what_is_not_ready_is_noted_only() -> None:
    assert kinds(opened().when(noted("c", 0.5))) == [MasteryNoted]


def test_a_revision_says_what_was_earned_since_the_one_before() -> None:
    path = opened()
    assert revision(path.said).earned_now == ()
    assert revision(path.when(noted("a", 0.95, earned=True))).earned_now == ("a",)
    assert revision(path.when(noted("d", 0.5))).earned_now == ()


def test_what_was_earned_is_told_also_where_the_frontier_stays_as_it_was() -> None:
    path = opened(graph_of("abcdefghijklmnopqrst"))
    before = path.frontier
    assert len(before) == PUBLISHED.new
    said = revision(path.when(noted("t", 0.95, earned=True)))
    assert (said.earned_now, path.frontier) == (("t",), before)


def test_several_changes_at_once_tell_all_that_was_earned_in_teaching_order() -> None:
    changes = tuple(NotedMastery(name, 0.95, 0.1, earned=name != "d") for name in "eda")
    said = revision(opened().when(NoteMastery(NOW, "lrn_1", "f", "cause", changes)))
    assert said.earned_now == ("a", "e")


def test_a_correction_says_that_it_is_no_longer_earned_and_earning_it_again_is_told_again() -> None:
    path = opened().given(noted("a", 0.95, earned=True))
    said = revision(path.when(noted("a", 0.4)))
    assert (said.earned_now, said.no_longer_earned) == ((), ("a",))
    said = revision(path.when(noted("a", 0.96, earned=True)))
    assert (said.earned_now, said.no_longer_earned) == (("a",), ())


def test_a_correction_beyond_the_frontier_is_told_too() -> None:
    path = opened().given(noted("a", 0.95, earned=True), noted("b", 0.95, earned=True), noted("c", 0.95, earned=True))
    path.given(noted("a", 0.4), noted("b", 0.4))
    assert revision(path.when(noted("c", 0.4))).no_longer_earned == ("c",)
    assert [name for name, _ in path.frontier] == ["a", "d", "e"]


def test_what_was_earned_before_there_was_a_path_is_not_told_as_earned_now() -> None:
    path = Path()
    known = (NotedMastery("a", 0.95, 0.1, earned=True),)
    assert revision(path.when(OpenPath(NOW, "lrn_1", "f", "cause", known))).earned_now == ()
    assert revision(path.when(noted("b", 0.95, earned=True))).earned_now == ("b",)


def test_mastery_that_an_adoption_brings_before_its_own_word_came_is_told_as_earned() -> None:
    path = opened()
    after = Path(graph_of("abcde", ("a", "b"), version="2"))
    after.state = path.state
    known = (NotedMastery("a", 0.95, 0.1, earned=True, evidence_ids=("evidence-a-0.95",)),)
    assert revision(after.when(OpenPath(NOW, "lrn_1", "f", "cause", known))).earned_now == ("a",)
    assert after.when(noted("a", 0.95, earned=True)) == []


def test_credit_is_a_persons_word_and_not_earned() -> None:
    said = revision(opened().when(SettleGate(NOW, "coach-7", "coach", "cause", "a", "credit")))
    assert said.earned_now == ()


def test_what_was_started_moves_into_the_published_steps() -> None:
    path = opened(graph_of("abcdefghijklmnopqrst"))
    assert kinds(path.when(noted("t", 0.5))) == [MasteryNoted, PathRevised]
    assert path.frontier[0] == ("t", "ready")


def test_mastery_of_something_outside_the_framework_changes_no_frontier() -> None:
    assert kinds(opened().when(noted("z", 0.9, earned=True))) == [MasteryNoted]


def test_mastery_of_a_learner_without_a_path_opens_it() -> None:
    assert kinds(Path().when(noted("a", 0.95, earned=True))) == [
        PathOpened,
        MasteryNoted,
        FrameworkFollowed,
        PathRevised,
    ]


def test_a_correction_closes_what_an_error_had_opened() -> None:
    path = opened().given(noted("a", 0.95, earned=True), noted("a", 0.4))
    assert [name for name, _ in path.frontier] == ["a", "d", "e"]


def test_a_learner_reorders_what_is_ready_and_the_revision_is_theirs() -> None:
    path = opened()
    said = revision(path.when(edit(order=("e", "d"))))
    assert [name for name, _ in path.frontier] == ["e", "d", "a"]
    assert (said.author, said.author_role, said.tag) == ("learner-1", "learner", "student-voice")
    assert [step.origin for step in said.frontier] == ["learner", "learner", "engine"]


def test_reordering_what_is_not_ready_is_blocked_by_a_named_policy_with_the_unmet_gate() -> None:
    with pytest.raises(RuleBroken) as refused:
        opened().when(edit(order=("c",)))
    assert refused.value.extensions["policy"] == "only-what-is-ready"
    assert refused.value.extensions["unmet"] == ["b"]


def test_a_deferral_puts_last_and_ends_by_itself() -> None:
    path = opened().given(edit(defer={"a": NOW + DAY}))
    assert path.frontier[-1] == ("a", "deferred")
    events = path.when(EndDeferrals(NOW + DAY, "timer"))
    assert kinds(events) == [DeferralEnded, PathRevised]
    assert path.frontier[0] == ("a", "probe")


def test_a_deferral_also_ends_with_the_next_evidence_after_its_time() -> None:
    path = opened().given(edit(defer={"a": NOW + DAY}))
    change = (NotedMastery("d", 0.5, 0.1),)
    events = path.when(NoteMastery(NOW + DAY, "lrn_1", "f", "cause", change))
    assert kinds(events) == [MasteryNoted, DeferralEnded, PathRevised]


def test_a_deferral_is_withdrawn() -> None:
    path = opened().given(edit(defer={"a": NOW + DAY}))
    assert kinds(path.when(edit(resume=("a",)))) == [DeferralEnded, PathRevised]
    assert path.frontier[0] == ("a", "probe")


@pytest.mark.parametrize(
    ("what", "policy"),
    [
        ({"defer": {"a": NOW + 29 * DAY}}, "a-deferral-ends"),
        ({"defer": {"a": NOW}}, "a-deferral-ends"),
        ({"defer": {"b": NOW + DAY}}, "only-what-is-ready"),
        ({"defer": dict.fromkeys("ade", NOW + DAY)}, "something-stays-ready"),
    ],
)
def test_a_policy_that_blocks_says_which_it_is(what: dict[str, Any], policy: str) -> None:
    path = opened()
    with pytest.raises(RuleBroken) as refused:
        path.when(edit(**what))
    assert refused.value.extensions["policy"] == policy
    assert path.state.deferred == {}


def test_at_most_five_are_deferred_at_once() -> None:
    path = opened(graph_of("abcdefgh")).given(edit(defer=dict.fromkeys("abcde", NOW + DAY)))
    with pytest.raises(RuleBroken) as refused:
        path.when(edit(defer={"f": NOW + DAY}))
    assert refused.value.extensions["policy"] == "few-deferred-at-once"


def test_anything_can_be_tested_out_of_and_success_opens_what_it_depends_on() -> None:
    path = opened()
    assert kinds(path.when(edit(test_out=("c",)))) == [TestOutAsked, PathRevised]
    assert path.state.asked == {"c"}
    path.given(noted("c", 0.95))
    assert path.state.asked == frozenset()
    assert {"b", "c"} <= {name for name, _ in path.frontier}


def test_what_is_earned_cannot_be_tested_out_of() -> None:
    with pytest.raises(RuleBroken) as refused:
        opened().given(noted("a", 0.95, earned=True)).when(edit(test_out=("a",)))
    assert refused.value.extensions["policy"] == "nothing-to-test-out"


def test_a_waiver_names_its_person_in_the_gates_that_are_met() -> None:
    path = opened()
    events = path.when(SettleGate(NOW, "coach-7", "coach", "cause", "a", "waiver"))
    assert kinds(events) == [GateWaived, PathRevised]
    assert [(gate.how, gate.by) for gate in revision(events).gates_met] == [("waiver", "coach-7")]
    assert [name for name, _ in path.frontier] == ["a", "b", "d", "e"]


def test_a_waiver_is_withdrawn_and_the_gate_closes() -> None:
    path = opened().given(SettleGate(NOW, "coach-7", "coach", "cause", "a", "waiver"))
    path.when(SettleGate(NOW, "coach-7", "coach", "cause", "a", "withdraw"))
    assert [name for name, _ in path.frontier] == ["a", "d", "e"]


def test_transferred_credit_ends_the_matter() -> None:
    path = opened()
    assert kinds(path.when(SettleGate(NOW, "coach-7", "coach", "cause", "a", "credit"))) == [
        CreditTransferred,
        PathRevised,
    ]
    assert [name for name, _ in path.frontier] == ["b", "d", "e"]


def test_an_edit_is_all_or_nothing() -> None:
    path = opened()
    with pytest.raises(NotFound):
        path.when(edit(order=("d",), test_out=("nowhere",)))
    assert path.state.first == ()


def test_a_coach_orders_with_their_own_name_and_tag() -> None:
    path = opened()
    events = path.when(edit("coach", order=("d",), defer={"e": NOW + DAY}))
    assert kinds(events) == [OrderChosen, CompetencyDeferred, PathRevised]
    assert (revision(events).author_role, revision(events).tag) == ("coach", "approach")


def test_another_version_of_the_framework_keeps_mastery_and_revises_the_path() -> None:
    path = opened().given(noted("a", 0.95, earned=True))
    after = Path(graph_of("abcdef", ("a", "f"), ("e", "b"), version="2"))
    after.state = path.state
    events = after.when(OpenPath(NOW, "lrn_1", "f", "cause"))
    assert kinds(events) == [FrameworkFollowed, PathRevised]
    assert revision(events).reason["code"] == "framework-adopted"
    assert {name for name, _ in after.frontier} == {"c", "d", "e", "f"}


def test_mastery_known_before_the_framework_was_adopted_counts() -> None:
    path = Path()
    path.when(OpenPath(NOW, "lrn_1", "f", "cause", (NotedMastery("a", 0.95, 0.1, True),)))
    assert path.frontier[0] == ("b", "probe")


def test_an_erased_learners_path_is_gone_and_stays_gone() -> None:
    path = opened().given(noted("a", 0.5))
    assert kinds(path.when(ForgetPath(NOW))) == [PathForgotten]
    assert path.state.estimates == {}
    assert path.when(noted("a", 0.9)) == []
    with pytest.raises(NotFound):
        path.when(edit(order=("a",)))


def test_nobody_edits_a_path_that_was_never_opened() -> None:
    with pytest.raises(NotFound):
        Path().when(edit(order=("a",)))


MANY = graph_of("abcdefgh", ("a", "b"), ("b", "c"), ("d", "e"), ("e", "c"), ("f", "g"))
ANSWERS = st.builds(
    lambda name, said: NoteMastery(NOW, "lrn_1", "f", "cause", (NotedMastery(name, **said),)),
    st.sampled_from("abcdefgh"),
    st.sampled_from(
        [
            {"estimate": 0.4, "uncertainty": 0.1},
            {"estimate": 0.42, "uncertainty": 0.1},
            {"estimate": 0.4, "uncertainty": 0.19},
            {"estimate": 0.4, "uncertainty": 0.1, "evidence_ids": ("evidence-1",)},
            {"estimate": 0.4, "uncertainty": 0.1, "without_progress": 2},
            {"estimate": 0.4, "uncertainty": 0.1, "failed_kind": "item"},
            {"estimate": 0.4, "uncertainty": 0.3},
            {"estimate": 0.9, "uncertainty": 0.1},
            {"estimate": 0.9, "uncertainty": 0.1, "earned": True},
        ]
    ),
)
EDITS = st.builds(
    lambda role, names, days: edit(role, order=tuple(names), defer={"h": NOW + days * DAY}),
    st.sampled_from(["learner", "coach"]),
    st.lists(st.sampled_from("adfh"), max_size=2, unique=True),
    st.integers(1, 2),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(ANSWERS, ANSWERS, ANSWERS, EDITS), max_size=40))
def test_a_revision_says_exactly_what_is_known_and_chosen_whatever_came_before(commands: list[Any]) -> None:
    path = opened(MANY)
    earned: set[str] = set()
    for command in commands:
        try:
            path.when(command)
        except RuleBroken:
            continue
        if not path.said or not isinstance(path.said[-1], PathRevised):
            continue
        said = path.said[-1]
        earned = (earned | set(said.earned_now)) - set(said.no_longer_earned)
        assert earned == {key for key, known in path.state.estimates.items() if known.earned}
        assert said.frontier == _from_scratch(path.state)


@settings(max_examples=150, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=30), st.data())
def test_however_the_same_answers_are_batched_the_last_revision_says_the_same(commands: list[Any], data: Any) -> None:
    one_by_one, batched = opened(MANY), opened(MANY)
    shown: dict[Path, set[str]] = {one_by_one: set(), batched: set()}

    def tell(path: Path, changes: Sequence[NotedMastery]) -> None:
        path.when(NoteMastery(NOW, "lrn_1", "f", "cause", tuple({one.competency_id: one for one in changes}.values())))
        if path.said and isinstance(path.said[-1], PathRevised):
            shown[path] |= set(path.said[-1].earned_now)
            shown[path] -= set(path.said[-1].no_longer_earned)

    changes = [change for command in commands for change in command.changes]
    for change in changes:
        tell(one_by_one, [change])
    while changes:
        size = data.draw(st.integers(1, len(changes)))
        tell(batched, changes[:size])
        changes = changes[size:]
    one, other = one_by_one.state.published, batched.state.published
    assert one is not None
    assert other is not None
    assert (one.frontier, one.gates_met, one.earned_count) == (other.frontier, other.gates_met, other.earned_count)
    assert shown[one_by_one] == shown[batched]


def _from_scratch(state: PathState) -> tuple[FrontierStep, ...]:
    standing = stand(MANY, {MANY.place[key]: state.own_flags(key) for key in MANY.place})
    told = []
    for step in frontier(standing, state.wishes, NOW, PUBLISHED):
        known = state.estimates.get(step.competency_id)
        until = state.deferred.get(step.competency_id) if step.state == "deferred" else None
        origin = state.first_by if step.competency_id in state.first else "engine"
        numbers: dict[str, Any] = (
            {}
            if known is None
            else {
                "estimate": known.estimate,
                "uncertainty": known.uncertainty,
                "evidence_ids": known.evidence_ids,
                "without_progress": known.without_progress,
                "failed_kind": known.failed_kind,
            }
        )
        told.append(
            FrontierStep(step.competency_id, step.subject, step.state, deferred_until=until, origin=origin, **numbers)
        )
    return tuple(told)
