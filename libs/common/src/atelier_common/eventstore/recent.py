"""The commits of a log that this process met last: what is durable never changes, so whoever reads it next need not ask again."""

from collections import OrderedDict

from atelier_common.commit import Commit

_REMEMBERED = 4_000
"""Commits of all tenants together, kept decoded for those who follow the log closely."""


class RecentCommits:
    """Commits known to be durable, by stream and version and, once they have one, by position."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._commits: OrderedDict[tuple[str, str, int], Commit] = OrderedDict()
        self._placed: dict[tuple[str, int], Commit] = {}
        self._last: dict[str, int] = {}

    def remember(self, commit: Commit) -> None:
        """This commit is durable, and stands at its position if it has one. Far from the end of the log it is passed over: whoever
        reads there reads alone.
        """
        last = self._last.get(commit.tenant, 0)
        if commit.position > last:
            self._last[commit.tenant] = commit.position
        elif 0 < commit.position < last - self._remembered:
            return
        self._commits[(commit.tenant, commit.stream, commit.version)] = commit
        if commit.position:
            self._placed[(commit.tenant, commit.position)] = commit
        if len(self._commits) > self._remembered:
            _, oldest = self._commits.popitem(last=False)
            self._placed.pop((oldest.tenant, oldest.position), None)

    def find(self, tenant: str, stream: str, version: int) -> Commit | None:
        return self._commits.get((tenant, stream, version))

    def after(self, tenant: str, position: int, limit: int) -> list[Commit]:
        """Those that follow this position without a hole."""
        found: list[Commit] = []
        while len(found) < limit and (commit := self._placed.get((tenant, position + 1 + len(found)))) is not None:
            found.append(commit)
        return found

    def forget(self) -> None:
        self._commits.clear()
        self._placed.clear()
