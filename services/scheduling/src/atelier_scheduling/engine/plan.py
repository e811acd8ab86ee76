"""What the planner answers: a plan, the difference between two plans, a diagnosis. Plain data with canonical bytes."""

from dataclasses import dataclass
from enum import StrEnum

from atelier_scheduling.engine import wire
from atelier_scheduling.engine.overrides import OverrideOutcome
from atelier_scheduling.engine.sessions import AdultTime, HomeGroup, Session, Studio
from atelier_scheduling.engine.times import Interval

Parameters = tuple[tuple[str, str], ...]


class PlacedBy(StrEnum):
    """Where a placement came from."""

    CHOICE = "choice"
    COACH = "coach"
    NEED = "need"
    LAW = "law"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Why a learner is there: a code, its parameters (ids of foci, needs, rules, overrides; never another learner)
    and where it came from. ``restricted``: the reason is not to be shown; it renders as the neutral sentence.
    ``margin``: points by which it beat the next best."""

    code: str
    placed_by: PlacedBy = PlacedBy.NEED
    parameters: Parameters = ()
    restricted: bool = False
    margin: float = 0.0


class Presence(StrEnum):
    """``present``: is there in person. ``member``: belongs to the roster while present elsewhere (a pull-out); takes
    no seat."""

    PRESENT = "present"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Attendance:
    """A learner in a session for ``interval`` (inside the session's). Present intervals of one learner never overlap.
    ``needs``: the needs that these minutes serve."""

    learner: str
    session: str
    interval: Interval
    because: Receipt
    presence: Presence = Presence.PRESENT
    station: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """Minutes of one obligation within the plan. ``subject_of``: learner or adult id. ``owed = max(0, due -
    scheduled)``; delivery comes in from attendance later. ``times_*`` count sessions. ``code`` says why something is
    owed ("" if nothing is), in ``owed.*`` codes."""

    subject_of: str
    obligation: str
    need: str = ""
    due: int = 0
    scheduled: int = 0
    delivered: int = 0
    owed: int = 0
    times_due: int = 0
    times_scheduled: int = 0
    code: str = ""
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Unserved:
    """A preference that the plan did not serve, and the first thing that stood in its way."""

    need: str
    learner: str
    code: str
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a named person must see: an owed obligation, a floor missed, a studio past its purpose, a learner
    locked in."""

    code: str
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Metrics:
    """Minutes are learner minutes over the whole plan. ``contact_minutes``: teaching, service or mentor time with an
    adult (not merely supervised). ``independent_minutes``: self-study under supervision. ``adult_share``: contact
    minutes weighted by adults per learner present. ``by_kind``: minutes per session kind. ``score``: preference
    points (higher is better)."""

    learners: int = 0
    needs: int = 0
    needs_served: int = 0
    obligations: int = 0
    obligations_met: int = 0
    owed_minutes: int = 0
    on_site_minutes: int = 0
    contact_minutes: int = 0
    small_group_minutes: int = 0
    one_to_one_minutes: int = 0
    independent_minutes: int = 0
    supervised_minutes: int = 0
    adult_share: float = 0.0
    moves_of_choice: int = 0
    moves_forced: int = 0
    sessions: int = 0
    studios: int = 0
    score: float = 0.0
    by_kind: tuple[tuple[str, int], ...] = ()

    @property
    def independent_share(self) -> float:
        """Independent minutes as a share of all on-site minutes (0 to 1)."""
        return self.independent_minutes / self.on_site_minutes if self.on_site_minutes else 0.0

    @property
    def needs_served_share(self) -> float:
        return self.needs_served / self.needs if self.needs else 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A safe timetable. ``problem``: the digest of its problem, or after a repair the digest of the one before with
    the changes (see ``repair.chained``). ``obligations`` holds every obligation, met or owed; ``unserved`` the
    preferences left. Canonical order: sessions by start and id; attendances by start, learner, session, end;
    obligations by whom, obligation, need; unserved by need."""

    site: str
    week: str
    problem: str
    engine: str
    seed: int
    effort: int
    sessions: tuple[Session, ...] = ()
    attendances: tuple[Attendance, ...] = ()
    studios: tuple[Studio, ...] = ()
    home_groups: tuple[HomeGroup, ...] = ()
    adult_time: tuple[AdultTime, ...] = ()
    obligations: tuple[LedgerLine, ...] = ()
    unserved: tuple[Unserved, ...] = ()
    overrides: tuple[OverrideOutcome, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    metrics: Metrics = Metrics()

    def to_json(self) -> bytes:
        """Canonical bytes: equal plans, equal bytes."""
        return wire.write(self)

    @staticmethod
    def from_json(data: bytes) -> "Plan":
        """Inverse of ``to_json``. Raises ``wire.Unreadable``."""
        return wire.read(Plan, data)

    def digest(self) -> str:
        return wire.digest(self)


@dataclass(frozen=True, slots=True)
class Conflict:
    """One member of a minimal conflicting set: remove any one and the rest can be planned. ``parameters`` use the
    school's own words (zone and slot names, dates, counts)."""

    code: str
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A change that was tried by solving again: ``served`` more needs and ``owed_minutes`` fewer than without it;
    ``feasible``: a safe plan exists with it."""

    code: str
    parameters: Parameters = ()
    served: int = 0
    owed_minutes: int = 0
    feasible: bool = True


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``feasible``: a supervised place exists for every learner at every minute. Otherwise ``conflicts`` is a minimal
    set."""

    feasible: bool
    conflicts: tuple[Conflict, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()

    def to_json(self) -> bytes:
        return wire.write(self)

    @staticmethod
    def from_json(data: bytes) -> "Diagnosis":
        return wire.read(Diagnosis, data)


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Even supervision is impossible: nothing is proposed, this is why."""

    problem: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Move:
    """One learner's change at one time: from one session (or none) to another (or none). ``forced``: by safety,
    absence, a lost room, an order or enrolment; forced moves do not spend the stability budget."""

    learner: str
    interval: Interval
    before: str = ""
    after: str = ""
    forced: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session that came, went, or changed adult, zone or time (``before``/``after`` are ``None`` where there is
    none)."""

    session: str
    before: Session | None = None
    after: Session | None = None


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """Everything that differs for a person between two plans (named by their problems), in canonical order.
    ``learners`` and ``adults``: whom it touches."""

    before: str
    after: str
    moves: tuple[Move, ...] = ()
    sessions: tuple[SessionChange, ...] = ()
    learners: tuple[str, ...] = ()
    adults: tuple[str, ...] = ()
    owed_before: int = 0
    owed_after: int = 0

    def to_json(self) -> bytes:
        return wire.write(self)

    @staticmethod
    def from_json(data: bytes) -> "PlanDiff":
        return wire.read(PlanDiff, data)
