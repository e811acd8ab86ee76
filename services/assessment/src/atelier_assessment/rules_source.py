"""The rules in force for a tenant: its adopted policy and calibration, or the built-in first versions."""

from atelier_common.commands import Commands

from atelier_assessment.domain.mastery import Rules
from atelier_assessment.domain.rules import CALIBRATION_KEY, POLICY_KEY, calibration, policy


class RulesSource:
    """Reads both aggregates; the kernel keeps their folded states in memory, and looks whether the log has newer ones."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def of(self, tenant: str, *, within: float = 0.0) -> Rules:
        """``within``: what another process adopted in the last so many seconds may be missing, unless this one has seen it since."""
        (present_policy, _), (present_calibration, _) = await self._commands.load_many(
            tenant, [(policy, POLICY_KEY), (calibration, CALIBRATION_KEY)], within=within
        )
        return Rules(present_policy, present_calibration)
