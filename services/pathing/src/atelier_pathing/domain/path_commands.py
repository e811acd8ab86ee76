"""What may be asked of a path. Every command names its time; people's commands name their author."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from atelier_pathing.domain.path_events import AuthorRole, NotedMastery, Tag


@dataclass(frozen=True, slots=True)
class OpenPath:
    """Open the path, or bring it to the present version of the framework, with all mastery known so far."""

    unhashed: ClassVar[tuple[str, ...]] = ("known",)

    now: int
    learner_id: str
    framework_id: str
    cause: str
    known: tuple[NotedMastery, ...] = ()


@dataclass(frozen=True, slots=True)
class NoteMastery:
    """The assessment service said something new."""

    now: int
    learner_id: str
    framework_id: str
    cause: str
    changes: tuple[NotedMastery, ...]


@dataclass(frozen=True, slots=True)
class EditPath:
    """A person's edit: all of it or nothing.

    ``order`` is what comes first (None leaves the order alone), ``defer`` maps competencies to the moment their
    deferral ends, ``resume`` withdraws deferrals, ``test_out`` asks for a probe. ``note`` is sealed free text.
    """

    unhashed: ClassVar[tuple[str, ...]] = ("note", "cause")

    now: int
    author: str
    author_role: AuthorRole
    tag: Tag
    cause: str
    order: tuple[str, ...] | None = None
    defer: Mapping[str, int] = field(default_factory=dict)
    defer_for: Mapping[str, int] = field(default_factory=dict)
    resume: tuple[str, ...] = ()
    test_out: tuple[str, ...] = ()
    note: str = ""
    seen: int | None = None

    @property
    def deferrals(self) -> dict[str, int]:
        """When each deferral ends."""
        return {**self.defer, **{key: self.now + lasting for key, lasting in self.defer_for.items()}}


@dataclass(frozen=True, slots=True)
class SettleGate:
    """A named person waives a prerequisite, counts it as shown elsewhere, or takes either back. ``note`` is sealed."""

    unhashed: ClassVar[tuple[str, ...]] = ("note", "cause")

    now: int
    author: str
    author_role: AuthorRole
    cause: str
    competency_id: str
    how: Literal["waiver", "credit", "withdraw"]
    note: str = ""
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class EndDeferrals:
    """Time has passed: what was put off until now is offered again."""

    now: int
    cause: str


@dataclass(frozen=True, slots=True)
class ForgetPath:
    """The learner was erased."""

    now: int


PathCommand = OpenPath | NoteMastery | EditPath | SettleGate | EndDeferrals | ForgetPath
