"""Spans, and the W3C ``traceparent`` that ties them together across commits, topics and calls.

Without an installed SDK a span is one shared object that does nothing. A trace context then still travels: it is
carried as data in commits and headers, and nothing here is needed to pass it on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType

from opentelemetry import context, trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, Tracer
from opentelemetry.trace import StatusCode as SpanStatus
from opentelemetry.util.types import AttributeValue

from atelier_common.errors import AtelierError
from atelier_common.telemetry import names

Attributes = Mapping[str, AttributeValue]

_MOST_LINKS = 100
_tracer: Tracer | None = None
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class _Unrecorded(AbstractContextManager[Span]):
    """The span of a process that nobody traces; shared by all, since it holds nothing."""

    def __enter__(self) -> Span:
        return trace.INVALID_SPAN

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


_UNRECORDED = _Unrecorded()


def record_with(tracer: Tracer | None) -> None:
    """Let this tracer make the spans of this process from now on; None: nobody does.

    It is not made OpenTelemetry's global one: a library that traces on its own account must find nobody listening, since
    its spans hold what ours may not (paths, statements, keys).
    """
    global _tracer
    _tracer = tracer


def is_recording() -> bool:
    """Whether spans are recorded in this process. Asked on every append, so it is no more than a look."""
    return _tracer is not None


def parse_traceparent(value: str | None) -> SpanContext | None:
    """The span context of a W3C traceparent of any version; None where it is absent or malformed."""
    match = _TRACEPARENT.match(value) if value else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match.end() != len(value or "")):
        return None
    found = SpanContext(
        trace_id=int(match[2], 16),
        span_id=int(match[3], 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(match[4], 16)),
    )
    return found if found.is_valid else None


def traceparent_of(span_context: SpanContext) -> str | None:
    if not span_context.is_valid:
        return None
    return f"00-{span_context.trace_id:032x}-{span_context.span_id:016x}-{span_context.trace_flags & 1:02x}"


def current_traceparent() -> str | None:
    """The traceparent of the span open here, to be stored in a commit or sent along; None where there is none."""
    return traceparent_of(trace.get_current_span().get_span_context())


def span(
    name: str,
    *,
    parent: str | None = None,
    links: Iterable[str | None] = (),
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """Open a span for a ``with`` block. ``name`` and attribute names come from :mod:`atelier_common.telemetry.names`.

    ``parent`` is a traceparent (absent: the span open here); ``links`` are traceparents of other traces that a batch
    serves. An exception marks the span as failed by its code or class only: its text may speak of people.
    """
    if _tracer is None:
        return _UNRECORDED
    return _recorded(_tracer, name, parent, links, attributes, kind)


@contextmanager
def _recorded(
    tracer: Tracer,
    name: str,
    parent: str | None,
    links: Iterable[str | None],
    attributes: Attributes | None,
    kind: SpanKind,
) -> Iterator[Span]:
    remote = parse_traceparent(parent)
    found = tracer.start_span(
        name,
        context=trace.set_span_in_context(NonRecordingSpan(remote)) if remote else None,
        kind=kind,
        attributes=attributes,
        links=[Link(linked) for linked in map(parse_traceparent, links) if linked],
        record_exception=False,
        set_status_on_exception=False,
    )
    token = context.attach(trace.set_span_in_context(found))
    try:
        yield found
    except Exception as error:
        code = error.code if isinstance(error, AtelierError) else type(error).__name__
        found.set_attribute(names.ERROR_CODE, code)
        found.set_status(Status(SpanStatus.ERROR))
        raise
    finally:
        context.detach(token)
        found.end()


def batch_span(
    name: str,
    traces: Iterable[str | None],
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """The span of work done for several events at once: in their trace where all belong to one, else linked to each.

    In that trace it is a child of the span open here, or else of the first event's. It is linked to every other event, so
    that from each event what was done for it can be found.
    """
    if _tracer is None:
        return _UNRECORDED
    served = list(dict.fromkeys(one for one in traces if one))
    ids = {one[3:35] for one in served}
    here = current_traceparent()
    parent = None
    if len(ids) == 1:
        parent = here if here is not None and here[3:35] in ids else served[0]
    links = [one for one in served if one != parent]
    return _recorded(_tracer, name, parent, links[:_MOST_LINKS], attributes, kind)


def within(traceparent: str | None) -> AbstractContextManager[None]:
    """Make a stored traceparent the current one for a block, so that what the block does belongs to that trace."""
    remote = parse_traceparent(traceparent)
    return nullcontext() if remote is None else _within(remote)


@contextmanager
def _within(remote: SpanContext) -> Iterator[None]:
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(remote)))
    try:
        yield
    finally:
        context.detach(token)
