"""How pathing's facts are told to one reader: no code and no grade to learners and guardians."""

from collections.abc import Mapping, Sequence
from typing import Any

from atelier_common.security.tokens import Caller
from atelier_words.plain import without_grades

from atelier_pathing.case.model import Competency

ADULT_ROLES = ("district-admin", "principal", "counselor", "coach")

ROLE_SHOWN = {"learner": "student"}
"""What a person's role is called to readers, where it differs from its name inside."""


def is_adult(caller: Caller) -> bool:
    """May see codes and education levels."""
    return caller.has(*ADULT_ROLES)


def statement_for(competency: Competency, adult: bool) -> str:
    """The statement; for a learner or guardian without any grade or level that it names."""
    if adult:
        return competency.statement
    return without_grades(competency.statement) or "A competency"


def competency_for(competency: Competency, adult: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "competency_id": competency.competency_id,
        "statement": statement_for(competency, adult),
        "subject": competency.subject,
    }
    if adult:
        shown |= {
            "uri": competency.uri,
            "code": competency.code,
            "education_levels": list(competency.education_levels),
            "heading": competency.container,
        }
    return shown


def sentences(reasons: Sequence[Mapping[str, Any]], named: Mapping[str, Competency], adult: bool) -> list[str]:
    """Reasons as sentences for one reader."""

    def name(competency_id: str) -> str:
        competency = named.get(competency_id)
        return f"“{statement_for(competency, adult)}”" if competency else "something else"

    told = []
    for reason in reasons:
        sentence = _SENTENCES.get(reason["code"])
        if sentence is None:
            continue
        about = name(reason["competency_id"]) if "competency_id" in reason else ""
        others = ", ".join(name(key) for key in reason.get("competency_ids", ()))
        told.append(sentence.format(about=about, others=others, how=_HOW.get(reason.get("by", ""), "")))
    return told


_HOW = {
    "earned": "it is shown",
    "credit": "it was shown elsewhere",
    "success-beyond": "what builds on it already works",
    "waiver": "somebody responsible decided so",
}
_SENTENCES = {
    "earned": "This is shown.",
    "credited": "This was shown elsewhere and counts.",
    "gate-met": "{about} no longer stands before it: {how}.",
    "gate-unmet": "{about} has to come first.",
    "started": "Work on it has begun.",
    "no-gates": "Nothing has to come first.",
    "after": "It usually follows {others}.",
    "succeeds-beyond": "What builds on it already works, so it may be known.",
    "no-evidence": "Nothing is known about it yet, so the first step is to find out.",
    "uncertain": "Too little is known about it yet, so the next step is to find out.",
    "succeeds": "It works; one more look may settle it.",
    "known-well-enough": "Enough is known to go on with it.",
    "test-out-asked": "Testing out was asked for.",
    "deferred": "It was put off for now.",
    "chosen-order": "It was chosen to come first.",
}
