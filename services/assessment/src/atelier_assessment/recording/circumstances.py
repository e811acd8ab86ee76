"""How evidence came about, as any door may state it: the body of the native API and of the xAPI context extension."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from atelier_assessment.domain.evidence import Circumstances
from atelier_assessment.recording.report import Person

Code = Annotated[str, Field(max_length=200)]
Kind = Literal[
    "item", "adaptive-item", "rubric", "observation", "portfolio", "presentation", "external", "activity", "ai-feedback"
]
Purpose = Literal["practice", "exit-ticket", "placement", "assessment", "reassessment", "review", "mandated-test"]


class StatedCircumstances(BaseModel):
    """Everything may be left out. People are named by OneRoster sourcedId."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind | None = None
    purpose: Purpose | None = None
    assistance: Literal["none", "hint", "adult", "group"] | None = None
    supervision: Literal["none", "adult-present", "proctored"] | None = None
    rater: Code = ""
    language: Code = ""
    accommodations: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    modification: Annotated[
        Code, Field(description="what was asked for instead; never supports the unmodified claim")
    ] = ""
    item_version: Code = ""
    form: Code = ""
    form_version: Code = ""
    stimulus: Code = ""
    group: Annotated[tuple[Code, ...], Field(max_length=60, description="the others who made it")] = ()
    location: Annotated[Code, Field(description="class of place: school, home, internship, community and so on")] = ""
    activity: Annotated[Code, Field(description="kind of session or activity it happened in")] = ""
    artefact: Annotated[str, Field(max_length=2000)] = ""
    platform: Code = ""
    attempt_id: Annotated[Code, Field(description="one attempt, whoever reports it, counts once")] = ""
    level: Annotated[int, Field(ge=0, le=99)] | None = None
    levels: Annotated[int, Field(ge=2, le=100)] | None = None

    def without_people(self, base: Circumstances | None = None) -> Circumstances | None:
        """For the log; None where nothing out of the ordinary is said. Rater and group are added as pseudonyms later."""
        said = Circumstances(
            assistance=self.assistance or "",
            supervision=self.supervision or "",
            language=self.language or (base.language if base else ""),
            accommodations=self.accommodations,
            modification=self.modification,
            item_version=self.item_version,
            form=self.form,
            form_version=self.form_version,
            stimulus=self.stimulus,
            location=self.location,
            activity=self.activity,
            artefact=self.artefact,
            platform=self.platform or (base.platform if base else ""),
        )
        return None if said == Circumstances() else said

    def rated_by(self) -> Person | None:
        return Person(self.rater) if self.rater else None

    def others(self) -> tuple[Person, ...]:
        return tuple(Person(name) for name in self.group)
