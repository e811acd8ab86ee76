"""The whole sample district as the files that a district would hand over."""

from dataclasses import dataclass
from pathlib import Path

from atelier_standalone.sample.framework import case_package
from atelier_standalone.sample.learning import SCHOOL_DAYS, answers, evidence_ndjson
from atelier_standalone.sample.people import People, people
from atelier_standalone.sample.roster import oneroster_zip
from atelier_standalone.sample.sites import SITE_IDS, site_file
from atelier_standalone.sample.supports import supports_json

DEFAULT_SEED = 7
WEEK = "2026-W38"
"""The week that the sample plans: the one after its three school days of evidence."""


@dataclass(frozen=True, slots=True)
class SampleDistrict:
    """``evidence`` is one ndjson of xAPI statements per school day; ``sites`` a site file per site id."""

    people: People
    roster: bytes
    framework: bytes
    supports: bytes
    evidence: tuple[bytes, ...]
    sites: dict[str, bytes]

    def files(self) -> dict[str, bytes]:
        """Content by file name."""
        days = {
            f"evidence-{day.isoformat()}.ndjson": content
            for day, content in zip(SCHOOL_DAYS, self.evidence, strict=True)
        }
        sites = {f"site-{site_id}.json": content for site_id, content in self.sites.items()}
        return {
            "oneroster.zip": self.roster,
            "framework.json": self.framework,
            "supports.json": self.supports,
            **sites,
            **days,
        }

    def write(self, folder: Path) -> list[Path]:
        """Write the files into ``folder``, which is made if need be; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files().items():
            (folder / name).write_bytes(content)
        return [folder / name for name in self.files()]


def sample_district(seed: int = DEFAULT_SEED) -> SampleDistrict:
    """Same seed, same bytes."""
    drawn = people(seed)
    return SampleDistrict(
        people=drawn,
        roster=oneroster_zip(drawn),
        framework=case_package(),
        supports=supports_json(drawn, seed),
        evidence=tuple(evidence_ndjson(day) for day in answers(drawn, seed)),
        sites={site_id: site_file(drawn, site_id) for site_id in SITE_IDS},
    )
