"""The names of all rules, as they appear in refusals, receipts, diagnoses and in the oracle's findings."""

from enum import StrEnum


class Rule(StrEnum):
    """Safety: never broken. Exactly:

    ``one-place``: a learner's ``present`` attendances never overlap; each lies inside its session's interval; a
    ``member`` attendance overlaps a present one of the same learner in a child (``Session.parent``) of that session.
    ``supervised-every-minute``: on-site minutes (see ``Learner``) that lie in no present attendance come in runs of
    at most ``Policy.passing_minutes`` (passing time), and none begins or ends a
    school day. ``adult-one-place``: an adult's sessions, adult times and
    commitments never overlap, except that a bound adult may be listed in a session and in its child.
    ``adult-available``: each lies inside one ``available`` interval. ``certificated-in-charge``: every session has a
    lead or proctor who is certificated and bound to nobody. ``learner-available``: no present attendance outside the
    on-site minutes. ``travel-time``: between two consecutive present attendances (or sessions of an adult, or a
    commitment with a place) lie at least the travel minutes between their zones' places; a gap of 0 is fine for 0.
    ``zone-once``: two sessions overlap in one zone only if it is shared or one is the other's parent or they share
    the parent. ``seats`` and ``devices``: as ``Zone`` says. ``session-cap``: present learners at any minute at most
    ``Session.most``. ``station-cap`` likewise. ``adult-cap``: present learners at any minute at most the sum over
    lead, proctor and support of the adult's cap for the kind (``Adult.caps``, else ``SessionKind.cap``). ``ratio``:
    as ``Ratio`` says. ``step-free``: a learner with that accommodation is only in step-free zones. ``apart``: pairs
    with ``order``, as ``Reach`` says, by the minute. ``bar``: as ``Bar`` says. ``age-span``: all attending learners
    of a session whose kind has a span have birth dates within it (months, whole ones). ``prerequisite``: present in a
    session of a competency focus only with a need for that focus whose gates are all met. ``device-required``: in
    sessions with ``needs_device`` (or of such a kind), learners without a device of their own are at most the zone's
    devices. ``mandated-cohort``: needs of class safety are served inside their windows. ``bound-adult``: a bound
    adult is only in sessions where their learner is present. ``zone-kind``: the zone's kind is one that the session
    kind allows. ``staff-roles``: each ``StaffNeed`` of the kind is met. ``known``: every id named exists.
    """

    ONE_PLACE = "one-place"
    SUPERVISED_EVERY_MINUTE = "supervised-every-minute"
    ADULT_ONE_PLACE = "adult-one-place"
    ADULT_AVAILABLE = "adult-available"
    CERTIFICATED_IN_CHARGE = "certificated-in-charge"
    LEARNER_AVAILABLE = "learner-available"
    TRAVEL_TIME = "travel-time"
    ZONE_ONCE = "zone-once"
    SEATS = "seats"
    DEVICES = "devices"
    SESSION_CAP = "session-cap"
    STATION_CAP = "station-cap"
    ADULT_CAP = "adult-cap"
    RATIO = "ratio"
    STEP_FREE = "step-free"
    APART = "apart"
    BAR = "bar"
    AGE_SPAN = "age-span"
    PREREQUISITE = "prerequisite"
    DEVICE_REQUIRED = "device-required"
    MANDATED_COHORT = "mandated-cohort"
    BOUND_ADULT = "bound-adult"
    ZONE_KIND = "zone-kind"
    STAFF_ROLES = "staff-roles"
    KNOWN = "known"


class Obligation(StrEnum):
    """Met unless proved impossible; otherwise named and owed."""

    SERVICE_MINUTES = "service-minutes"
    SERVICE_GROUP = "service-group"
    SERVICE_SETTING = "service-setting"
    SUBJECT_MINUTES = "subject-minutes"
    LUNCH = "lunch"
    RECESS = "recess"
    PROTECTED = "protected-minutes"
    MENTOR = "mentor"
    TEST = "test"
    OTHER_NEED = "need"
    ADULT_LUNCH = "adult-lunch"
    ADULT_PLANNING = "adult-planning"
    ADULT_RUN = "adult-run"
    ADULT_PREPARATIONS = "adult-preparations"
    PULLS = "pulls"
    TRANSITIONS = "transitions"
    SCREEN = "screen"
    OVERRIDE = "override"
