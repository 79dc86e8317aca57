"""JSON values to Python values. ValueErrors say what was expected, never what came.

int64 may come as a number or as a string; unknown fields are ignored; an absent
or null field is its proto default where it has one.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")
Json = Mapping[str, Any]
Decoder = Callable[[object], T]


def _expected(what: str) -> ValueError:
    return ValueError(f"expected {what}")


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise _expected("a string")
    return value


def integer(value: object) -> int:
    """A whole number, or its decimal digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _expected("a whole number")
    try:
        number = int(value)
    except (ValueError, OverflowError):
        raise _expected("a whole number") from None
    if isinstance(value, float) and number != value:
        raise _expected("a whole number")
    return number


def number(value: object) -> float:
    """A number, or its text, as proto's JSON has NaN and Infinity."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _expected("a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise _expected("a number") from None


def boolean(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _expected("true or false")
    return value


def time(value: object) -> datetime:
    """RFC 3339, as an aware datetime in UTC; finer than microseconds is cut."""
    try:
        moment = datetime.fromisoformat(text(value))
    except ValueError:
        raise _expected("an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise _expected("a time with a zone")
    return moment.astimezone(UTC)


def document(value: object) -> dict[str, Any]:
    """A JSON object, as it is."""
    if not isinstance(value, dict):
        raise _expected("an object")
    return value


def nothing(value: object) -> None:
    """An answer that says nothing by its body."""
    del value


def listed(value: object, item: Decoder[T]) -> tuple[T, ...]:
    """An array."""
    if not isinstance(value, list):
        raise _expected("an array")
    return tuple(item(entry) for entry in value)


def need(data: Json, name: str, item: Decoder[T]) -> T:
    """A field that is always there."""
    value = data.get(name)
    if value is None:
        raise ValueError(f"{name}: missing")
    return _named(name, item, value)


def maybe(data: Json, name: str, item: Decoder[T]) -> T | None:
    """A field that may be absent."""
    value = data.get(name)
    return None if value is None else _named(name, item, value)


def either(data: Json, name: str, item: Decoder[T], default: T) -> T:
    """A field with a default."""
    value = data.get(name)
    return default if value is None else _named(name, item, value)


def many(data: Json, name: str, item: Decoder[T]) -> tuple[T, ...]:
    """A repeated field; absent is empty."""
    value = data.get(name)
    return () if value is None else _named(name, lambda array: listed(array, item), value)


def _named(name: str, item: Decoder[T], value: object) -> T:
    try:
        return item(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
