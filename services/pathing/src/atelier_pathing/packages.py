"""Frameworks on their way into the log: packages as content-addressed parts, versions as chunks for the neighbours."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from atelier_common.eventstore.port import EventStore

from atelier_pathing.case.model import Framework
from atelier_pathing.case.reading import canonical_package, parse_package
from atelier_pathing.domain.framework import MOST_PER_CHUNK, ListedCompetency, ListedPrerequisite

PART_BYTES = 4_000_000
CHUNK_BYTES = 300_000

Marks = Mapping[tuple[str, str], bool]
"""(from, to) -> whether a person said that this edge gates."""


def pack(package: Mapping[str, Any]) -> list[bytes]:
    """The package compressed and cut into parts; the same package gives the same parts."""
    packed = zlib.compress(canonical_package(package), 6)
    return [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]


def unpack(parts: Sequence[bytes]) -> dict[str, Any]:
    """The package that :func:`pack` packed."""
    content = zlib.decompress(b"".join(parts))
    return parse_package(content, limit=len(content))


async def read_parts(store: EventStore, tenant: str, digests: Sequence[str]) -> list[bytes]:
    return [await store.get_part(tenant, digest) for digest in digests]


Chunk = tuple[tuple[ListedCompetency, ...], tuple[ListedPrerequisite, ...]]


def chunks_of(framework: Framework, marks: Marks | None = None) -> list[Chunk]:
    """The framework in slices of at most 500 competencies and some 300 kB; a prerequisite stands with what it leads to.

    Where the cuts lie depends on the package alone, never on marks.
    """
    leading: dict[str, list[ListedPrerequisite]] = {}
    for edge in framework.prerequisites:
        essential = (marks or {}).get((edge.from_id, edge.to_id), edge.essential)
        leading.setdefault(edge.to_id, []).append(ListedPrerequisite(edge.from_id, edge.to_id, essential))
    chunks: list[Chunk] = []
    competencies: list[ListedCompetency] = []
    prerequisites: list[ListedPrerequisite] = []
    size = 0
    for competency in framework.competencies:
        mine = leading.get(competency.competency_id, [])
        weight = 300 + len(competency.statement.encode()) + len(competency.uri) + 150 * len(mine)
        if competencies and (len(competencies) >= MOST_PER_CHUNK or size + weight > CHUNK_BYTES):
            chunks.append((tuple(competencies), tuple(prerequisites)))
            competencies, prerequisites, size = [], [], 0
        size += weight
        prerequisites += mine
        competencies.append(
            ListedCompetency(
                competency.competency_id,
                competency.uri,
                competency.code,
                competency.statement,
                competency.subject,
                competency.container,
            )
        )
    if competencies or not chunks:
        chunks.append((tuple(competencies), tuple(prerequisites)))
    return chunks
