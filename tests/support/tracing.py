"""From any commit back to what caused it, through every log, as `/operator/v1` shows them."""

from collections.abc import Iterator
from typing import Any

from atelier_common.ids import event_id

from tests.support.running import District

Commit = dict[str, Any]
SERVICES = ("profile", "assessment", "pathing", "scheduling")


class Causes:
    """Every commit of a district by the ids of its events."""

    def __init__(self, district: District) -> None:
        self._of_event: dict[str, Commit] = {}
        incarnations = district.incarnations()
        for service in SERVICES:
            for commit in district.log(service):
                commit["service"] = service
                for ordinal in range(len(commit["events"])):
                    key = event_id(incarnations[service], commit["stream"], commit["version"], ordinal)
                    self._of_event[key] = commit

    def behind(self, commit: Commit) -> Iterator[Commit]:
        """The commit, what caused it, what caused that, and so on to what somebody sent."""
        yield commit
        for cause in commit["causation_ids"]:
            yield from self.behind(self._of_event[cause])
