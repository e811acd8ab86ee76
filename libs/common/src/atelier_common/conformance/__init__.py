"""Conformance suites: what an adapter must do, as classes that its test subclasses. They never skip, and they count."""

import pytest

for _suite in (
    "documents",
    "eventstore",
    "sequencing",
    "sequencing_world",
    "appending",
    "lease",
    "timers",
    "bus",
    "publishing",
    "consuming",
    "keyring",
    "running",
    "running_world",
    "reacting",
    "rebuilding",
    "working",
    "working_world",
):
    pytest.register_assert_rewrite(f"{__name__}.{_suite}")
