"""A plan under repair: its problem, its timetable, what is still owed, and whom and what the repair has touched."""

from atelier_scheduling.engine.decisions import Decisions
from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.restoring import recount, restore
from atelier_scheduling.engine.sectioning import Sectioning
from atelier_scheduling.engine.timetable import Meeting


class Worktable:
    """What the rooms of first aid work on together. Numbers in ``touched`` and ``adults`` are those of ``facts``;
    ``sessions`` holds ids of sessions whose adults or place changed, ``forced`` the code of what forced a learner."""

    def __init__(self, problem: SiteProblem, plan: Plan) -> None:
        self.problem = problem
        self.plan = plan
        self.facts = Facts(problem)
        self.table, self.meetings = restore(self.facts, plan)
        self.demands = Demands(self.facts)
        for learner in range(len(self.facts.learners)):
            recount(self.table, self.demands, learner)
        self.sectioning = Sectioning(self.table, self.demands)
        self.decisions = Decisions(self.table, self.demands, plan)
        self.touched: set[int] = set()
        self.adults: set[int] = set()
        self.sessions: set[str] = set()
        self.forced: dict[str, str] = {}

    def take_up(self, after: SiteProblem) -> None:
        """Begin a repair: nothing is touched yet."""
        self.problem = self.facts.problem = after
        self.touched, self.adults, self.sessions, self.forced = set(), set(), set(), {}

    @property
    def free_from(self) -> int:
        """Before this minute nothing moves by choice."""
        return max(self.problem.now, self.problem.policy.freeze_until)

    def budget(self, learner: int) -> int:
        """Moves of choice that the learner has left."""
        left = self.facts.learners[learner].moves_left
        most = self.problem.policy.moves_most
        return most if left is None else min(left, most)

    def home_group(self, learner: int) -> str:
        name = self.facts.learners[learner].id
        return next((group.id for group in self.plan.home_groups if name in group.members), "")

    def let_go(self, meeting: Meeting) -> None:
        """A meeting that nobody attends any more is not held."""
        if meeting.occupants or meeting.seats or meeting.id not in self.meetings:
            return
        self.table.drop(meeting)
        del self.meetings[meeting.id]
        self.sessions.add(meeting.id)
        self.adults.update(meeting.leads)
        self.sectioning.forget(meeting)
