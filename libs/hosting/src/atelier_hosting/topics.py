"""The topics of the house, each as it must be on the broker. The one place where they are declared."""

from atelier_common.bus.kafka import Topic

from atelier_hosting.bell import bell_topic

_A_MONTH = {"retention.ms": str(30 * 86_400_000), "cleanup.policy": "delete"}


def declared() -> tuple[Topic, ...]:
    """Every topic. Partition counts never change: a key would leave its partition, and its order be lost.

    What leaves the broker by age is asked of its owner's log by backfill; nothing is compacted, since a consumer that was
    away must see each event of a stream.
    """
    return (
        Topic("profile.learner", 12, settings=_A_MONTH),
        Topic("profile.adult", 3, settings=_A_MONTH),
        Topic("assessment.mastery", 24, settings=_A_MONTH),
        Topic("pathing.framework", 1, settings=_A_MONTH),
        Topic("pathing.path", 12, settings=_A_MONTH),
        Topic("scheduling.planning", 12, settings=_A_MONTH),
        Topic("scheduling.plan", 6, settings=_A_MONTH),
        Topic("scheduling.obligation", 6, settings=_A_MONTH),
        *map(bell_topic, ("profile", "assessment", "pathing", "scheduling")),
    )
