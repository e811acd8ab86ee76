"""Every invariant, checked on what is stored: the kernel's on each log, and the oracle's on each plan that holds."""

from dataclasses import asdict
from typing import Any

from atelier_common.verify import check_cursors, check_log, check_service

from atelier_standalone.system import SERVICES, Atelier

Report = dict[str, list[Any]]


async def verify(atelier: Atelier, tenant: str, *, rebuild: bool = True) -> Report:
    """What is wrong, by service; all lists empty where everything is right. Empty where the tenant has no log.

    ``rebuild`` also applies every log anew and compares the read models and what neighbours sent.
    """
    report: Report = {}
    for name in SERVICES:
        service = atelier.services[name]
        if tenant not in await service.store.tenants():
            continue
        if rebuild:
            owners = {other: atelier.neighbours.at(other) for other in SERVICES if other != name}
            found = await check_service(service, tenant, owners)
        else:
            found = [
                *await check_log(service.store, tenant),
                *await check_cursors(service.store, service.documents, tenant),
            ]
        report[name] = [asdict(violation) for violation in found]
    if report:
        report["published plans"] = [
            {"rule": "published plans are safe", "tenant": tenant, "subject": subject, "detail": detail}
            for subject, detail in await atelier.scheduling.desk.unsafe_plans(tenant)
        ]
    return report
