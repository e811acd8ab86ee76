"""What many runs came to: a row for each fault, and below it what was broken and how to see it again."""

from collections.abc import Iterable, Iterator

from tests.faults.servers.scene import Outcome

_HEAD = (
    f"{'fault':40}{'seeds':>6}{'acknowledged':>14}{'refused':>9}{'again':>7}"
    f"{'unreadable s':>14}{'recovery s':>12}{'violations':>12}"
)
_SHOWN = 5
"""Violations of one run that are written out: a promise that is broken once is often broken a hundred times."""


def table(outcomes: Iterable[Outcome]) -> str:
    """Sums of what was acknowledged, refused and (lost by a restore, as it may be) posted again; the longest times; violations."""
    by_fault: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_fault.setdefault(one.fault, []).append(one)
    lines = [_HEAD]
    for fault, runs in by_fault.items():
        lines.append(_row(fault, runs))
        lines += (line for one in runs for line in broken(one))
    if len(by_fault) > 1:
        lines.append(_row(f"{len(by_fault)} faults", [one for runs in by_fault.values() for one in runs]))
    return "\n".join(lines)


def _row(name: str, runs: list[Outcome]) -> str:
    return (
        f"{name:40}{len(runs):6}{sum(one.acknowledged for one in runs):14}"
        f"{sum(one.refused for one in runs):9}{sum(one.again for one in runs):7}"
        f"{max(one.unreadable for one in runs):14.1f}{max(one.recovery for one in runs):12.1f}"
        f"{sum(len(one.wrong) for one in runs):12}"
    )


def broken(one: Outcome) -> Iterator[str]:
    """What one run broke, and how to have its choices made again."""
    if not one.wrong:
        return
    yield f"  seed {one.seed}: make faults ARGS='--only {one.fault} --seed {one.seed}'"
    yield from (f"    {line}" for line in one.wrong[:_SHOWN])
    if len(one.wrong) > _SHOWN:
        yield f"    and {len(one.wrong) - _SHOWN} more"
