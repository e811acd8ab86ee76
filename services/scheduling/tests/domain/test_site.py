"""A site is described, described again, switched off and on."""

from atelier_common.errors import RuleBroken
from atelier_common.testing.spec import Specification
from atelier_scheduling.domain.site import SITE, DescribeSite, SiteDescribed, SiteSwitched, SwitchSite

A_SITE = Specification(SITE)
DESCRIBE = DescribeSite("school-1", "digest-1", "A School", "blocks", "America/Chicago", now=5)
DESCRIBED = SiteDescribed("school-1", "digest-1", "A School", "blocks", "America/Chicago")


def test_a_description_is_noted() -> None:
    A_SITE.when(DESCRIBE).then(DESCRIBED)


def test_the_same_description_again_changes_nothing() -> None:
    A_SITE.given(DESCRIBED).when(DESCRIBE).then_nothing()


def test_going_back_to_an_earlier_description_is_a_change() -> None:
    other = SiteDescribed("school-1", "digest-2", "A School", "blocks", "America/Chicago")
    A_SITE.given(DESCRIBED, other).when(DESCRIBE).then(DESCRIBED)


def test_a_site_is_switched_off_once() -> None:
    A_SITE.given(DESCRIBED).when(SwitchSite(False, now=6)).then(SiteSwitched(False))
    A_SITE.given(DESCRIBED, SiteSwitched(False)).when(SwitchSite(False, now=7)).then_nothing()


def test_a_site_that_is_off_stays_off_when_it_is_described_anew() -> None:
    other = SiteDescribed("school-1", "digest-2", "A School", "blocks", "America/Chicago")
    A_SITE.given(DESCRIBED, SiteSwitched(False), other).when(SwitchSite(True, now=8)).then(SiteSwitched(True))


def test_what_is_not_described_cannot_be_switched() -> None:
    A_SITE.when(SwitchSite(False, now=5)).refused(RuleBroken)
