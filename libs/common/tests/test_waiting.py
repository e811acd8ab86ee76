"""What a sequencer knows of its own process's commits: never one that has its position already."""

from atelier_common.documents.port import Body
from atelier_common.eventstore.waiting import Appending, Waiting

A, B = ("a/1", 1), ("b/1", 1)


def document(stream: str, version: int) -> Body:
    return {"stream": stream, "version": version}


def appended(waiting: Waiting, *keys: tuple[str, int]) -> None:
    with Appending({"t": waiting}) as appending:
        for key in keys:
            appending.durable("t", document(*key))


def knowing_the_end() -> Waiting:
    waiting = Waiting()
    waiting.opened()
    waiting.look = False
    return waiting


def test_what_is_sent_after_the_end_was_known_is_known_when_it_is_durable() -> None:
    waiting = knowing_the_end()
    appended(waiting, A, B)
    assert (set(waiting.known), waiting.look) == ({A, B}, False)
    waiting.taken([A])
    assert set(waiting.known) == {B}


def test_what_was_sent_before_has_to_be_looked_for() -> None:
    waiting = Waiting()
    with Appending({"t": waiting}) as appending:
        waiting.opened()
        waiting.look = False
        appending.durable("t", document(*A))
    assert (set(waiting.known), waiting.look) == (set(), True)


def test_what_was_found_and_taken_while_it_was_under_way_is_not_offered_again() -> None:
    waiting = knowing_the_end()
    with Appending({"t": waiting}) as appending:
        appended(waiting, B)
        waiting.taken([A, B])
        appending.durable("t", document(*A))
    assert (waiting.known, waiting.look) == ({}, False)


def test_what_is_under_way_when_the_end_is_lost_and_found_again_has_to_be_looked_for() -> None:
    waiting = knowing_the_end()
    appended(waiting, B)
    with Appending({"t": waiting}) as appending:
        waiting.closed()
        waiting.opened()
        waiting.look = False
        appending.durable("t", document(*A))
    assert (waiting.known, waiting.look) == ({}, True)


def test_what_may_have_been_inserted_has_to_be_looked_for() -> None:
    waiting = knowing_the_end()
    try:
        with Appending({"t": waiting}) as appending:
            appending.durable("t", document(*A))
            raise ConnectionError
    except ConnectionError:
        pass
    assert (waiting.known, waiting.look) == ({}, True)
