"""Every span, metric and attribute name stands in one place: the source is read to see it."""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from atelier_common.telemetry import names

REPOSITORY = Path(__file__).resolve().parents[3]
TELEMETRY = REPOSITORY / "libs/common/src/atelier_common/telemetry"
LISTS: dict[str, Collection[str]] = {
    "span": names.SPANS,
    "counter": names.METRICS,
    "histogram": names.METRICS,
    "gauge": names.METRICS,
    "set_attribute": names.ATTRIBUTES,
}
RAW = {"start_span", "start_as_current_span", "create_counter", "create_histogram", "create_observable_gauge"}
OPENTELEMETRYS_OWN = {"messaging.consumer.group.name", "messaging.destination.name", "rpc.system.name"}
"""Names of groups, topics and protocols: nobody is called so."""


def sources() -> list[Path]:
    roots = [REPOSITORY / "libs/common/src", REPOSITORY / "libs/hosting/src", *REPOSITORY.glob("services/*/src")]
    return [path for root in roots for path in sorted(root.rglob("*.py")) if TELEMETRY not in path.parents]


def unlisted(source: str) -> Iterator[str]:
    """What a source file names in traces or metrics without having it from the list."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = _called(node.func)
        if called in RAW:
            yield f"line {node.lineno}: {called} goes past the kernel's telemetry"
        elif called in LISTS and node.args:
            yield from _not_in(LISTS[called], node.args[0])
            for keyword in node.keywords:
                if keyword.arg == "attributes" and isinstance(keyword.value, ast.Dict):
                    for key in keyword.value.keys:
                        yield from _not_in(names.ATTRIBUTES, key)


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    if isinstance(function, ast.Attribute):
        on = function.value.id if isinstance(function.value, ast.Name) else ""
        # re.Match.span() and the like are other things of the same name.
        return function.attr if on in ("tracing", "metrics") or function.attr in RAW | {"set_attribute"} else ""
    return ""


def _not_in(listed: Collection[str], name: ast.expr | None) -> Iterator[str]:
    if name is None:
        return
    found = ast.unparse(name)
    known = found.startswith("names.") and getattr(names, found.removeprefix("names."), None) in listed
    if not known:
        yield f"line {name.lineno}: {found} is not in the list"


@pytest.mark.parametrize(
    ("source", "problems"),
    [
        ("with tracing.span(names.SPAN_SOLVE): pass", 0),
        ("with span(names.SPAN_SOLVE, attributes={names.SERVICE: service}): pass", 0),
        ("with tracing.span('engine.solve'): pass", 1),
        ("with tracing.span(names.SERVICE): pass", 1),
        ("with tracing.span(names.SPAN_INVENTED): pass", 1),
        ("with tracing.span(names.SPAN_SOLVE, attributes={'learner': x, names.SERVICE: y}): pass", 1),
        ("active.set_attribute('learner', x)", 1),
        ("counter(names.SPAN_SOLVE)", 1),
        ("tracer.start_as_current_span(names.SPAN_SOLVE)", 1),
        ("re.match('a', text).span(0)", 0),
    ],
)
def test_the_reading_finds_what_it_should(source: str, problems: int) -> None:
    assert len(list(unlisted(source))) == problems


def test_no_source_uses_a_name_that_is_not_listed() -> None:
    paths = sources()
    assert len(paths) > 50
    found = {str(path.relative_to(REPOSITORY)): list(unlisted(path.read_text())) for path in paths}
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_every_listed_name_is_used() -> None:
    used = {
        node.attr
        for path in [*sources(), *TELEMETRY.glob("*.py")]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "names"
    }
    listed = {constant for constant, value in vars(names).items() if constant.isupper() and isinstance(value, str)}
    assert listed - used == set()


def test_every_name_is_listed_once_and_has_the_form_of_one() -> None:
    constants = {
        constant: value for constant, value in vars(names).items() if constant.isupper() and isinstance(value, str)
    }
    listed = names.SPANS | names.ATTRIBUTES | names.METRICS.keys()
    assert set(constants.values()) - {names.TRACER} == listed
    assert len(set(constants.values())) == len(constants)
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)+", name) for name in listed)
    for constant, value in constants.items():
        if constant != "TRACER":
            kind = constant.partition("_")[0]
            expected = {"SPAN": names.SPANS, "METRIC": names.METRICS}.get(kind, names.ATTRIBUTES)
            assert value in expected


def test_no_name_could_hold_a_person() -> None:
    forbidden = ("learner", "student", "guardian", "adult", "name", "email", "subject", "actor", "stream", "key")
    for name in names.ATTRIBUTES - OPENTELEMETRYS_OWN:
        assert not any(word in name.split(".") for word in forbidden), name
