"""A policy or calibration that a person adopted brings every estimate of the district under it."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.projection import ReadModel
from atelier_common.reaction import Issue, Reaction, each

from atelier_assessment.domain.mastery import Reestimate, mastery
from atelier_assessment.rules_source import RulesSource


def reaction(rules: RulesSource, standings: ReadModel) -> Reaction:
    async def reestimate(recorded: RecordedEvent) -> Sequence[Issue]:
        in_force = await rules.of(recorded.tenant)
        command = Reestimate(in_force.policy.version, in_force.calibration.version, in_force, recorded.recorded_at)
        return [Issue(recorded, mastery, key, command) for key, _ in await standings.all(recorded.tenant)]

    return Reaction(
        "when_rules_adopted_then_reestimate",
        frozenset({"PolicyAdopted", "CalibrationAdopted"}),
        each(reestimate),
        after=("mastery",),
    )
