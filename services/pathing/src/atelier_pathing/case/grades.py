"""Words that name a grade or level, and texts without them: nobody here is told which grade they are in."""

import re

_NUMBER = r"(?:k|\d{1,2}(?:st|nd|rd|th)?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_ORDINAL = r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)"
_GRADE = re.compile(
    rf"\s*\(?\b(?:(?:in|for|by|of|at|from)\s+)?(?:the\s+)?"
    rf"(?:(?:grades?|grade levels?|levels?|years?)[\s-]+{_NUMBER}(?:\s*(?:-|–|to|through|and|,)\s*{_NUMBER})*"
    rf"|{_ORDINAL}[\s-]+graders?|{_ORDINAL}[\s-]+grades?|kindergarten(?:ers?)?)\b\)?",
    re.IGNORECASE,
)
_BETRAYS = re.compile(
    r"\b(grades?|levels?|years?|kindergarten|(high|middle|elementary) school|hs|k)\b|^\W*\d+\W*$", re.IGNORECASE
)


def without_grades(text: str) -> str:
    """The text without any grade or level that it names; empty where nothing else was in it."""
    return re.sub(r"\s{2,}", " ", _GRADE.sub("", text)).strip(" ,;:-–")


def betrays_grade(text: str) -> bool:
    """Whether a short name (a heading, an item type) speaks of grades or levels at all, or is a bare number."""
    return _BETRAYS.search(text) is not None
