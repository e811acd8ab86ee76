"""A site's own rules as data: the kinds of session it knows, caps, ratios, age spans, stability, floors and weights."""

from dataclasses import dataclass

from atelier_scheduling.engine.needs import FocusKind


@dataclass(frozen=True, slots=True)
class StaffNeed:
    """``count`` adults with this role (empty: any certificated adult) are needed in a session of the kind."""

    role: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class SessionKind:
    """A modality of this site. The ids are the site's; ``focus_kinds`` says what it can serve.

    ``teaching``: needs somebody in charge who is certificated in the focus's subject, and one readiness band.
    ``independent``: learners work for themselves under supervision (counted as the independent share, never as
    contact). ``zone_kinds``: where it may be held, best first (empty: anywhere). ``cap``: most learners per
    capacity-adding adult unless the adult's own cap for this kind says otherwise. ``age_span_months`` (0: none)
    bounds oldest minus youngest. ``screen`` counts as screen time.
    """

    id: str
    focus_kinds: tuple[FocusKind, ...] = ()
    teaching: bool = False
    independent: bool = False
    zone_kinds: tuple[str, ...] = ()
    fewest: int = 1
    cap: int = 30
    age_span_months: int = 0
    needs_device: bool = False
    screen: bool = False
    staff: tuple[StaffNeed, ...] = (StaffNeed(),)
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Ratio:
    """Where the youngest learner present is younger than ``below_years``, at most ``most_per_adult`` learners present
    for each capacity-adding adult, in sessions of ``kind`` (empty: every kind)."""

    below_years: int
    most_per_adult: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Floors:
    """Set beforehand; a plan below one raises an alarm in its metrics. Shares are 0 to 1, minutes per learner and
    week."""

    needs_served_share: float = 0.0
    contact_minutes: int = 0
    independent_share_most: float = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """How preferences weigh against each other, in points per session and learner. Never traded for safety or
    obligations."""

    urgency: float = 4.0
    readiness_band: float = 2.0
    choice: float = 3.0
    variety: float = 1.0
    small_group: float = 1.0
    stability: float = 1.5
    belonging: float = 0.5


@dataclass(frozen=True, slots=True)
class Policy:
    """``passing_minutes``: the longest gap between two places that counts as passing.
    ``studio_fewest``/``studio_most`` bound the members of a studio (the sessions' caps bind anyway),
    ``studio_expiry_days`` ends it. ``readiness_span``: estimates of one direct teaching group lie within it, allowing
    for uncertainty. ``moves_most`` and ``regroupings_most``: the stability budget per learner, or per studio, and
    problem. ``freeze_until``: before this epoch minute only forced moves. ``same_focus_gap_days``: 1 means not the
    same focus two days running in the same kind. ``pulls_most``, ``transitions_most``, ``screen_minutes_most``: per
    learner and day (0: no bound). ``remediation_share_most``: share of a learner's teaching minutes that owed minutes
    may take. ``term`` keeps labels stable."""

    passing_minutes: int = 10
    home_age_span_months: int = 48
    studio_fewest: int = 3
    studio_most: int = 24
    studio_expiry_days: int = 14
    readiness_span: float = 0.35
    ratios: tuple[Ratio, ...] = ()
    moves_most: int = 6
    regroupings_most: int = 2
    freeze_until: int = 0
    same_focus_gap_days: int = 1
    pulls_most: int = 2
    transitions_most: int = 0
    screen_minutes_most: int = 0
    remediation_share_most: float = 0.5
    reviews_share_most: float = 0.2
    lead_minutes: int = 0
    term: str = ""
    floors: Floors = Floors()
    weights: Weights = Weights()
