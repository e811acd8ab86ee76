"""What does not fit in memory comes back from the file as it was put."""

import pytest
from atelier_common.sqlite.scratch import Scratch


@pytest.mark.parametrize("in_memory", [2, 1_000])
def test_every_entry_comes_back_wherever_it_lies(in_memory: int) -> None:
    scratch = Scratch(in_memory)
    for number in range(50):
        scratch.put(f"{number % 10}", [number, {"text": "\u00e9"}])
    scratch.put("", "an entry of no name")
    assert scratch.get("3") == [43, {"text": "\u00e9"}]
    assert scratch.get("unknown") is None
    assert scratch.pop("4") == [44, {"text": "\u00e9"}]
    assert scratch.pop("4") is None
    assert sorted(key for key, _ in scratch.items()) == ["", *"012356789"]
    scratch.put("4", "again")
    assert dict(scratch.items())["4"] == "again"
    scratch.close()
