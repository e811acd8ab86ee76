"""Every invariant of all four services, checked on what is stored."""

from atelier_common.verify import Told
from atelier_hosting.operating import Report
from atelier_hosting.verifying import verified

from atelier_standalone.system import SERVICES, Atelier

__all__ = ["Report", "verify"]


async def verify(atelier: Atelier, tenant: str, *, rebuild: bool = True, told: Told | None = None) -> Report:
    """What is wrong, by service; see :func:`verified`. Empty where the tenant has no log."""
    services = {
        name: atelier.services[name] for name in SERVICES if tenant in await atelier.services[name].store.tenants()
    }
    owners = {name: atelier.neighbours.at(name) for name in SERVICES}
    unsafe_plans = atelier.scheduling.desk.unsafe_plans
    return await verified(services, tenant, owners, unsafe_plans, rebuild=rebuild, told=told)
