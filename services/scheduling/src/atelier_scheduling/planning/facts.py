"""The facts a problem is built from: what this service keeps of learners, adults, paths, competencies and overrides."""

from dataclasses import dataclass, field

from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile

from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.sessions import HomeGroup, Studio


@dataclass(frozen=True, slots=True)
class Competency:
    """What a focus is called and which essential prerequisites gate it."""

    id: str
    statement: str
    subject: str
    essential: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """Everything known of one site at a cut. Learners and adults by id; paths by learner, one for each framework.
    ``shown``: by learner, the competencies earned in the last weeks."""

    description: SiteDescription
    learners: dict[str, profile.LearnerChanged]
    adults: dict[str, profile.AdultChanged]
    paths: dict[str, tuple[pathing.PathRevised, ...]]
    competencies: dict[str, Competency]
    overrides: tuple[Override, ...] = ()
    home_groups: tuple[HomeGroup, ...] = ()
    studios: tuple[Studio, ...] = ()
    moves_left: dict[str, int] = field(default_factory=dict)
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict)
