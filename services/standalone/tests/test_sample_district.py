"""The sample district: made from a seed alone, readable by the same readers as any district's files, and as tight as promised."""

from collections import Counter
from datetime import date
from pathlib import Path
from statistics import mean

import orjson
import pytest
from atelier_assessment.xapi.batch import read_batch
from atelier_common.commit import Context
from atelier_pathing.case.reading import parse_package, read_framework
from atelier_profile.api.bodies import SupportsBatchBody
from atelier_profile.roster.archive import read_archive
from atelier_profile.roster.records import records
from atelier_profile.roster.validate import validate
from atelier_scheduling.domain.site_description import SiteDescription
from atelier_standalone.sample.district import SampleDistrict, sample_district
from atelier_standalone.sample.framework import steps
from atelier_standalone.sample.people import FIRST_DAY, LANTERN, TIDEWATER

# Later than all evidence, so that none of it lies in the future.
AFTER_THE_WEEK = Context(tenant="harbour", actor="importer", command_id="sample", now=1_789_430_400_000)


@pytest.fixture(scope="module")
def district() -> SampleDistrict:
    return sample_district(7)


def test_the_same_seed_gives_the_same_bytes(district: SampleDistrict) -> None:
    assert sample_district(7).files() == district.files()


def test_another_seed_gives_other_people_and_the_same_framework(district: SampleDistrict) -> None:
    other = sample_district(8).files()
    changed = {name for name, content in district.files().items() if other[name] != content}
    assert "framework.json" not in changed
    assert changed >= {"oneroster.zip", "supports.json", *(name for name in other if name.startswith("evidence"))}


def test_the_roster_holds_240_learners_aged_7_to_13_at_two_sites(district: SampleDistrict) -> None:
    tables = read_archive(district.roster)
    validate(tables)
    roster = records(tables, FIRST_DAY.isoformat())
    assert len(roster.learners) == 240
    births = [date.fromisoformat(row["birthDate"]) for row in tables["demographics"]]
    assert {(FIRST_DAY - born).days * 4 // 1461 for born in births} == set(range(7, 14))
    assert Counter(row["orgSourcedId"] for row in tables["roles"] if row["role"] == "student") == {
        TIDEWATER: 80,
        LANTERN: 160,
    }


def test_nobody_bears_a_name_twice_and_siblings_share_a_guardian(district: SampleDistrict) -> None:
    learners = district.people.learners
    assert len({(learner.given, learner.family) for learner in learners}) == 240
    families = Counter(learner.guardian for learner in learners)
    assert set(families.values()) == {1, 2}


def test_the_framework_is_a_graph_of_150_competencies_in_five_subjects(district: SampleDistrict) -> None:
    framework = read_framework(parse_package(district.framework))
    counts = framework.counts()
    assert (counts["competencies"], counts["subjects"], counts["dangling"]) == (150, 5, 0)
    assert counts["precedes"] == counts["precedes_unique"] == counts["prerequisites"]
    assert counts["essential"] / counts["precedes"] == pytest.approx(1 / 3, abs=0.02)
    statements = [competency.statement for competency in framework.competencies]
    assert len(set(statements)) == len(statements)


def test_three_school_days_of_statements_are_read_without_a_complaint(district: SampleDistrict) -> None:
    known = {learner.sourced_id for learner in district.people.learners}
    seen: set[str] = set()
    for content in district.evidence:
        statements = [orjson.loads(line) for line in content.splitlines()]
        assert len(statements) > 1500
        for start in range(0, len(statements), 500):
            assert len(read_batch(statements[start : start + 500], AFTER_THE_WEEK)) == len(
                statements[start : start + 500]
            )
        assert [statement["timestamp"] for statement in statements] == sorted(
            statement["timestamp"] for statement in statements
        )
        assert {statement["actor"]["account"]["name"] for statement in statements} <= known
        seen |= {statement["id"] for statement in statements}
    assert len(seen) == sum(len(content.splitlines()) for content in district.evidence)


def test_those_who_can_do_more_work_further_along_and_everybody_gets_some_right_and_some_wrong(
    district: SampleDistrict,
) -> None:
    depths = {step.code: step.depth for step in steps().values()}
    worked: dict[str, list[tuple[int, bool]]] = {learner.sourced_id: [] for learner in district.people.learners}
    for content in district.evidence:
        for statement in map(orjson.loads, content.splitlines()):
            code = statement["object"]["id"].rpartition("/")[2].partition("-")[0]
            worked[statement["actor"]["account"]["name"]].append((depths[code], statement["result"]["success"]))
    ordered = sorted(district.people.learners, key=lambda learner: sum(learner.ability.values()))
    depth_of = {name: mean(depth for depth, _ in answers) for name, answers in worked.items() if answers}
    low, high = (
        mean(depth_of[learner.sourced_id] for learner in part if learner.sourced_id in depth_of)
        for part in (ordered[:80], ordered[-80:])
    )
    assert high > low + 1.5
    assert 0.65 < mean(right for answers in worked.values() for _, right in answers) < 0.8
    assert sum(len({right for _, right in answers}) == 1 for answers in worked.values()) < 5


@pytest.mark.parametrize(("site_id", "learners", "bells"), [(TIDEWATER, 80, 2), (LANTERN, 160, 2)])
def test_a_site_file_describes_a_school_of_its_own(
    district: SampleDistrict, site_id: str, learners: int, bells: int
) -> None:
    site = SiteDescription.model_validate_json(district.sites[site_id])
    assert (len(site.placements), len(site.bells)) == (learners, bells)
    people = {person.sourced_id for person in (*district.people.learners, *district.people.adults)}
    assert {placement.learner for placement in site.placements} | {member.adult for member in site.staff} <= people


def test_lantern_is_tight(district: SampleDistrict) -> None:
    site = SiteDescription.model_validate_json(district.sites[LANTERN])
    seats = sum(zone.seats for zone in site.zones if zone.kind in {"station", "flex", "maker"})
    assert len(site.placements) / len(site.staff) == 16
    assert sum(bool(member.hours) for member in site.staff) / len(site.staff) == 0.2
    assert len(site.placements) / seats == pytest.approx(0.9, abs=0.005)


def test_twelve_in_a_hundred_learners_have_services_and_some_are_away(district: SampleDistrict) -> None:
    supports = SupportsBatchBody.model_validate_json(district.supports).learners
    known = [learner.sourced_id for learner in district.people.learners]
    assert [learner.sourced_id for learner in supports] == known
    assert (
        sum(bool(learner.services) for learner in supports)
        == sum(bool(learner.accommodations) for learner in supports)
        == 29
    )
    assert any(learner.absences for learner in supports)
    assert any(not learner.device.has_device for learner in supports if learner.device)


def test_what_a_learner_can_do_is_nowhere_in_the_files(district: SampleDistrict) -> None:
    hidden = [str(value).encode() for learner in district.people.learners[:20] for value in learner.ability.values()]
    everything = b"".join(district.files().values())
    assert not [value for value in hidden if value in everything]


def test_the_files_are_written_as_they_are(district: SampleDistrict, tmp_path: Path) -> None:
    written = district.write(tmp_path / "district")
    assert {path.name: path.read_bytes() for path in written} == district.files()
