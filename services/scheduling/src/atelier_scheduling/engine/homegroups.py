"""Home groups: formed for belonging, mixed ages and continuity of adults, never by readiness (no need is read here)."""

import hashlib
from collections import defaultdict

from atelier_scheduling.engine.checks import may_share
from atelier_scheduling.engine.facts import Facts, age_months
from atelier_scheduling.engine.labels import Labels
from atelier_scheduling.engine.needs import FocusKind
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.sessions import HomeGroup


def home_kinds(facts: Facts) -> list[SessionKind]:
    """Kinds that can hold a learner who is nowhere else: home time first, then supervised study."""
    kinds = facts.kinds_for[FocusKind.HOME] + facts.kinds_for[FocusKind.STUDY]
    return list({kind.id: kind for kind in kinds}.values())


def form_home_groups(
    facts: Facts, previous: tuple[HomeGroup, ...], seed: int, wanted: dict[int, str]
) -> list[HomeGroup]:
    """Every learner in one home group of their own bell. Existing members stay; newcomers join where ages mix best
    and there is room. ``wanted``: home group ids that a person decided."""
    problem = facts.problem
    kinds = home_kinds(facts)
    kept = {group.id: group for group in (*problem.home_groups, *previous)}
    members: dict[str, list[int]] = {name: [] for name in sorted(kept)}
    placed: set[int] = set()
    current = {one: name for name, group in sorted(kept.items()) for one in group.members}
    for number, learner in enumerate(facts.learners):
        name = wanted.get(number) or learner.home_group or current.get(learner.id, "")
        if name and (name in members or wanted.get(number) or learner.home_group):
            members.setdefault(name, []).append(number)
            placed.add(number)
    leads = [number for number, adult in enumerate(facts.adults) if facts.may_lead[number] and not adult.substitute]
    size = _usual_size(facts, kinds, leads)
    by_bell: dict[str, list[int]] = defaultdict(list)
    for number, learner in enumerate(facts.learners):
        if number not in placed:
            by_bell[learner.bell].append(number)
    for bell, newcomers in sorted(by_bell.items()):
        same_bell = [n for n, ones in members.items() if ones and facts.learners[ones[0]].bell == bell]
        room = sum(max(0, size - len(members[name])) for name in same_bell)
        opened = list(same_bell)
        for number in range(-(-max(0, len(newcomers) - room) // size)):
            name = _group_id(problem.site, bell, number, members)
            members[name] = []
            opened.append(name)
        _deal(facts, newcomers, opened, members, size)
    return _finish(facts, kept, members, leads, kinds, seed)


def _usual_size(facts: Facts, kinds: list[SessionKind], leads: list[int]) -> int:
    caps = [facts.cap(adult, kinds[0]) for adult in leads] if kinds else []
    seats = sorted((facts.zones[z].seats for z in facts.zones_for[kinds[0].id]), reverse=True) if kinds else []
    likely = sorted(min(pair) for pair in zip(sorted(caps, reverse=True), seats, strict=False))
    if not likely:
        return max(1, len(facts.learners))
    # Two thirds of the adults hold home groups: the others cover lunches, services and absences.
    most = likely[len(likely) // 2]
    even = -(-len(facts.learners) // max(1, (2 * len(likely)) // 3))
    return max(1, min(most, max(even, 4)))


def _group_id(site: str, bell: str, number: int, taken: dict[str, list[int]]) -> str:
    attempt = number
    while True:
        name = "hom_" + hashlib.blake2b(f"{site}|{bell}|{attempt}".encode(), digest_size=6).hexdigest()
        if name not in taken:
            return name
        attempt += 1000


def _deal(facts: Facts, newcomers: list[int], names: list[str], members: dict[str, list[int]], size: int) -> None:
    """Deal learners by age like cards, so that every group spans the site's ages as far as the age span allows."""
    span = facts.policy.home_age_span_months
    oldest_first = sorted(newcomers, key=lambda one: (str(facts.birth[one] or ""), facts.learners[one].id))
    if span and oldest_first:
        known = [birth for one in oldest_first if (birth := facts.birth[one])]
        if known and age_months(min(known), max(known)) > span:
            # Too wide for one mix: neighbouring ages fill one group after another.
            for one in oldest_first:
                name = min(names, key=lambda n: (not _fits(facts, one, members[n], size, span), -len(members[n]), n))
                members[name].append(one)
            return
    for one in oldest_first:
        friends = facts.together[one]
        name = min(
            names,
            key=lambda n: (
                not _fits(facts, one, members[n], size, span),
                -sum(other in friends for other in members[n]),
                len(members[n]),
                n,
            ),
        )
        members[name].append(one)


def _fits(facts: Facts, one: int, group: list[int], size: int, span: int) -> bool:
    if len(group) >= size or not may_share(facts, one, group):
        return False
    births = [birth for other in [*group, one] if (birth := facts.birth[other])]
    return not span or len(births) < 2 or age_months(min(births), max(births)) <= span


def _finish(
    facts: Facts,
    kept: dict[str, HomeGroup],
    members: dict[str, list[int]],
    leads: list[int],
    kinds: list[SessionKind],
    seed: int,
) -> list[HomeGroup]:
    policy = facts.policy
    labels = Labels(f"{facts.problem.site}/{policy.term}/{seed}", True, [group.label for group in kept.values()])
    zones = [facts.zones[number] for number in facts.zones_for[kinds[0].id]] if kinds else []
    free_adults = sorted(leads, key=lambda n: (-sum(s.minutes for s in facts.adults[n].available), facts.adults[n].id))
    for group in kept.values():
        if group.adult in facts.adult_of and facts.adult_of[group.adult] in free_adults:
            free_adults.remove(facts.adult_of[group.adult])
    used = {group.zone for group in kept.values()}
    groups = []
    for name, ones in sorted(members.items()):
        if not ones:
            continue
        old = kept.get(name)
        adult = old.adult if old and old.adult in facts.adult_of else ""
        if not adult and free_adults:
            fit = (
                [n for n in free_adults if not any(facts.barred(one, [n], 0, None) for one in ones)]
                if facts.zones
                else []
            )
            if fit:
                free_adults.remove(fit[0])
                adult = facts.adults[fit[0]].id
        zone = old.zone if old and old.zone in facts.zone_of else ""
        if not zone:
            step_free = any(facts.step_free[one] for one in ones)
            options = [z for z in zones if z.id not in used and (z.step_free or not step_free)]
            best = min(options, key=lambda z: (z.seats < len(ones), abs(z.seats - len(ones)), z.id), default=None)
            if best:
                zone = best.id
                used.add(zone)
        label = old.label if old else labels.deal(name)
        groups.append(HomeGroup(name, label, tuple(facts.learners[one].id for one in ones), adult, zone))
    return groups
