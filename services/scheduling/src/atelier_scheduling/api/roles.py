"""Who may do what in scheduling, whichever door they come through."""

STAFF = ("district-admin", "principal", "counselor", "coach")
PLANNERS = ("district-admin", "principal", "counselor")
