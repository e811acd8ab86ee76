"""The things that can be known about a learner. Every one carries its provenance.

Fields documented as *sealed* hold ``sealed:1:...`` strings: the domain compares and stores them and never reads them. Where a change
of a sealed value must be noticed, a keyed digest of its plaintext stands beside it, because two sealings of one text differ.
"""

from dataclasses import dataclass, field

from atelier_profile.domain.provenance import Provenance


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """What a student information system says. ``fingerprint`` is a keyed digest of all of it in plaintext."""

    fingerprint: str
    site_ids: tuple[str, ...]
    guardian_ids: tuple[str, ...]
    provenance: Provenance
    parents_on_staff: tuple[str, ...] = ()
    """Adult ids of guardians who work in the district: nobody teaches or grades their own child unasked."""
    display_name: str = field(default="", compare=False)
    """sealed"""
    legal_name: str = field(default="", compare=False)
    """sealed"""
    username: str = field(default="", compare=False)
    """sealed"""
    email: str = field(default="", compare=False)
    """sealed"""
    phone: str = field(default="", compare=False)
    """sealed"""
    birth_date: str = field(default="", compare=False)
    """sealed; ISO 8601 date"""
    enrolled_year: str = field(default="", compare=False)
    """sealed; the year a state counts the learner in, which nobody plans by and no learner or guardian is shown"""


@dataclass(frozen=True, slots=True)
class WeeklyInterval:
    """Hours of one weekday (1 Monday ... 7 Sunday) in the site's own clock, minutes after midnight, end exclusive.

    ``valid_from`` and ``valid_until`` are ISO dates, both inclusive, empty for no bound.
    """

    weekday: int
    start_minute: int
    end_minute: int
    site_id: str = ""
    valid_from: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True)
class Accommodation:
    """A change of how, never of what: ``kind`` is a code (``extended-time``), ``time_factor`` 1.5 asks for half as much again.

    ``basis`` is ``iep``, ``504``, ``language-plan``, ``health-plan`` or ``informal``.
    """

    accommodation_id: str
    kind: str
    basis: str
    provenance: Provenance
    time_factor: float | None = None
    group_size_max: int | None = None
    bound_adult_id: str = ""
    detail: str = field(default="", compare=False)
    """sealed; what the plan says about it"""
    detail_digest: str = ""


@dataclass(frozen=True, slots=True)
class SupportService:
    """Minutes that a plan of services owes, per week unless ``period`` says ``day``, ``cycle`` or ``month``.

    ``inclusion_minimum`` is the least share (0..1) of the minutes among other learners. ``may_be_pulled_from`` names subjects or kinds
    of session; empty: the learner may be taken out of none. None anywhere: not bounded.
    """

    service_id: str
    kind: str
    basis: str
    minutes_per_week: int
    setting: str
    provider_role: str
    provenance: Provenance
    group_size_max: int | None = None
    inclusion_minimum: float | None = None
    may_be_pulled_from: tuple[str, ...] = ()
    period: str = "week"
    sessions_min: int | None = None
    sessions_max: int | None = None
    session_minutes_min: int | None = None
    session_minutes_max: int | None = None
    provider_certificate: str = ""
    provider_adult_id: str = ""
    valid_from: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """A time away, ``starts_at`` <= t < ``ends_at`` in milliseconds UTC. Why is nobody's business here."""

    absence_id: str
    starts_at: int
    ends_at: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class OffSite:
    """Internship or dual enrolment: hours of the week at a place under a named supervisor, with travel minutes on both ends."""

    off_site_id: str
    intervals: tuple[WeeklyInterval, ...]
    travel_minutes: int
    provenance: Provenance
    supervisor_adult_id: str = ""
    place_digest: str = ""
    place: str = field(default="", compare=False)
    """sealed"""
    supervisor: str = field(default="", compare=False)
    """sealed; name and contact of somebody outside the district; covered by ``place_digest``"""


@dataclass(frozen=True, slots=True)
class Restriction:
    """An order or wish about company. ``bar-adult``, ``bar-zone``, ``bar-focus`` and ``apart`` are orders, ``together`` is owed,
    ``chosen-peer`` is a preference; ``other_id`` is whom or what it is about."""

    restriction_id: str
    kind: str
    other_id: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Presence:
    """When and where the learner can be: step-free access, least on-site minutes a week (None: all), hours on site (): always."""

    step_free: bool
    on_site_minutes_per_week: int | None
    availability: tuple[WeeklyInterval, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class RankedChoice:
    """One of the learner's ranked wishes, rank 1 first; ``kind``: studio, session, project, elective, protected-time."""

    kind: str
    focus_id: str
    rank: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What the learner would rather do, as ranked by the learner."""

    choice_id: str
    ranked: tuple[RankedChoice, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Cohort:
    """Membership in an arm of a study, so that outcomes can be compared later."""

    study_id: str
    arm: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Fact:
    """Anything else somebody observed: a strength, a need, a preference, an answer of an intake survey. ``value`` is sealed."""

    fact_id: str
    kind: str
    value: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Interest:
    """A soft preference of the learner: ``strength`` 0..1. It always expires, and the learner may edit it."""

    topic: str
    strength: float
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Languages:
    """BCP 47 tags, strongest first."""

    tags: tuple[str, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Device:
    has_device: bool
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class PublicLearner:
    """All that neighbours may know of a learner: the whole content of the contract event, names and dates still sealed.

    Restricted circumstances are here because the planner must keep them; they leave no service towards a reader who may not see them.
    """

    learner_id: str
    active: bool
    site_ids: tuple[str, ...]
    guardian_ids: tuple[str, ...]
    parents_on_staff: tuple[str, ...]
    display_name: str
    birth_date: str
    enrolled_year: str
    languages: tuple[str, ...]
    has_device: bool | None
    presence: Presence | None
    interests: tuple[Interest, ...]
    accommodations: tuple[Accommodation, ...]
    services: tuple[SupportService, ...]
    absences: tuple[Absence, ...]
    off_site: tuple[OffSite, ...]
    restrictions: tuple[Restriction, ...]
    choices: tuple[Choice, ...]
    cohorts: tuple[Cohort, ...]
