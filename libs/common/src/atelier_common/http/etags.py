"""Entity tags: the strong ETag of a thing is its stream's version in quotes (RFC 9110, section 8.8.3)."""

import re

from fastapi import Request

from atelier_common.errors import PreconditionFailed, PreconditionRequired
from atelier_common.http.headers import MalformedHeader

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


def etag(version: int) -> str:
    """The value of the ``ETag`` header of a thing at ``version``."""
    return f'"{version}"'


def if_match(request: Request) -> int | None:
    """The version that the caller last saw; None where ``If-Match`` is absent or ``*``.

    Raises PreconditionFailed (412) for a tag that can match nothing here: a weak one, or one that is no version;
    MalformedHeader for anything that is not one tag.
    """
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    tag = _TAG.fullmatch(given.strip())
    if tag is None:
        raise MalformedHeader('If-Match takes one entity tag, as the ETag header gave it: "7"', header="If-Match")
    if tag[1] or not (tag[2].isascii() and tag[2].isdecimal() and len(tag[2]) <= 18):
        raise PreconditionFailed("this entity tag matches no version; read again and repeat the change")
    return int(tag[2])


def required_if_match(request: Request) -> int:
    """As :func:`if_match` for an edit that must say what it edits. Raises PreconditionRequired (428) where it does not."""
    version = if_match(request)
    if version is None:
        raise PreconditionRequired("read the thing first and send its ETag as If-Match")
    return version


def must_be_new(request: Request) -> bool:
    """Whether the request demands that nothing exists yet (``If-None-Match: *``)."""
    return request.headers.get("if-none-match", "").strip() == "*"


def not_modified(request: Request, version: int) -> bool:
    """Whether a read may be answered with 304: ``If-None-Match`` names this version (weak comparison)."""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or any(tag[2] == str(version) for tag in _TAG.finditer(given))
