"""What pathing keeps of a CASE package, and what it reports about the rest."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Competency:
    """One CFItem.

    ``code`` (humanCodingScheme) and ``education_levels`` are kept for reporting; both may betray a grade, so neither is
    ever shown to a learner or a guardian. ``container`` marks a heading: it has children and no order of its own, so
    nobody learns it.
    """

    competency_id: str
    uri: str
    statement: str
    code: str
    subject: str
    item_type: str
    education_levels: tuple[str, ...]
    container: bool


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """One unique ``precedes`` edge between two items of the package: ``from_id`` comes before ``to_id``.

    Only an ``essential`` edge gates; the others order.
    """

    from_id: str
    to_id: str
    essential: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth a person's look that does not stop an import."""

    code: str
    association_id: str
    association_type: str
    missing_id: str = ""


@dataclass(frozen=True, slots=True)
class Framework:
    """A CASE package, understood. ``digest``, its version, is the SHA-256 of its canonical JSON."""

    framework_id: str
    uri: str
    title: str
    case_version: str
    digest: str
    competencies: tuple[Competency, ...]
    prerequisites: tuple[Prerequisite, ...]
    findings: tuple[Finding, ...]
    precedes_total: int
    precedes_unique: int
    longest_path: int

    def counts(self) -> dict[str, Any]:
        """The figures of an import, as plain data for a report."""
        dangling = [finding for finding in self.findings if finding.code == "dangling"]
        return {
            "items": len(self.competencies),
            "competencies": sum(not competency.container for competency in self.competencies),
            "precedes": self.precedes_total,
            "precedes_unique": self.precedes_unique,
            "precedes_dangling": sum(finding.association_type == "precedes" for finding in dangling),
            "prerequisites": len(self.prerequisites),
            "essential": sum(edge.essential for edge in self.prerequisites),
            "dangling": len(dangling),
            "longest_path_nodes": self.longest_path,
            "subjects": len({competency.subject for competency in self.competencies}),
        }
