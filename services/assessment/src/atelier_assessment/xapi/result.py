"""What came of it. A learner's response is checked and left behind: no statement's free text is kept."""

from typing import Any

from atelier_assessment.domain.evidence import Outcome
from atelier_assessment.xapi.malformed import MalformedStatement
from atelier_assessment.xapi.values import a_duration, a_number, a_truth, an_iri, an_object

_RESULT = frozenset({"score", "success", "completion", "response", "duration", "extensions"})
_SCORE = frozenset({"scaled", "raw", "min", "max"})
NOTHING = Outcome()


def read_result(value: Any) -> Outcome:
    """Raises MalformedStatement, for instance for a scaled score outside -1 to 1 or a raw one outside min to max."""
    result = an_object(value, "result", _RESULT)
    scaled = raw = least = most = None
    if "score" in result:
        score = an_object(result["score"], "result.score", _SCORE)
        if "scaled" in score:
            scaled = a_number(score["scaled"], "result.score.scaled")
            if not -1.0 <= scaled <= 1.0:
                raise MalformedStatement("result.score.scaled lies between -1 and 1", field="result.score.scaled")
        if len(score) > ("scaled" in score):
            raw, least, most = (_optional(score, name) for name in ("raw", "min", "max"))
            _check_range(raw, least, most)
    success = a_truth(result["success"], "result.success") if "success" in result else None
    completion = a_truth(result["completion"], "result.completion") if "completion" in result else None
    if "response" in result and type(result["response"]) is not str:
        raise MalformedStatement("result.response is a text", field="result.response")
    duration = a_duration(result["duration"], "result.duration") if "duration" in result else None
    if "extensions" in result:
        for name in an_object(result["extensions"], "result.extensions"):
            an_iri(name, "result.extensions")
    return Outcome(scaled, raw, least, most, success, completion, None, None, duration)


def _optional(score: dict[str, Any], name: str) -> float | None:
    return a_number(score[name], f"result.score.{name}") if name in score else None


def _check_range(raw: float | None, least: float | None, most: float | None) -> None:
    if least is not None and most is not None and least >= most:
        raise MalformedStatement("result.score.min is less than max", field="result.score.min")
    if raw is not None and ((least is not None and raw < least) or (most is not None and raw > most)):
        raise MalformedStatement("result.score.raw lies between min and max", field="result.score.raw")
