"""Codes to sentences for one reader. Neutral in tone, no grade, no level, no other learner; an unknown code reads as
the neutral sentence."""

from collections.abc import Mapping

from atelier_scheduling.engine.plan import Conflict, Parameters, Relaxation
from atelier_scheduling.engine.questions import Explanation, Reason

NEUTRAL_SENTENCE = "This is how the week could be arranged for everyone."

_SENTENCES = {
    "arranged": NEUTRAL_SENTENCE,
    "studio.competency": "Next on the path, and ready for it: {focus}.",
    "studio.subject": "Time that is owed to {focus} every week.",
    "studio.project": "Time for the project {focus}.",
    "studio.practice": "Time to practise {focus}.",
    "studio.shown": "Shown already; the place stays, to practise {focus}.",
    "studio.later": "Ready for {focus}; other steps come first now, and the place stays.",
    "studio.passion": "Protected time for {focus}.",
    "studio.elective": "An elective: {focus}.",
    "studio.reflection": "Time to reflect.",
    "appointment.mentor": "A talk with a mentor.",
    "appointment.test": "A test that is due: {focus}.",
    "time.lunch": "Lunch.",
    "time.recess": "Recess.",
    "time.protected": "Protected time.",
    "home.own-group": "Time with the home group.",
    "home.another-group": "Home time together with another home group.",
    "supervised.study": "Independent work with an adult nearby.",
    "override.place": "A person decided this; it stays until they change it.",
    "pin": "This was fixed by a person.",
    "ready.now": "Everything that {focus} builds on is there.",
    "ready.probe": "It is not yet certain, so this is a chance to show it: {focus}.",
    "gate.earned": "{focus} was earned before.",
    "gate.later-success": "Later work shows that {focus} is there.",
    "gate.credit": "{focus} was credited.",
    "gate.waiver": "{focus} was waived by a named person.",
    "studio.shared-gap": "Studio {studio} works on what its members share.",
    "chosen": "It was chosen.",
    "not-on-site": "Not on site at this time.",
    "already-there": "This is where the plan has it already.",
    "person-decided": "A person decided what happens at this time.",
    "protected-time": "Lunch, recess and protected time are not taken for anything else.",
    "not.prerequisite": "{before} builds on {focus}, which comes first.",
    "not.not-on-path": "{focus} is not among the next steps of the path now.",
    "not.shown": "{focus} is shown already.",
    "not.already-this-week": "{focus} already has its time this week.",
    "not.no-session": "No session of {focus} takes place in these days.",
    "would.prerequisite": "It would change once {focus} is shown.",
    "would.on-path": "It would change once {focus} is on the path.",
    "would.session": "It would change if enough learners shared {focus} and an adult and a room were free.",
    "would.person-decides": "A coach can decide otherwise, where the rules for everyone's safety allow it.",
}

_SCHOOL_SENTENCES = {
    "duplicate-id": "The {what} {id} is there twice.",
    "slots-overlap": "On {date}, {slot} and {other} of bell schedule {bell} overlap.",
    "unknown-bell": "Learners follow bell schedule {bell}, which has no slots.",
    "adults": "On {date}, {slot}: {adults} adults who may be in charge for {learners} learners.",
    "caps": "On {date}, {slot}: most learners per adult ({caps}).",
    "seats": "On {date}, {slot}: {seats} seats in {zones} places for {learners} learners.",
    "ratio": "On {date}, {slot}: the ratio of adults to young learners.",
    "apart-orders": "On {date}, {slot}: learners who must be kept apart.",
    "bars": "On {date}, {slot}: adults or places that are barred to some learners.",
    "step-free-places": "On {date}, {slot}: places that can be reached without steps.",
    "commitments": "On {date}, {slot}: adults' other commitments.",
    "travel": "On {date}, {slot}: the time it takes to get from place to place.",
    "day-too-tight": "On {date}, {slot}: the adults and places are needed at the same time by other slots of the day.",
    "no-supervising-kind": "On {date}, {slot}: no kind of session may hold learners who are not in a lesson.",
    "more-adults": "{by} more adult(s).",
    "larger-cap": "Groups larger by {by}.",
}


def render(explanation: Explanation, titles: Mapping[str, str]) -> tuple[str, ...]:
    """The explanation's sentences, reasons first. ``titles`` name foci; an id without a title is not shown."""
    return tuple(sentence(reason, titles) for reason in (*explanation.reasons, *explanation.would_change))


def sentence(reason: Reason, titles: Mapping[str, str]) -> str:
    return _fill(_SENTENCES.get(reason.code, NEUTRAL_SENTENCE), reason.parameters, titles)


def school_sentence(item: Conflict | Relaxation, titles: Mapping[str, str]) -> str:
    """A conflict or a priced relaxation in the school's own words (slot and zone titles come from ``titles``)."""
    text = _fill(_SCHOOL_SENTENCES.get(item.code, item.code), item.parameters, titles, keep_ids=True)
    if isinstance(item, Relaxation):
        return f"{text} {item.served} more served, {item.owed_minutes} fewer minutes owed."
    return text


def _fill(text: str, parameters: Parameters, titles: Mapping[str, str], keep_ids: bool = False) -> str:
    known = {}
    for name, value in parameters:
        shown = name in ("focus", "before", "foci") and not keep_ids
        words = titles.get(value, "this step" if shown else value)
        # A title that is a sentence brings its own full stop.
        known[name] = words.removesuffix(".") if f"{{{name}}}." in text else words
    return text.format_map(_Missing(known))


class _Missing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "this"
