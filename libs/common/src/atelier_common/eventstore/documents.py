"""The event store over the document port: the same code on memory and on every document database.

An append is one insert, and the id (stream, version) decides every race. Positions are given later, by the sequencer,
in segments; a reader takes them from there. Of the database this asks that each write is atomic and durable when
acknowledged, and that the reads of one client never go back in time, not behind its own writes either.
"""

import asyncio
import base64
import bisect
import hashlib
import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence

from atelier_common.clock import SystemClock
from atelier_common.commit import Commit
from atelier_common.documents.port import SYSTEM, Body, Documents, Insert, Replace
from atelier_common.doorbell import Doorbell
from atelier_common.errors import NotFound, Unavailable
from atelier_common.eventstore.joining import JoinedAppends
from atelier_common.eventstore.known import KnownVersions, Slot
from atelier_common.eventstore.layout import (
    LAST_CHARACTER,
    LOG,
    LOG_INDEXES,
    LOGS,
    LONGEST_SEGMENT,
    PARTS,
    commit_document,
    commit_id,
    commit_of,
    last_commit_id,
)
from atelier_common.eventstore.port import Appended, AppendOutcome, VersionTaken
from atelier_common.eventstore.recent import RecentCommits
from atelier_common.eventstore.segments import given, last_segment, segments_behind_the_cleared
from atelier_common.eventstore.sequencer import Sequencer
from atelier_common.eventstore.sequencing import SequencerLoop
from atelier_common.eventstore.waiting import Appending
from atelier_common.lease import LEASE_MS

_CHUNK_BYTES = 4_000_000
_SEGMENTS_AT_ONCE = 200
_TENANTS_AT_ONCE = 1000
_TENANTS_KNOWN_SECONDS = 2.0
"""How long a tenant that another process has met first may go unnoticed: everybody who follows the log asks who there is."""


def random_incarnation() -> str:
    """The only random identity of a log: two restores of one backup must differ."""
    return str(uuid.uuid4())


class DocumentEventStore:
    """The event store port over documents, as DESIGN.md promises 1 and 3.

    :meth:`start` also starts this replica's sequencer, which works while it holds the lease; with ``sequencing=False``
    another process does it. ``owner`` names the replica and is unique among those alive; ``now`` is its own time of day,
    by which commits that wait for their positions are taken, the longest waiting first.
    """

    def __init__(
        self,
        documents: Documents,
        *,
        owner: str | None = None,
        sequencing: bool = True,
        new_incarnation: Callable[[], str] = random_incarnation,
        lease_ttl_ms: int = LEASE_MS,
        idle_seconds: float = 1.0,
        now: Callable[[], int] | None = None,
    ) -> None:
        self._documents = documents
        self._now = now or SystemClock().now
        self._since = 0
        self._new_incarnation = new_incarnation
        self._incarnations: dict[str, str] = {}
        self._known = KnownVersions()
        self._recent = RecentCommits()
        self._known_heads: dict[str, int] = {}
        self._segments_read: dict[str, int] = {}
        """How many segments the last full page of a log was read from."""
        self._tenants: list[str] = []
        self._tenants_known_until = -math.inf
        self._joined: dict[str, JoinedAppends] = {}
        self._sent: dict[int, Commit] = {}
        """By the identity of its document: what is on its way to the database."""
        self.changed = Doorbell()
        self.appended = Doorbell()
        """Something was appended that has no position yet."""
        self._loop = (
            SequencerLoop(
                documents,
                self.tenants,
                owner=owner or str(uuid.uuid4()),
                bell=self.appended,
                placed=self.note_placed,
                lease_ttl_ms=lease_ttl_ms,
                idle_seconds=idle_seconds,
            )
            if sequencing
            else None
        )

    async def start(self) -> None:
        await self._documents.ensure_index(LOG, LOG_INDEXES)
        if self._loop is not None:
            self._loop.start()

    async def close(self) -> None:
        if self._loop is not None:
            await self._loop.close()

    @property
    def sequencing(self) -> bool:
        """Whether this process gives positions at this moment."""
        return self._loop is not None and self._loop.leading

    def others_appended(self) -> None:
        """Another replica says that something waits for its position."""
        if self._loop is not None:
            self._loop.look()

    async def incarnation(self, tenant: str) -> str:
        if tenant not in self._incarnations:
            await self._documents.write([Insert(SYSTEM, LOGS, tenant, {"incarnation": self._new_incarnation()})])
            document = await self._documents.find(SYSTEM, LOGS, tenant)
            if document is None:
                raise Unavailable("the log's own document cannot be read back")
            self._incarnations[tenant] = document["incarnation"]
            if tenant not in self._tenants:
                bisect.insort(self._tenants, tenant)
        return self._incarnations[tenant]

    async def renew_incarnation(self, tenant: str) -> str:
        """Say that this log was restored: neighbours will notice and resynchronise. Part of every restore."""
        fresh = self._new_incarnation()
        body: Body = {"incarnation": fresh}
        await self._documents.write([Replace(SYSTEM, LOGS, tenant, body, upsert=True)])
        self._incarnations[tenant] = fresh
        self._recent.forget()
        self._known_heads.pop(tenant, None)
        return fresh

    async def tenants(self) -> list[str]:
        now = asyncio.get_running_loop().time()
        if now >= self._tenants_known_until:
            # A log never goes, and one that was begun here meanwhile may not be in what was found.
            self._tenants = sorted({*await self._list_tenants(), *self._tenants})
            self._tenants_known_until = now + _TENANTS_KNOWN_SECONDS
        return list(self._tenants)

    async def _list_tenants(self) -> list[str]:
        found: list[str] = []
        while True:
            page = await self._documents.scan(
                SYSTEM, LOGS, low=found[-1] + "\x00" if found else None, limit=_TENANTS_AT_ONCE
            )
            found += [tenant for tenant, _ in page]
            if len(page) < _TENANTS_AT_ONCE:
                return found

    async def append(self, commits: Sequence[Commit]) -> list[AppendOutcome]:
        bodies: list[Body] = []
        for commit in commits:
            # Microseconds, each later than the one before, so that one process's commits get their positions in its order.
            self._since = max(self._since + 1, self._now() * 1_000)
            bodies.append(commit_document(commit, self._since))
        tenants = list(dict.fromkeys(commit.tenant for commit in commits))
        for tenant in tenants:
            await self.incarnation(tenant)
        outcomes: list[AppendOutcome] = [VersionTaken() for _ in commits]
        refused: set[Slot] = set()
        here = {tenant: self._loop.of(tenant).waiting for tenant in tenants} if self._loop else {}
        try:
            with Appending(here) as appending:
                for wave in _waves(commits):
                    open_ones = [index for index in wave if _stream(commits[index]) not in refused]
                    for index in await self._inserted(open_ones, commits, bodies):
                        outcomes[index] = Appended(commits[index])
                        appending.durable(commits[index].tenant, bodies[index])
                    refused |= {_stream(commits[index]) for index in wave if isinstance(outcomes[index], VersionTaken)}
        finally:
            if self._loop is None or self._loop.restless(tenants):
                self.appended.ring()
        return outcomes

    async def _inserted(self, wave: Sequence[int], commits: Sequence[Commit], bodies: Sequence[Body]) -> list[int]:
        """Write these, each of another stream; which of them are in the log now."""
        await self._learn_predecessors([commits[index] for index in wave])
        # A predecessor, once there, stays: looking first and inserting then leaves no gap in a stream.
        ready: dict[str, list[int]] = {}
        for index in wave:
            if self._follows(commits[index]):
                ready.setdefault(commits[index].tenant, []).append(index)
        sent = {id(bodies[index]): commits[index] for some in ready.values() for index in some}
        self._sent |= sent
        try:
            outcomes = await asyncio.gather(
                *(self._joined_of(tenant).append([bodies[index] for index in some]) for tenant, some in ready.items())
            )
        finally:
            for one in sent:
                del self._sent[one]
        taken = [
            index
            for some, inserted in zip(ready.values(), outcomes, strict=True)
            for index, is_new in zip(some, inserted, strict=True)
            if is_new
        ]
        for index in taken:
            self._known.remember(_stream(commits[index]), commits[index].version)
            if not commits[index].position:
                self._recent.remember(commits[index])
        return taken

    def _joined_of(self, tenant: str) -> JoinedAppends:
        if tenant not in self._joined:
            sequencer = self._loop.of(tenant) if self._loop else Sequencer(self._documents, tenant)
            self._joined[tenant] = JoinedAppends(sequencer.append)
        return self._joined[tenant]

    def _follows(self, commit: Commit) -> bool:
        return self._known.reaches(_stream(commit), commit.version - 1)

    async def _learn_predecessors(self, commits: Sequence[Commit]) -> None:
        unknown: dict[str, list[Commit]] = {}
        for commit in commits:
            if not self._follows(commit):
                unknown.setdefault(commit.tenant, []).append(commit)
        for tenant, asked in unknown.items():
            ids = {commit_id(commit.stream, commit.version - 1): commit for commit in asked}
            for id in await self._documents.find_many(tenant, LOG, ids):
                self._known.remember(_stream(ids[id]), ids[id].version - 1)

    async def read_stream(self, tenant: str, stream: str, after: int = 0, limit: int | None = None) -> list[Commit]:
        found: list[Commit] = []
        # What is durable never changes: what is remembered need not be asked for.
        while len(found) != limit and (met := self._recent.find(tenant, stream, after + len(found) + 1)) is not None:
            found.append(met)
        while limit is None or len(found) < limit:
            wanted = 1000 if limit is None else min(1000, limit - len(found))
            low = commit_id(stream, after + len(found) + 1)
            page = await self._documents.scan(tenant, LOG, low=low, high=last_commit_id(stream), limit=wanted)
            found += [commit_of(tenant, document) for _, document in page]
            if len(page) < wanted:
                break
        if found:
            self._known.remember((tenant, stream), found[-1].version)
        return found

    async def read_streams(self, tenant: str, streams: Iterable[str]) -> dict[str, list[Commit]]:
        found: dict[str, list[Commit]] = {stream: [] for stream in streams}
        growing = list(found)
        first, count = 1, 1
        while (
            growing
        ):  # versions 1, then 2 to 5, then 6 to 21 ... of those that have so many: most streams are new or short
            versions = range(first, first + count)
            ids = [commit_id(stream, version) for stream in growing for version in versions]
            documents = await self._documents.find_many(tenant, LOG, ids)
            for stream in growing:
                for version in versions:
                    document = documents.get(commit_id(stream, version))
                    if document is None:
                        break
                    found[stream].append(commit_of(tenant, document))
            first += count
            count *= 4
            growing = [stream for stream in growing if len(found[stream]) == first - 1]
        for stream, commits in found.items():
            if commits:
                self._known.remember((tenant, stream), commits[-1].version)
        return found

    async def find_command(self, tenant: str, stream: str, command_id: str) -> Commit | None:
        # Streams are short, and this is seldom asked: an index of commands would cost every append a quarter of its time.
        for commit in await self.read_stream(tenant, stream):
            if commit.command_id == command_id:
                return commit
        return None

    async def read_log(self, tenant: str, after: int, limit: int = 500) -> list[Commit]:
        taken = self._recent.after(tenant, after, limit)
        asked = self._segments_read.get(tenant, 0) + 1
        used = 0
        while len(taken) < limit:
            start = after + len(taken)
            found = await self._segments(tenant, start, limit - len(taken), asked)
            placed = _placed([segment for _, segment in found], start, limit - len(taken))
            commits = await self._commits_at(tenant, placed)
            taken += commits
            if len(commits) < len(placed) or not placed or len(found) < asked:
                break
            used += len(found)
            asked = min(2 * asked, _SEGMENTS_AT_ONCE)
        else:
            self._segments_read[tenant] = min(used, _SEGMENTS_AT_ONCE - 1)
        if taken:
            self._know_head(tenant, taken[-1].position)
        return taken

    async def _segments(self, tenant: str, after: int, commits: int, limit: int) -> list[tuple[str, Body]]:
        """The first ``limit`` segments of those that place so many commits after a position, in order."""
        # A server may look through all that lie in the range before it gives the first: without an end that is the rest of the log.
        until = after + commits + LONGEST_SEGMENT
        return await self._documents.scan(tenant, LOG, "last", low=after + 1, high=until, limit=limit)

    def note_placed(self, tenant: str, segment: Body, documents: Mapping[str, Body]) -> None:
        """This process's sequencer gave these commits their positions: who follows the log here need not ask for them."""
        for (stream, version), position in _placed([segment], segment["first"] - 1, len(segment["commits"])).items():
            document = documents[commit_id(stream, version)]
            commit = self._recent.find(tenant, stream, version) or self._sent.get(id(document))
            if commit is None:
                commit = commit_of(tenant, document)
            commit.position = position
            self._recent.remember(commit)
        self._know_head(tenant, segment["last"])
        self.changed.ring()

    def known_head(self, tenant: str) -> int:
        return self._known_heads.get(tenant, 0)

    def _know_head(self, tenant: str, position: int) -> None:
        self._known_heads[tenant] = max(position, self.known_head(tenant))

    async def _commits_at(self, tenant: str, placed: Mapping[tuple[str, int], int]) -> list[Commit]:
        """The commits that stand at these positions, in order. It ends in front of one whose segment is here and itself not yet."""
        known = {slot: self._recent.find(tenant, *slot) for slot in placed}
        ids = {commit_id(*slot): slot for slot, commit in known.items() if commit is None}
        for id, document in (await self._documents.find_many(tenant, LOG, ids) if ids else {}).items():
            known[ids[id]] = commit_of(tenant, document)
        found: list[Commit] = []
        for slot, position in placed.items():
            commit = known[slot]
            if commit is None:
                break
            commit.position = position
            self._recent.remember(commit)
            found.append(commit)
        return found

    async def head(self, tenant: str) -> int:
        segment = await last_segment(self._documents, tenant)
        head = int(segment["last"]) if segment else 0
        self._know_head(tenant, head)
        return head

    async def _still_marked(self, tenant: str) -> dict[tuple[str, int], int]:
        """(stream, version) with their positions of all that has one and may still be marked as pending."""
        last = await last_segment(self._documents, tenant)
        behind = await segments_behind_the_cleared(self._documents, tenant, last) if last else []
        return {key: position for segment in behind for key, position in given(segment)}

    async def pending_since(self, tenant: str) -> int | None:
        """When the commit that waits longest for its position was written, by its writer's time of day; None: none waits."""
        if not await self._documents.scan(tenant, LOG, "pending", limit=1):
            return None
        marked = await self._still_marked(tenant)
        for _, document in await self._documents.scan(tenant, LOG, "pending", limit=len(marked) + 1):
            if (document["stream"], document["version"]) not in marked:
                return int(document["pending"]) // 1_000
        return None

    async def position_of(self, tenant: str, stream: str, version: int) -> int | None:
        known = self._recent.find(tenant, stream, version)
        if known is not None and known.position:
            return known.position
        id = commit_id(stream, version)
        document = await self._documents.find(tenant, LOG, id)
        if document is None or "position" in document:
            return None if document is None else int(document["position"])
        position = (await self._still_marked(tenant)).get((stream, version))
        if position is not None:
            return position
        # It may have got its position, and lost its mark, since it was read.
        document = await self._documents.find(tenant, LOG, id)
        return int(document["position"]) if document is not None and "position" in document else None

    async def list_streams(self, tenant: str, prefix: str, after: str = "", limit: int = 1000) -> list[str]:
        low = max(prefix, after + "\x00" if after else "")
        found = await self._documents.scan(tenant, LOG, "opened", low=low, high=prefix + LAST_CHARACTER, limit=limit)
        return [document["opened"] for _, document in found]

    async def put_part(self, tenant: str, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        chunks = [content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES)]
        bodies: dict[str, Body] = {
            f"{digest}/{number:06d}": {"content": base64.b64encode(chunk).decode("ascii")}
            for number, chunk in enumerate(chunks)
        }
        # Whoever has the digest was told that all of them are durable, whichever came first.
        bodies[digest] = {"chunks": len(chunks)}
        await self._documents.write([Insert(tenant, PARTS, id, body) for id, body in bodies.items()])
        return digest

    async def get_part(self, tenant: str, digest: str) -> bytes:
        part = await self._documents.find(tenant, PARTS, digest)
        if part is None:
            raise NotFound(f"no part {digest}")
        content = bytearray()
        for number in range(part["chunks"]):
            chunk = await self._documents.find(tenant, PARTS, f"{digest}/{number:06d}")
            if chunk is None:
                raise Unavailable(f"part {digest} cannot be read whole")
            content += base64.b64decode(chunk["content"])
        return bytes(content)


def _stream(commit: Commit) -> Slot:
    return commit.tenant, commit.stream


def _waves(commits: Sequence[Commit]) -> list[list[int]]:
    """Indexes of the commits, those of one stream one wave apart, so that none is written before its predecessor is
    known.
    """
    depth: dict[Slot, int] = {}
    waves: list[list[int]] = []
    for index, commit in enumerate(commits):
        wave = depth.get(_stream(commit), 0)
        depth[_stream(commit)] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(index)
    return waves


def _placed(segments: Sequence[Body], after: int, limit: int) -> dict[tuple[str, int], int]:
    """(stream, version) of the segments' commits with their positions after ``after``, dense; ends at the first hole."""
    placed: dict[tuple[str, int], int] = {}
    for segment in segments:
        for (stream, version), position in given(segment):
            if len(placed) == limit:
                return placed
            if position <= after:
                continue
            if position != after + len(placed) + 1:
                return placed
            placed[(stream, version)] = position
    return placed
