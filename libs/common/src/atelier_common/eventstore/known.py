"""How far streams are known to reach: a fact that only ever grows, so that what is remembered of it cannot be wrong."""

Slot = tuple[str, str]
"""A stream of a tenant."""

_REMEMBERED_STREAMS = 20_000


class KnownVersions:
    """For the streams met last, a version that is durable, and so every one before it."""

    def __init__(self) -> None:
        self._versions: dict[Slot, int] = {}

    def reaches(self, slot: Slot, version: int) -> bool:
        """Whether this version is known to exist. False says nothing."""
        return self._versions.get(slot, 0) >= version

    def remember(self, slot: Slot, version: int) -> None:
        """This version was seen to be durable."""
        self._versions[slot] = max(version, self._versions.pop(slot, 0))
        if len(self._versions) > _REMEMBERED_STREAMS:
            del self._versions[next(iter(self._versions))]
