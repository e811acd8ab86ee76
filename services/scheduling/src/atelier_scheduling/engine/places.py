"""Where sessions happen: zones of rooms, and how long it takes to walk or ride between places."""

from dataclasses import dataclass

from atelier_scheduling.engine.times import Interval


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of a room. ``kind`` is the site's word (direct, quiet, lab, project, maker, outdoors, dining, office,
    ...).

    ``seats`` and ``devices`` are hard: at no minute more people who take a seat (learners present and adults bound to
    a learner) than seats, nor more learners without a device of their own in sessions that need one than devices.
    Only a ``shared`` zone may hold sessions that are not parent and child at the same minute; seats and devices then
    count over all of them.
    """

    id: str
    name: str
    kind: str
    seats: int
    room: str = ""
    devices: int = 0
    step_free: bool = True
    place: str = ""
    shared: bool = False
    closed: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Travel:
    """Whole minutes between two places, in both directions. Pairs not listed, and a place to itself, take 0 minutes."""

    place: str
    other: str
    minutes: int
