"""The names of the contract events that pathing takes in and gives out."""

LEARNER_CHANGED = "atelier.profile.learner.v1.changed"
LEARNER_ERASED = "atelier.profile.learner.v1.erased"
MASTERY_CHANGED = "atelier.assessment.mastery.v1.changed"
FRAMEWORK_LISTED = "atelier.pathing.framework.v1.listed"
PATH_REVISED = "atelier.pathing.path.v1.revised"
