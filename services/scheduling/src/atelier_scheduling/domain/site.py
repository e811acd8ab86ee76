"""A site's own data, as an aggregate: stream ``site/<site_id>``. The description itself is a content-addressed part."""

from collections.abc import Sequence
from dataclasses import dataclass

from atelier_common.decider import Decider
from atelier_common.errors import RuleBroken

from atelier_scheduling.domain.registry import REGISTRY


@dataclass(frozen=True, slots=True)
class DescribeSite:
    """``digest`` names the stored description; the rest is what neighbours of it need without opening it."""

    site_id: str
    digest: str
    title: str
    model: str
    time_zone: str
    now: int


@dataclass(frozen=True, slots=True)
class SwitchSite:
    """A site that is switched off keeps its data and is planned no more."""

    on: bool
    now: int


SiteCommand = DescribeSite | SwitchSite


@REGISTRY.event("site.described")
@dataclass(frozen=True, slots=True)
class SiteDescribed:
    site_id: str
    digest: str
    title: str
    model: str
    time_zone: str


@REGISTRY.event("site.switched")
@dataclass(frozen=True, slots=True)
class SiteSwitched:
    on: bool


SiteEvent = SiteDescribed | SiteSwitched


@dataclass(frozen=True, slots=True)
class Site:
    """``digest`` is empty while the site is not described."""

    digest: str = ""
    on: bool = True


def decide(command: SiteCommand, state: Site) -> Sequence[SiteEvent]:
    match command:
        case DescribeSite():
            if command.digest == state.digest:
                return []
            return [SiteDescribed(command.site_id, command.digest, command.title, command.model, command.time_zone)]
        case SwitchSite():
            if not state.digest:
                raise RuleBroken("a site is described before it is switched on or off")
            return [] if command.on == state.on else [SiteSwitched(command.on)]


def evolve(state: Site, event: SiteEvent) -> Site:
    match event:
        case SiteDescribed():
            return Site(event.digest, state.on)
        case SiteSwitched():
            return Site(state.digest, event.on)


SITE: Decider[SiteCommand, Site, SiteEvent] = Decider("site", REGISTRY, Site, decide, evolve)
