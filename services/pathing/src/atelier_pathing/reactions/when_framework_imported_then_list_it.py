"""When a framework was imported, it is listed chunk by chunk and then, if so asked, adopted; a mark lists its chunk
anew.

The import itself is one small commit; what follows from it is rolled forward here, also after a crash.
"""

from collections.abc import Iterator, Sequence

from atelier_common.commands import Commands
from atelier_common.commit import RecordedEvent
from atelier_common.reaction import Issue, Reaction, each

from atelier_pathing.case.model import Framework
from atelier_pathing.curriculum import Curriculum
from atelier_pathing.domain.framework import (
    FRAMEWORK,
    AdoptFramework,
    FrameworkImported,
    FrameworkState,
    ListChunk,
)
from atelier_pathing.packages import chunks_of
from atelier_pathing.projections import framework_catalogue


def reaction(curriculum: Curriculum, commands: Commands) -> Reaction:
    async def react(recorded: RecordedEvent) -> Sequence[Issue]:
        event = recorded.event
        state, _ = await commands.load(FRAMEWORK, recorded.tenant, event.framework_id)
        if isinstance(event, FrameworkImported):
            framework = await curriculum.framework(recorded.tenant, event.digest, list(event.parts))
            wanted = None
        else:
            framework = (await curriculum.present(recorded.tenant, event.framework_id)).framework
            wanted = (event.from_id, event.to_id)
        issues = [
            Issue(recorded, FRAMEWORK, event.framework_id, command)
            for command in _listings(recorded.recorded_at, framework, state, wanted)
        ]
        if isinstance(event, FrameworkImported) and event.adopt:
            adopt = AdoptFramework(
                recorded.recorded_at, event.framework_id, event.digest, event.author, after_import=True
            )
            issues.append(Issue(recorded, FRAMEWORK, event.framework_id, adopt))
        return issues

    return Reaction(
        name="when_framework_imported_then_list_it",
        types=frozenset({"pathing.framework.imported", "pathing.framework.prerequisite-marked"}),
        react=each(react),
        after=(framework_catalogue.NAME,),
    )


def _listings(
    now: int, framework: Framework, state: FrameworkState, wanted: tuple[str, str] | None
) -> Iterator[ListChunk]:
    """All chunks, or the one that holds the wanted edge, with the marks as they are now."""
    for number, (competencies, prerequisites) in enumerate(chunks_of(framework, state.marks)):
        if wanted is None or any((edge.from_id, edge.to_id) == wanted for edge in prerequisites):
            yield ListChunk(
                now,
                framework.framework_id,
                framework.digest,
                framework.title,
                number,
                state.mark_count,
                competencies,
                prerequisites,
            )
