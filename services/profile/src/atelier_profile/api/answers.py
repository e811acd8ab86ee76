"""What accepted commands and lists look like on the way out."""

from typing import Any

from atelier_common.commands import Accepted
from atelier_common.http.kit import JsonResponse, etag


def accepted_json(accepted: Accepted, status: int = 200, location: str = "", **more: Any) -> JsonResponse:
    """Stream, version and ``after``, which a read takes to include this change; the ETag is the new version."""
    body = {
        "stream": accepted.stream,
        "version": accepted.version,
        "after": f"{accepted.stream}@{accepted.version}",
        "repeated": accepted.repeated,
        "result": accepted.result,
        **more,
    }
    headers = {"ETag": etag(accepted.version)}
    if location:
        headers["Location"] = location
    return JsonResponse(body, status, headers)


def page_json(items: list[Any], next_cursor: str) -> JsonResponse:
    return JsonResponse({"items": items, "next_cursor": next_cursor})
