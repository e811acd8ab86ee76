"""Every invariant of some services, checked on what is stored: the kernel's on each log, and the judge's on each plan that holds."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

from atelier_common.backfill import Backfill
from atelier_common.service import Service
from atelier_common.verify import Told, check_cursors, check_log, check_services

from atelier_hosting.operating import Report

UnsafePlans = Callable[[str], Awaitable[Sequence[tuple[str, str]]]]


async def verified(
    services: Mapping[str, Service],
    tenant: str,
    owners: Mapping[str, Backfill],
    unsafe_plans: UnsafePlans | None,
    *,
    rebuild: bool,
    told: Told | None = None,
) -> Report:
    """What is wrong, by service; all lists empty where everything is right. Each of ``services`` has a log of the tenant.

    ``rebuild`` also applies every log anew and compares the read models and what neighbours sent; ``told`` hears how far that is.
    """
    if rebuild:
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
    if unsafe_plans is not None and report:
        report["published plans"] = [
            {"rule": "published plans are safe", "tenant": tenant, "subject": subject, "detail": detail}
            for subject, detail in await unsafe_plans(tenant)
        ]
    return report
