"""An independent judge of plans: it shares nothing with the engine but the plain data types.

``check(problem, plan)`` lists every safety rule that a plan breaks and every obligation that its ledger hides. An empty list is the
condition for publishing. It runs in tests, after every solve and as ``atelier plan --check``.
"""

from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.oracle import adults, crowding, fitness, ledger, presence
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import Ground

__all__ = ["Finding", "check"]


def check(problem: SiteProblem, plan: Plan) -> list[Finding]:
    """Everything wrong with the plan, in a stable order. Unknown ids are reported first and alone: nothing else can be judged."""
    ground = Ground(problem, plan)
    unknown = presence.unknown_ids(ground)
    if unknown:
        return sorted(unknown)
    found = [
        *presence.check(ground),
        *adults.check(ground),
        *crowding.check(ground),
        *fitness.check(ground),
        *ledger.check(ground),
    ]
    return sorted(found)
