"""Whatever comes as a roster is read whole or refused; and what was compared once has no news the second time."""

import contextlib
from typing import Any

import pytest
from atelier_common.errors import InvalidInput, TooLarge
from atelier_profile.domain.roster_import import Count, ImportPlan
from atelier_profile.importing.planning import compared
from atelier_profile.roster.compare import Present, Wanted, compare
from atelier_profile.roster.records import LearnerRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEY = b"k" * 32
TODAY = "2026-09-21"
FUZZED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def packed(roster: Any) -> bytes:
    content: bytes = roster.zip()
    return content


@FUZZED
@given(changes=st.lists(st.tuples(st.floats(0, 0.999999), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_zip_is_refused_or_read_and_never_an_accident(
    packed: bytes, changes: list[tuple[float, int]]
) -> None:
    damaged = bytearray(packed)
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    with contextlib.suppress(InvalidInput, TooLarge):
        compared(bytes(damaged), KEY, TODAY, [])


@FUZZED
@given(cut=st.floats(0, 1))
def test_a_zip_cut_off_anywhere_is_refused(packed: bytes, cut: float) -> None:
    with pytest.raises((InvalidInput, TooLarge)):
        compared(packed[: int(cut * (len(packed) - 1))], KEY, TODAY, [])


records = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.text("xy", min_size=1, max_size=2), max_size=12)


@given(
    wanted=records,
    known=st.dictionaries(st.text("abc", min_size=1, max_size=3), st.tuples(st.text("xy"), st.booleans())),
)
def test_what_is_compared_after_it_was_applied_has_no_news(
    wanted: dict[str, str], known: dict[str, tuple[str, bool]]
) -> None:
    rows = [Wanted("learner", id, print_, "users", 2) for id, print_ in wanted.items()]
    present = {id: Present("learner", id, print_, active) for id, (print_, active) in known.items()}
    first = compare(rows, present.values())
    count = first.counts.get("learner", Count())
    assert count.created + count.changed + count.unchanged == len(wanted)
    assert {id for _, id in first.gone} == {id for id, one in present.items() if one.active} - wanted.keys()
    after = present | {id: Present("learner", id, wanted[id], True) for _, id in first.news}
    after |= {id: Present("learner", id, present[id].fingerprint, False) for _, id in first.gone}
    second = compare(rows, after.values())
    assert (second.news, second.gone, second.samples) == ((), (), ())


def test_an_erased_learner_is_no_news_whatever_the_roster_says() -> None:
    gone = Present("learner", "a", "", False, erased=True)
    assert compare([Wanted("learner", "a", "x", "users", 2)], [gone]).news == ()


def test_a_new_school_year_needs_no_confirmation() -> None:
    counts = {"academic_session": Count(active=1, created=1, deactivated=1), "learner": Count(active=50, deactivated=5)}
    plan = ImportPlan("file", "", counts, (), ("part",), 7, 10.0)
    assert (plan.beyond_threshold(), plan.deactivated) == ((), 5)


def test_a_person_may_be_teacher_and_parent_and_each_is_one_record(roster: Any) -> None:
    held = {
        "sourcedId": "role-t1-parent",
        "userSourcedId": "t1",
        "roleType": "secondary",
        "role": "parent",
        "orgSourcedId": "north",
    }
    roster.tables["roles"].append(held)
    roster.row("users", "s1")["agentSourcedIds"] = "p1,t1"
    found = compared(roster.zip(), KEY, TODAY, [])
    assert (found.difference.counts["adult"].created, found.difference.counts["guardian"].created) == (1, 2)
    learner = next(one for one in found.wanted.values() if isinstance(one, LearnerRecord) and one.person.key == "s1")
    assert learner.staff_parent_keys == ("t1",)


def test_a_role_that_has_ended_gives_nothing(roster: Any) -> None:
    roster.row("roles", "role-s4")["endDate"] = "2026-09-20"
    found = compared(roster.zip(), KEY, TODAY, [])
    assert (found.difference.counts["learner"].created, found.without_role) == (3, 1)


def test_own_columns_to_the_right_are_no_fault(roster: Any) -> None:
    roster.headers["users"].append("metadata.locker")
    assert compared(roster.zip(), KEY, TODAY, []).difference.counts["learner"].created == 4
    roster.headers["users"][-1] = "locker"
    with pytest.raises(InvalidInput) as refused:
        compared(roster.zip(), KEY, TODAY, [])
    assert refused.value.extensions["table"] == "users"


def test_an_agent_without_a_role_of_their_own_is_a_guardian_all_the_same(roster: Any) -> None:
    roster.tables["roles"] = [row for row in roster.tables["roles"] if row["userSourcedId"] != "p1"]
    found = compared(roster.zip(), KEY, TODAY, [])
    assert (found.difference.counts["guardian"].created, found.without_role) == (1, 0)
