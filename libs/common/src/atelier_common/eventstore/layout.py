"""How a log lies in documents: which collections, which ids, which fields.

- ``log`` holds two kinds of documents, so that a commit and the segment that gives it its position can leave in one insert:
  commits, by stream and version: ``stream version body``; ``opened`` on version 1; ``pending`` until the commit is known to stand in a
  segment, from then on ``position``;
  segments, by number, in front of all commits: ``number first last commits``, the positions first..last given to these (stream,
  version); ``cleared``, the number of the last segment of whose commits, and of those of all before it, none was pending any more.
- ``log.parts``, by SHA-256: ``chunks``; each chunk is a document ``<digest>/<number>`` with its ``content`` in base64.
- ``logs``, by tenant, in tenant SYSTEM: ``incarnation``.

Truth about positions is in the segments alone. A commit's ``position`` repeats it once its segment can never change.
"""

from atelier_common.commit import Commit
from atelier_common.documents.port import Body

LOG = "log"
PARTS = "log.parts"
LOGS = "logs"

LOG_INDEXES = ("opened", "pending", "last")
LONGEST_SEGMENT = 2_000
"""No segment gives more positions: who looks for the one that gives a position need look no further than this."""

MOST_MARKED = 1_000
"""No more segments than these stand behind the one that the last says is cleared."""

_SEPARATOR = "\x1f"
_DIGITS = 10
LAST_CHARACTER = "\U0010ffff"


def commit_id(stream: str, version: int) -> str:
    """Ids of one stream's commits sort by version, and no other stream's lie between them."""
    return f"{stream}{_SEPARATOR}{version:0{_DIGITS}d}"


def last_commit_id(stream: str) -> str:
    return f"{stream}{_SEPARATOR}{'9' * _DIGITS}"


def segment_id(number: int) -> str:
    return f"{_SEPARATOR}{number:012d}"


LAST_SEGMENT = segment_id(10**12 - 1)
FIRST_COMMIT = " "
"""Ids from here on are those of commits: no stream begins with a control character."""


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
