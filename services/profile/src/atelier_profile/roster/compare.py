"""The wanted roster beside the present one: what would be created, changed, deactivated, left alone."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from atelier_profile.domain.roster_import import Count, Sample

SAMPLES_PER_CHANGE = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record of the file under its own id. ``fingerprint`` stands for all of its content."""

    kind: str
    id: str
    fingerprint: str
    table: str
    row: int


@dataclass(frozen=True, slots=True)
class Present:
    """One record as it is known now. An erased one stays as it is, whatever a roster says."""

    kind: str
    id: str
    fingerprint: str
    active: bool
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """``news`` are the (kind, id) to be recorded, ``gone`` those to be deactivated, both in a fixed order."""

    news: tuple[tuple[str, str], ...]
    gone: tuple[tuple[str, str], ...]
    counts: Mapping[str, Count]
    samples: tuple[Sample, ...]


def compare(wanted: Iterable[Wanted], present: Iterable[Present]) -> Difference:
    known = {(record.kind, record.id): record for record in present}
    tally: Counter[tuple[str, str]] = Counter()
    active = Counter(record.kind for record in known.values() if record.active)
    samples: list[Sample] = []
    news: list[tuple[str, str]] = []
    named: set[tuple[str, str]] = set()

    def note(change: str, kind: str, id: str, table: str = "", row: int = 0) -> None:
        tally[kind, change] += 1
        if change != "unchanged" and tally[kind, change] <= SAMPLES_PER_CHANGE:
            samples.append(Sample(change, kind, id, table, row))

    for record in wanted:
        slot = (record.kind, record.id)
        named.add(slot)
        held = known.get(slot)
        change = _change(record, held)
        note(change, record.kind, record.id, record.table, record.row)
        if change != "unchanged":
            news.append(slot)
    gone = sorted(slot for slot, record in known.items() if record.active and slot not in named)
    for kind, id in gone:
        note("deactivated", kind, id)
    kinds = sorted({kind for kind, _ in tally} | set(active))
    counts = {
        kind: Count(
            active[kind],
            tally[kind, "created"],
            tally[kind, "changed"],
            tally[kind, "deactivated"],
            tally[kind, "unchanged"],
        )
        for kind in kinds
    }
    return Difference(tuple(news), tuple(gone), counts, tuple(samples))


def _change(record: Wanted, held: Present | None) -> str:
    if held is None:
        return "created"
    if held.erased or (held.active and held.fingerprint == record.fingerprint):
        return "unchanged"
    return "changed"
