"""Every invariant, checked on what is stored: the kernel's on each log, and the oracle's on each plan that holds."""

from dataclasses import asdict
from typing import Any

from atelier_common.verify import Told, check_cursors, check_log, check_services

from atelier_standalone.system import SERVICES, Atelier

Report = dict[str, list[Any]]


async def verify(atelier: Atelier, tenant: str, *, rebuild: bool = True, told: Told | None = None) -> Report:
    """What is wrong, by service; all lists empty where everything is right. Empty where the tenant has no log.

    ``rebuild`` also applies every log anew and compares the read models and what neighbours sent; ``told`` hears how far that is.
    """
    services = {
        name: atelier.services[name] for name in SERVICES if tenant in await atelier.services[name].store.tenants()
    }
    if rebuild:
        owners = {name: atelier.neighbours.at(name) for name in SERVICES}
        found = await check_services(services, tenant, owners, told)
    else:
        found = {
            name: [
                *await check_log(service.store, tenant),
                *await check_cursors(service.store, service.documents, tenant),
            ]
            for name, service in services.items()
        }
    report: Report = {name: [asdict(violation) for violation in wrong] for name, wrong in found.items()}
    if report:
        report["published plans"] = [
            {"rule": "published plans are safe", "tenant": tenant, "subject": subject, "detail": detail}
            for subject, detail in await atelier.scheduling.desk.unsafe_plans(tenant)
        ]
    return report
