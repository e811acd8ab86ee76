"""A framework's own words without the grades that they may name, for learners and guardians."""

import re

_NUMBER = r"(?:k|\d{1,2}(?:st|nd|rd|th)?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_ORDINAL = r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)"
_GRADE = re.compile(
    rf"\s*\(?\b(?:(?:in|for|by|of|at|from)\s+)?(?:the\s+)?"
    rf"(?:(?:grades?|grade levels?|levels?|years?)[\s-]+{_NUMBER}(?:\s*(?:-|–|to|through|and|,)\s*{_NUMBER})*"
    rf"|{_ORDINAL}[\s-]+graders?|{_ORDINAL}[\s-]+grades?|kindergarten(?:ers?)?)\b\)?",
    re.IGNORECASE,
)


def without_grades(text: str) -> str:
    """The text with every grade or level that it names taken out; "" where nothing else was said."""
    if _GRADE.search(text) is None:
        return text
    return re.sub(r"\s{2,}", " ", _GRADE.sub("", text)).strip(" ,;:-–")
