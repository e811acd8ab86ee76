"""How far an import has come."""

from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_stream_key, by_type

from atelier_profile.domain.registry import registry
from atelier_profile.domain.roster_import import (
    RosterChunkApplied,
    RosterImportAccepted,
    RosterImportCompleted,
    RosterImportPreviewed,
    RosterImportRefused,
)
from atelier_profile.importing.rosters import plan_view


def _previewed(_document: Body | None, event: RosterImportPreviewed, recorded: RecordedEvent, key: str) -> Body:
    return {
        "import_id": key,
        "state": "previewed",
        "previewed_at": recorded.recorded_at,
        "applied_chunks": 0,
        **plan_view(event.plan),
    }


def _accepted(document: Body | None, event: RosterImportAccepted, recorded: RecordedEvent, _key: str) -> Body:
    return {
        **(document or {}),
        "state": "applying",
        "accepted_at": recorded.recorded_at,
        "accepted_by": recorded.actor,
        "confirmed_deactivations": event.confirmed_deactivations,
    }


def _refused(document: Body | None, event: RosterImportRefused, _recorded: RecordedEvent, _key: str) -> Body:
    return {**(document or {}), "state": "refused", "reason": event.reason}


def _applied(document: Body | None, event: RosterChunkApplied, _recorded: RecordedEvent, _key: str) -> Body:
    return {**(document or {}), "applied_chunks": event.chunk + 1}


def _completed(document: Body | None, _event: RosterImportCompleted, recorded: RecordedEvent, _key: str) -> Body:
    return {**(document or {}), "state": "completed", "completed_at": recorded.recorded_at}


HANDLERS: dict[type, Any] = {
    RosterImportPreviewed: _previewed,
    RosterImportAccepted: _accepted,
    RosterImportRefused: _refused,
    RosterChunkApplied: _applied,
    RosterImportCompleted: _completed,
}

roster_imports = Projection(
    name="roster_imports",
    version=1,
    keys=by_stream_key,
    apply=by_type(HANDLERS),
    indexes=("previewed_at",),
    types=frozenset(registry.name_of(event) for event in HANDLERS),
)
