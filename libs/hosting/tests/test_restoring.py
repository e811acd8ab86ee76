"""Tombstones are kept in a file apart from the backups."""

import pytest
from atelier_common.errors import InvalidInput
from atelier_common.privacy.keyring import Tombstone
from atelier_hosting.restoring import read_back, written

MARKS = [
    Tombstone("one", "lrn_a", "erasure-request", "request-1"),
    Tombstone("two", "lrn_b", "erasure-request", "request-2"),
]


def test_tombstones_are_read_back_as_they_were_written_a_line_each() -> None:
    assert len(written(MARKS).splitlines()) == 2
    assert read_back(written(MARKS)) == MARKS


@pytest.mark.parametrize("line", ["{", "[]", '{"tenant": "one"}', '"lrn_a"'])
def test_a_line_that_is_no_tombstone_is_named(line: str) -> None:
    with pytest.raises(InvalidInput, match="line 3 is no tombstone"):
        read_back(written(MARKS) + line + "\n")
