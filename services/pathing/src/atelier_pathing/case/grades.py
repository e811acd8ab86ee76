"""Short names that speak of a grade or level: nobody here is told which grade they are in."""

import re

_BETRAYS = re.compile(
    r"\b(grades?|levels?|years?|kindergarten|(high|middle|elementary) school|hs|k)\b|^\W*\d+\W*$", re.IGNORECASE
)


def betrays_grade(text: str) -> bool:
    """Whether a short name (a heading, an item type) speaks of grades or levels at all, or is a bare number."""
    return _BETRAYS.search(text) is not None
