"""From plain data to HTML: one template environment, every value escaped, one stylesheet, no script."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from atelier_common.security.tokens import Caller
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from atelier_standalone.pages import words

STYLE_PATH = "/style.css"
MARK_PATH = "/mark.svg"
PUBLIC = ("/sign-in", STYLE_PATH, MARK_PATH)
"""Paths that need no token."""
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: its own stylesheet and mark, nothing else, no script at all."""
STAFF = ("district-admin", "principal", "counselor", "coach")
_STATIC = Path(__file__).parent / "static"
_YEAR = "public, max-age=31536000, immutable"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("atelier_standalone.pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    for filter in (
        words.day,
        words.weekday,
        words.day_and_month,
        words.week,
        words.moment,
        words.day_of,
        words.minutes,
        words.counted,
        words.percent,
        words.and_list,
        words.label,
    ):
        made.filters[filter.__name__] = filter
    made.filters["sentence_case"] = words.title
    made.globals["style"] = f"{STYLE_PATH}?v={_digest('style.css')}"
    made.globals["mark"] = f"{MARK_PATH}?v={_digest('mark.svg')}"
    return made


def _digest(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]


def page(template: str, caller: Caller | None, status: int = 200, **values: Any) -> Response:
    """A page for this caller; None before anybody signed in."""
    text = (
        _environment()
        .get_template(template)
        .render(signed_in=caller is not None, staff=caller is not None and caller.has(*STAFF), **values)
    )
    return Response(text, status, {"Content-Security-Policy": POLICY}, "text/html; charset=utf-8")


def static(name: str, media_type: str) -> Response:
    """One of the files beside the templates; its address carries a digest, so a browser may keep it."""
    headers = {"Cache-Control": _YEAR, "Cross-Origin-Resource-Policy": "same-origin"}
    return Response((_STATIC / name).read_bytes(), 200, headers, media_type)
