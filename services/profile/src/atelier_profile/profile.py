"""The parts of a running profile service that its doors need."""

from dataclasses import dataclass
from typing import Any

from atelier_common.clock import Clock
from atelier_common.commands import Accepted, Request
from atelier_common.commit import Context
from atelier_common.decider import Decider
from atelier_common.privacy.keyring import Keyring
from atelier_common.projection import ReadModel
from atelier_common.service import Service

from atelier_profile.api.access import Access
from atelier_profile.importing.rosters import RosterImports


@dataclass(frozen=True)
class Profile:
    """One profile service. Made by ``bootstrap.build``; started and stopped through ``service``."""

    service: Service
    keyring: Keyring
    rosters: RosterImports
    access: Access
    clock: Clock

    @property
    def learners(self) -> ReadModel:
        return self.service.read("learner_profile")

    @property
    def progress(self) -> ReadModel:
        return self.service.read("learner_progress")

    @property
    def plans(self) -> ReadModel:
        return self.service.read("published_plans")

    @property
    def voice(self) -> ReadModel:
        return self.service.read("learner_voice")

    @property
    def people(self) -> ReadModel:
        return self.service.read("district_people")

    @property
    def imports(self) -> ReadModel:
        return self.service.read("roster_imports")

    async def execute(
        self,
        decider: Decider[Any, Any, Any],
        key: str,
        command: object,
        context: Context,
        expected_version: int | None = None,
    ) -> Accepted:
        """Carry one command out. Raises the AtelierError that refused it."""
        return await self.service.commands.execute(Request(decider, key, command, context, expected_version))
