"""Why something is owed, and what an alarm says, in the words of a school."""

from collections.abc import Mapping, Sequence

from atelier_scheduling.engine.plan import Alarm

from atelier_standalone.pages import words

_WHY = {
    "owed.no-kind": "No kind of session at this site may hold it.",
    "owed.no-provider": "No adult here may provide it in these days.",
    "owed.no-qualified-adult": "No adult here is qualified for it.",
    "owed.no-time": "The people it needs have no time together.",
    "owed.no-room": "There was no free seat with a free adult for all of it.",
    "owed.partly": "Part of it found a place; the rest did not.",
    "owed.prerequisite": "Something that comes first is not shown yet.",
    "owed.supervision-needed": "The adult is needed to supervise learners then.",
    "owed.too-many-preparations": "More different lessons to prepare than the contract allows.",
    "owed.no-break": "The working day has a longer run without a break than the contract allows.",
}
_OBLIGATIONS = {
    "service-minutes": "Service minutes",
    "service-group": "Group size of a service",
    "service-setting": "Setting of a service",
    "subject-minutes": "Subject minutes",
    "lunch": "Lunch",
    "recess": "Recess",
    "protected-minutes": "Protected minutes",
    "mentor": "Talk with a mentor",
    "test": "A test that is due",
    "need": "Another need",
    "adult-lunch": "An adult's duty-free lunch",
    "adult-planning": "An adult's planning time",
    "adult-run": "An adult's break",
    "adult-preparations": "An adult's preparations",
    "override": "A person's decision",
}


def why(code: str, sentence: str) -> str:
    """The reason of a line that is owed; ``sentence`` where the code is not one of these."""
    return _WHY.get(code, sentence)


def obligation(code: str) -> str:
    return _OBLIGATIONS.get(code, code.replace("-", " ").capitalize())


def alarm(one: Alarm) -> str:
    """One sentence for the adults who answer for the plan."""
    told: Mapping[str, str] = dict(one.parameters)
    match one.code:
        case "obligation-owed":
            many = told["count"] != "1"
            who = f"{told['count']} people" if many else "one person"
            return f"{obligation(told['obligation'])}: {int(told['minutes']):,} minutes owed to {who}."
        case "floor-needs-served":
            return f"Fewer needs are served than this site asks for: {words.percent(float(told['share']))}."
        case "floor-contact-minutes":
            return f"Less time with adults than this site asks for: {told['minutes']} minutes a learner."
        case "floor-independent-share":
            return f"More independent work than this site allows: {words.percent(float(told['share']))} of all time."
        case _:
            return one.code.replace("-", " ").capitalize() + "."


def alarms(found: Sequence[Alarm]) -> list[str]:
    return [alarm(one) for one in found]
