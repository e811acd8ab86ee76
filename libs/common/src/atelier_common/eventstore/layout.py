"""How a log lies in documents: which collections, which ids, which fields.

- ``log.commits``, by stream and version: ``stream version body``; ``opened`` on version 1; ``pending`` until
  the commit is seen to stand in a segment, from then on ``position``.
- ``log.segments``, by number: ``number first last commits``, the positions first..last given to these (stream,
  version).
- ``log.parts``, by SHA-256: ``chunks``; each chunk is a document ``<digest>/<number>`` with its ``content`` in base64.
- ``logs``, by tenant, in tenant SYSTEM: ``incarnation``.

Truth about positions is in the segments alone. A commit's ``position`` repeats it once its segment can never change.
"""

from atelier_common.commit import Commit
from atelier_common.documents.port import Body

COMMITS = "log.commits"
SEGMENTS = "log.segments"
PARTS = "log.parts"
LOGS = "logs"

COMMIT_INDEXES = ("opened", "pending")
SEGMENT_INDEXES = ("last",)
LONGEST_SEGMENT = 2_000
"""No segment gives more positions: who looks for the one that gives a position need look no further than this."""

_SEPARATOR = "\x1f"
_DIGITS = 10
LAST_CHARACTER = "\U0010ffff"


def commit_id(stream: str, version: int) -> str:
    """Ids of one stream's commits sort by version, and no other stream's lie between them."""
    return f"{stream}{_SEPARATOR}{version:0{_DIGITS}d}"


def last_commit_id(stream: str) -> str:
    return f"{stream}{_SEPARATOR}{'9' * _DIGITS}"


def segment_id(number: int) -> str:
    return f"{number:012d}"


def commit_document(commit: Commit, since: int) -> Body:
    """The document of a new commit, pending ``since`` the writer's now in microseconds: only who is taken first hangs on it.

    Raises InvalidInput as Commit.body does.
    """
    document: Body = {
        "stream": commit.stream,
        "version": commit.version,
        "body": commit.body().decode(),
        "pending": since,
    }
    if commit.version == 1:
        document["opened"] = commit.stream
    return document


def commit_of(tenant: str, document: Body, position: int = 0) -> Commit:
    return Commit.from_body(
        tenant, document["stream"], document["version"], position or document.get("position", 0), document["body"]
    )
