"""Plain data to canonical JSON bytes and back: the form in which problems and plans are stored, hashed and replayed.

Guarantee: equal values give equal bytes (keys sorted, no spaces, UTF-8, no NaN), and ``read(type, write(value)) ==
value``. A field that equals its default is left out, so adding a field with a default changes no stored byte. Unknown
keys are refused: data of a newer schema must never be half understood. Handles frozen dataclasses, tuples,
``StrEnum``, ``str``, ``int``, ``float``, ``bool``, ``None``, and unions of dataclasses (tagged with their class name
under ``type``).
"""

import dataclasses
import enum
import functools
import hashlib
import json
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")
_Convert = Callable[[Any], Any]
_PLAIN = (str, int, float, bool, type(None))


class Unreadable(ValueError):
    """The bytes are not JSON, or not a value of the expected type; the message names the field."""


def write(value: object) -> bytes:
    """Canonical UTF-8 bytes of a dataclass value."""
    kind: Any = type(value)
    return json.dumps(
        _writer(kind)(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def read(kind: type[Value], data: bytes) -> Value:
    """The value of dataclass ``kind`` that ``data`` holds. Raises ``Unreadable``."""
    try:
        plain = json.loads(data)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error
    wanted: Any = kind
    return typing.cast(Value, _reader(wanted)(plain))


def digest(value: object) -> str:
    """SHA-256 of the canonical bytes, lower-case hexadecimal."""
    return hashlib.sha256(write(value)).hexdigest()


def _plain(item: Any) -> Any:
    kind: Any = type(item)
    return item if kind in _PLAIN else _writer(kind)(item)


def _write_items(values: Any) -> list[Any]:
    return [_plain(item) for item in values]


def _default(field: dataclasses.Field[Any]) -> object:
    return field.default if field.default is not dataclasses.MISSING else dataclasses.MISSING


@functools.cache
def _writer(kind: Any) -> _Convert:
    if issubclass(kind, enum.Enum):
        return lambda value: value.value
    if issubclass(kind, tuple):
        return _write_items
    if not dataclasses.is_dataclass(kind):
        return lambda value: value
    hints = typing.get_type_hints(kind)
    fields = [(field.name, _default(field), hints[field.name] is float) for field in dataclasses.fields(kind)]
    tagged = str(getattr(kind, "__name__", "")) if getattr(kind, "TAGGED", False) else ""

    def convert(value: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {"type": tagged} if tagged else {}
        for name, default, is_float in fields:
            item = getattr(value, name)
            if item is default or item == default:
                continue
            if is_float:
                plain[name] = float(item)
            else:
                plain[name] = _plain(item)
        return plain

    return convert


@functools.cache
def _reader(kind: Any) -> _Convert:
    origin = typing.get_origin(kind)
    if origin is tuple:
        arguments = typing.get_args(kind)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            item = _reader(arguments[0])
            return lambda values: tuple(map(item, _expect(values, list, kind)))
        items = [_reader(argument) for argument in arguments]
        return lambda values: tuple(
            convert(value) for convert, value in zip(items, _expect(values, list, kind), strict=True)
        )
    if origin in (typing.Union, types.UnionType):
        return _union_reader(typing.get_args(kind))
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(typing.cast(type, kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        members = {member.value: member for member in kind}

        def convert_member(value: Any) -> Any:
            try:
                return members[value]
            except (KeyError, TypeError):
                raise Unreadable(f"{value!r} is not a {kind.__name__}") from None

        return convert_member
    if kind is float:
        return lambda value: float(_expect(value, (int, float), kind))
    return lambda value: _expect(value, kind, kind)


def _expect(value: Any, wanted: Any, kind: Any) -> Any:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):
        raise Unreadable(f"expected {getattr(kind, '__name__', kind)}, got {value!r:.80}")
    return value


def _union_reader(arguments: tuple[Any, ...]) -> _Convert:
    others = [argument for argument in arguments if argument is not type(None)]
    if len(others) == 1:
        inner = _reader(others[0])
        return lambda value: None if value is None else inner(value)
    tagged = {argument.__name__: argument for argument in others}

    def convert(value: Any) -> Any:
        name = value.get("type") if isinstance(value, dict) else None
        if name not in tagged:
            raise Unreadable(f"expected one of {sorted(tagged)}, got {name!r}")
        return _reader(tagged[name])(value)

    return convert


def _dataclass_reader(kind: type) -> _Convert:
    hints = typing.get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}
    tagged = bool(getattr(kind, "TAGGED", False))

    def convert(value: Any) -> Any:
        _expect(value, dict, kind)
        arguments = {}
        for name, item in value.items():
            if name in readers:
                arguments[name] = readers[name](item)
            elif not (tagged and name == "type"):
                raise Unreadable(f"{kind.__name__} has no field {name!r}")
        try:
            return kind(**arguments)
        except TypeError as error:
            raise Unreadable(str(error)) from error

    return convert
