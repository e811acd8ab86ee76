"""Rosters received: previewed whole or refused whole, accepted, and from there on applied by a reaction."""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from atelier_common.commands import Accepted, Commands, Request
from atelier_common.commit import Context
from atelier_common.errors import NotFound, RuleBroken
from atelier_common.eventstore.port import EventStore
from atelier_common.ids import derive_id
from atelier_common.privacy.keyring import Keyring
from atelier_common.projection import ReadModel

from atelier_profile.domain.roster_import import (
    AcceptImport,
    ImportPlan,
    NoImport,
    Previewed,
    PreviewImport,
    roster_import,
)
from atelier_profile.domain.roster_turn import KEY, RosterTurn, denial, roster_turn
from atelier_profile.importing.parts import chunks
from atelier_profile.importing.planning import compared
from atelier_profile.importing.sealing import sealed_commands
from atelier_profile.roster.compare import Present

DEFAULT_THRESHOLD_PERCENT = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a roster that was sent. ``plan`` without parts means that the file says nothing new: nothing is stored."""

    import_id: str
    plan: ImportPlan
    accepted: Accepted | None


class RosterImports:
    """Previews and accepts imports of one service."""

    def __init__(
        self,
        commands: Commands,
        store: EventStore,
        keyring: Keyring,
        entries: ReadModel,
        threshold_percent: float = DEFAULT_THRESHOLD_PERCENT,
    ) -> None:
        self._commands = commands
        self._store = store
        self._keyring = keyring
        self._entries = entries
        self._threshold = threshold_percent

    async def preview(self, context: Context, zipped: bytes) -> Received:
        """Check the whole file and compare it with the roster; nothing of it is applied.

        The same command id gives the same import. Raises InvalidInput or TooLarge for a file that is refused, RuleBroken while
        another import is being applied.
        """
        tenant = context.tenant
        import_id = derive_id(tenant, context.command_id, "roster-import")
        key = await self._keyring.pseudonym_key(tenant)
        digest = hashlib.sha256(key + zipped).hexdigest()
        state, _ = await self._commands.load(roster_import, tenant, import_id)
        plan = None if isinstance(state, NoImport) else getattr(state, "plan", None)
        if plan is None:
            plan = await self._plan(context, zipped, key, digest)
            if not plan.parts:
                return Received(import_id, plan, None)
        command = PreviewImport(import_id, digest, plan, context.now)
        accepted = await self._commands.execute(Request(roster_import, import_id, command, context))
        return Received(import_id, plan, accepted)

    async def accept(self, context: Context, import_id: str, confirmed_deactivations: int | None) -> Accepted:
        """Let an import be applied; it then is, whatever crashes. Raises RuleBroken beyond the threshold or out of turn."""
        state, _ = await self._commands.load(roster_import, context.tenant, import_id)
        if isinstance(state, NoImport):
            raise NotFound(f"there is no import {import_id}")
        if isinstance(state, Previewed):
            await self._check_turn(context.tenant, import_id, state.plan.baseline)
        command = AcceptImport(import_id, confirmed_deactivations, context.now)
        return await self._commands.execute(Request(roster_import, import_id, command, context))

    async def _check_turn(self, tenant: str, import_id: str, baseline: str) -> None:
        # Asked here only to answer at once; the turn itself is taken by the reaction, where it cannot be forgotten.
        turn, _ = await self._commands.load(roster_turn, tenant, KEY)
        reason = denial(import_id, baseline, turn)
        if reason is not None:
            raise RuleBroken(reason, rule="one-import-at-a-time", import_id=turn.taken_by or turn.last)

    async def _plan(self, context: Context, zipped: bytes, key: bytes, digest: str) -> ImportPlan:
        tenant = context.tenant
        turn, version = await self._commands.load(roster_turn, tenant, KEY)
        assert isinstance(turn, RosterTurn)
        if turn.taken_by:
            raise RuleBroken(
                f"import {turn.taken_by} is still being applied", rule="one-import-at-a-time", import_id=turn.taken_by
            )
        if version:
            await self._entries.caught_up(tenant, f"{roster_turn.category}/{KEY}", version)
        present = [_present(key, document) for key, document in await self._entries.all(tenant)]
        today = datetime.fromtimestamp(context.now / 1000, UTC).date().isoformat()
        # Parsing a large district takes seconds of pure computing: other requests must not wait for it.
        comparison = await asyncio.to_thread(compared, zipped, key, today, present)
        planned = await sealed_commands(comparison, tenant, self._keyring, context.now)
        parts = [await self._store.put_part(tenant, chunk) for chunk in chunks(planned)]
        return ImportPlan(
            file_digest=digest,
            baseline=turn.last,
            counts=comparison.difference.counts,
            samples=comparison.difference.samples,
            parts=tuple(parts),
            commands=len(planned),
            threshold_percent=self._threshold,
            without_role=comparison.without_role,
        )


def _present(stream: str, document: dict[str, Any]) -> Present:
    kind, _, identifier = stream.partition("/")
    return Present(kind, identifier, document["fingerprint"], document["active"], erased=document.get("erased", False))


def plan_view(plan: ImportPlan) -> dict[str, Any]:
    """A plan as people see it: counts and samples, no digest of a part."""
    return {
        "counts": {kind: _counted(count) for kind, count in plan.counts.items()},
        "samples": [
            {"change": one.change, "kind": one.kind, "id": one.id, "table": one.table, "row": one.row}
            for one in plan.samples
        ],
        "commands": plan.commands,
        "chunks": len(plan.parts),
        "deactivated": plan.deactivated,
        "beyond_threshold": list(plan.beyond_threshold()),
        "threshold_percent": plan.threshold_percent,
        "without_role": plan.without_role,
    }


def _counted(count: Any) -> dict[str, int]:
    names = ("active", "created", "changed", "deactivated", "unchanged")
    return {name: getattr(count, name) for name in names}
