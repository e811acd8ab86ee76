"""The learner aggregate: ``decider.learner`` over ``commands``, ``events``, ``state`` and ``values``."""
