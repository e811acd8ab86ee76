"""Sites and their weeks, as pages of the staff need them."""

from dataclasses import dataclass
from typing import Any

from atelier_common.errors import Forbidden, NotFound
from atelier_common.http.kit import require
from atelier_common.security.tokens import Caller

from atelier_standalone.pages.rendering import STAFF
from atelier_standalone.system import Atelier

Document = dict[str, Any]


@dataclass(frozen=True)
class Sites:
    """Looks sites up for staff. A site where the caller does not work is not found."""

    atelier: Atelier

    async def of(self, caller: Caller) -> list[Document]:
        """Every site that the caller may see, by id."""
        require(caller, *STAFF)
        found = await self.atelier.scheduling.desk.models.sites.all(caller.tenant)
        return [document for key, document in found if await self._open_to(caller, key)]

    async def one(self, caller: Caller, site_id: str) -> Document:
        """Raises NotFound, or Forbidden for who is no staff at all."""
        require(caller, *STAFF)
        document = await self.atelier.scheduling.desk.models.sites.get(caller.tenant, site_id)
        if document is None or not await self._open_to(caller, site_id):
            raise NotFound(f"no site {site_id} is described here")
        return document

    async def weeks(self, tenant: str, site_id: str) -> list[Document]:
        """The planned weeks of a site, the newest first; a week that could not be planned at all is among them."""
        found = await self.atelier.scheduling.desk.models.plans.all(tenant, "site", site_id, site_id)
        return sorted((document for _, document in found), key=lambda one: str(one["week"]), reverse=True)

    async def _open_to(self, caller: Caller, site_id: str) -> bool:
        try:
            await self.atelier.profile.profile.access.site(caller, site_id)
        except Forbidden:
            return False
        return True
