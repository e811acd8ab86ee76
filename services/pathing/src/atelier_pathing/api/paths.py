"""Paths over HTTP: what a learner is ready for and why, how the path came to be."""

from dataclasses import dataclass
from typing import Annotated, Any

from atelier_common.clock import Clock
from atelier_common.errors import NotFound
from atelier_common.http.kit import AfterDep, CallerDep, JsonResponse, PageDep, etag, require, require_learner
from atelier_common.privacy.keysource import KeySource
from atelier_common.privacy.sealed import Erased
from atelier_common.projection import ReadModel
from atelier_common.security.tokens import Caller
from fastapi import APIRouter, Query

from atelier_pathing.api.showing import ADULT_ROLES, ROLE_SHOWN, competency_for, is_adult, sentences
from atelier_pathing.domain.path_revision import PUBLISHED
from atelier_pathing.domain.path_state import standing_on
from atelier_pathing.engine.frontier import frontier, placement_probes
from atelier_pathing.reading import OpenedPath, Paths, Revision, counted

NOTE = "path_note"
"""The field name under which free text about a learner is sealed."""

FrameworkId = Annotated[str, Query(max_length=64, description="which framework, where several are followed")]


@dataclass(frozen=True)
class PathReaders:
    paths: Paths
    model: ReadModel
    keys: KeySource
    clock: Clock


def path_routes(readers: PathReaders) -> APIRouter:
    router = APIRouter(prefix="/pathing/v1", tags=["paths"])

    @router.get("/learners/{learner_id}/frontier")
    async def get_frontier(
        learner_id: str,
        caller: CallerDep,
        framework_id: FrameworkId = "",
        subject: Annotated[str, Query(max_length=200)] = "",
        next_only: Annotated[bool, Query(description="only the next steps of each subject, as published")] = False,
    ) -> JsonResponse:
        """What the learner is ready for now, in order, each with why. Every essential prerequisite of it is met.

        It is read from the log itself, so every accepted edit and all noted evidence is in it. ``probes_beyond`` are
        not to be taught yet: somebody asked to test out of them, or an answer there tells most of where the learner stands.
        """
        require_learner(caller, learner_id, *ADULT_ROLES)
        path = await readers.paths.open(caller.tenant, learner_id, framework_id)
        now = readers.clock.now()
        steps = (
            frontier(standing_on(path.state, path.taught.graph), path.state.wishes, now, PUBLISHED)
            if next_only
            else path.ready(now)
        )
        shown = [
            {
                **_competency(path, step.competency_id, caller, now),
                "state": step.state,
                "rank": step.rank,
                "origin": ROLE_SHOWN.get(path.state.first_by, path.state.first_by)
                if step.competency_id in path.state.first
                else "engine",
            }
            for step in steps
            if subject in ("", step.subject)
        ]
        graph = path.taught.graph
        asked = [key for key in sorted(path.state.asked) if key in graph.place and not path.is_ready(key)]
        placing = placement_probes(standing_on(path.state, graph))
        beyond = dict.fromkeys((*asked, *placing))
        return JsonResponse(
            {
                "learner_id": learner_id,
                "framework_id": path.taught.framework.framework_id,
                "revision": path.state.revision,
                "as_of_ms": now,
                "earned_count": path.earned_count,
                "frontier": shown,
                "probes_beyond": [
                    {**_competency(path, key, caller, now), "asked": key in path.state.asked}
                    for key in beyond
                    if subject in ("", graph.nodes[graph.place[key]].subject)
                ],
            },
            headers={"ETag": etag(path.state.revision)},
        )

    @router.get("/learners/{learner_id}/competencies/{competency_id}/readiness")
    async def explain(
        learner_id: str, competency_id: str, caller: CallerDep, framework_id: FrameworkId = ""
    ) -> JsonResponse:
        """Why a competency is, or is not, next for this learner."""
        require_learner(caller, learner_id, *ADULT_ROLES)
        path = await readers.paths.open(caller.tenant, learner_id, framework_id)
        if competency_id.lower() not in path.taught.graph.place:
            raise NotFound("This competency is not in the learner's framework.")
        shown = _competency(path, competency_id.lower(), caller, readers.clock.now())
        return JsonResponse({**shown, "ready": path.is_ready(competency_id.lower())})

    @router.get("/learners/{learner_id}/path")
    async def get_path(
        learner_id: str, caller: CallerDep, page: PageDep, framework_id: FrameworkId = ""
    ) -> JsonResponse:
        """The path: wishes in force, every revision with author, tag and reason (newest first), counts per tag."""
        require_learner(caller, learner_id, *ADULT_ROLES)
        path = await readers.paths.open(caller.tenant, learner_id, framework_id)
        revisions = await readers.paths.revisions(caller.tenant, learner_id, path.taught.framework.framework_id)
        by_tag, by_role = counted(revisions)
        rows = [
            (one.event.revision, one) for one in revisions if page.start is None or one.event.revision <= page.start
        ]
        history, following = page.cut(rows[: page.wanted])
        state = path.state
        shown: dict[str, Any] = {
            "learner_id": learner_id,
            "framework_id": path.taught.framework.framework_id,
            "revision": state.revision,
            "earned_count": path.earned_count,
            "order": list(state.first),
            "deferred": [{"competency_id": key, "until_ms": until} for key, until in sorted(state.deferred.items())],
            "test_outs": sorted(state.asked),
            "credited": sorted(state.credited),
            "waived": [
                {"competency_id": key} | ({"by": by} if is_adult(caller) else {})
                for key, by in sorted(state.waived_by.items())
            ],
            "revisions_by_tag": by_tag,
            "revisions_by_author": {ROLE_SHOWN.get(role, role): count for role, count in sorted(by_role.items())},
            "revisions": await _history(readers.keys, caller, history),
            "next_cursor": following,
        }
        return JsonResponse(shown, headers={"ETag": etag(state.revision)})

    @router.get("/paths")
    async def list_paths(caller: CallerDep, page: PageDep, after: AfterDep) -> JsonResponse:
        """All paths in short, for adults: where each stands, and the last edit that a person made."""
        require(caller, *ADULT_ROLES)
        if after is not None:
            await readers.model.caught_up(caller.tenant, after.stream, after.version)
        rows = await readers.model.scan(caller.tenant, low=page.start, limit=page.wanted)
        paths, following = page.cut([(key, _in_short(body)) for key, body in rows])
        return JsonResponse({"paths": paths, "next_cursor": following})

    return router


def _competency(path: OpenedPath, competency_id: str, caller: Caller, now: int) -> dict[str, Any]:
    adult = is_adult(caller)
    why = path.why(competency_id, now)
    known = path.state.estimates.get(competency_id)
    shown = competency_for(path.taught.competencies[competency_id], adult)
    if known is not None:
        shown |= {
            "estimate": known.estimate,
            "uncertainty": known.uncertainty,
            "earned": known.earned,
            "evidence_ids": list(known.evidence_ids),
        }
    if (until := path.state.deferred.get(competency_id, 0)) > now:
        shown["deferred_until_ms"] = until
    return {**shown, "reasons": why, "why": sentences(why, path.taught.competencies, adult)}


async def _history(keys: KeySource, caller: Caller, revisions: list[Revision]) -> list[dict[str, Any]]:
    """Revisions for one reader: ids of people and notes about the learner are for adults."""
    adult = is_adult(caller)
    notes = await _notes(keys, caller.tenant, revisions) if adult else {}
    shown = []
    for revision in revisions:
        event = revision.event
        told: dict[str, Any] = {
            "revision": event.revision,
            "at_ms": event.at,
            "author": ROLE_SHOWN.get(event.author_role, event.author_role),
            "tag": event.tag,
            "reason": {key: value for key, value in event.reason.items() if key != "note"},
            "edits": [{key: value for key, value in edit.items() if key != "note"} for edit in revision.edits],
            "frontier": [
                {"competency_id": step.competency_id, "subject": step.subject, "state": step.state}
                for step in event.frontier
            ],
            "evidence_ids": list(event.evidence_ids),
        }
        if adult:
            told |= {"author_id": event.author, "causes": list(event.causes)}
            if note := notes.get(event.revision):
                told["note"] = note
        shown.append(told)
    return shown


async def _notes(keys: KeySource, tenant: str, revisions: list[Revision]) -> dict[int, str]:
    sealed = [
        (revision.event.revision, note)
        for revision in revisions
        for note in (revision.event.reason.get("note"), *(edit.get("note") for edit in revision.edits))
        if note
    ]
    opened = await keys.open_many(tenant, [(NOTE, note) for _, note in sealed])
    return {number: note for (number, _), note in zip(sealed, opened, strict=True) if not isinstance(note, Erased)}


def _in_short(body: dict[str, Any]) -> dict[str, Any]:
    edit = body["last_edit"]
    return {
        "learner_id": body["learner_id"],
        "framework_id": body["framework_id"],
        "revision": body["revision"],
        "revised_at_ms": body["revised_at"],
        "frontier": body["frontier"],
        "earned_count": body["earned_count"],
        "revisions_by_tag": body["by_tag"],
        "last_edit": edit
        and {
            **edit,
            "author_role": ROLE_SHOWN.get(edit["author_role"], edit["author_role"]),
            "reason": edit["reason"]["code"],
        },
    }
