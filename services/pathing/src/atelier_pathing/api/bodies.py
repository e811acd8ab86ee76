"""What people send about paths."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Competency = Annotated[str, StringConstraints(min_length=1, max_length=64, to_lower=True, strip_whitespace=True)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reorder(Strict):
    """What comes first, in this order. An empty list returns to the teaching order."""

    competency_ids: list[Competency] = Field(max_length=200)


class Defer(Strict):
    """Put off until a moment, or for some days (7 if nothing is said). ``resume`` takes the deferral back."""

    competency_id: Competency
    until_ms: int | None = Field(default=None, ge=0, le=2**53)
    days: int = Field(default=7, ge=1, le=1000)
    resume: bool = False


class TestOut(Strict):
    """Ask for a probe instead of being taught."""

    __test__ = False  # not a test class, whatever its name suggests to a test runner

    competency_id: Competency


class Waiver(Strict):
    """Let a learner go on without a prerequisite, count it as shown elsewhere, or take either back."""

    competency_id: Competency
    kind: Literal["waiver", "credit", "withdraw"] = "waiver"
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]


class DeferredBy(Strict):
    competency_id: Competency
    until_ms: int = Field(ge=0, le=2**53)


class CoachEdit(Strict):
    """A coach's edit, all of it or nothing. ``tag`` says what it changes: the approach, or the pace."""

    order: list[Competency] | None = Field(default=None, max_length=200)
    defer: list[DeferredBy] = Field(default_factory=list, max_length=50)
    resume: list[Competency] = Field(default_factory=list, max_length=50)
    test_out: list[Competency] = Field(default_factory=list, max_length=50)
    tag: Literal["approach", "pace"] = "approach"
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
