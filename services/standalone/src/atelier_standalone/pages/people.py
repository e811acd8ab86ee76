"""Names of people for pages, opened through the keyring; whoever has none, or was erased, is called so."""

from collections.abc import Iterable
from dataclasses import dataclass

from atelier_common.privacy.sealed import Erased

from atelier_standalone.system import Atelier

NAME = "display_name"
UNKNOWN = "Somebody"


@dataclass(frozen=True)
class Names:
    """Opens display names. Callers pass only ids whose names the reader may see."""

    atelier: Atelier

    async def learners(self, tenant: str, ids: Iterable[str]) -> dict[str, str]:
        profile = self.atelier.profile.profile
        found = await profile.learners.get_many(tenant, sorted(set(ids)))
        sealed = {key: document["entry"][NAME] for key, document in found.items() if "entry" in document}
        return await self._opened(tenant, sealed)

    async def adults(self, tenant: str, ids: Iterable[str]) -> dict[str, str]:
        profile = self.atelier.profile.profile
        found = await profile.people.get_many(tenant, [f"adult/{one}" for one in sorted(set(ids))])
        return await self._opened(tenant, {document["id"]: document["entry"][NAME] for document in found.values()})

    async def everybody(self, tenant: str, ids: Iterable[str]) -> dict[str, str]:
        """Learners and adults together, by id."""
        wanted = set(ids)
        return {**await self.adults(tenant, wanted), **await self.learners(tenant, wanted)}

    async def _opened(self, tenant: str, sealed: dict[str, str]) -> dict[str, str]:
        """An erased person, and one whose roster gave no name, is left out."""
        keys = [key for key, value in sealed.items() if value]
        opened = await self.atelier.keyring.open_many(tenant, [(NAME, sealed[key]) for key in keys])
        return {key: name for key, name in zip(keys, opened, strict=True) if not isinstance(name, Erased)}
