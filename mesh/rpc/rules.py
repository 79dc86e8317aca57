"""Compiles the field rules of a message type into plain functions.

A check is called with the message, the path before it and the list that
violations are added to. Field paths are proto names, dotted, with [i] for
elements of lists.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from leaky.edge.v1 import options_pb2
from leaky.edge.v1.options_pb2 import FORMAT_EMAIL, FORMAT_PRINTABLE, FORMAT_UUID, Field
from mesh.errors import FieldViolation

Check = Callable[[Any, str, list[FieldViolation]], None]
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
    FieldDescriptor.CPPTYPE_DOUBLE,
    FieldDescriptor.CPPTYPE_FLOAT,
}


def compile_checks(descriptor: Descriptor) -> tuple[Check, ...]:
    """The checks of all fields that have any."""
    checks: list[Check] = []
    for field in descriptor.fields:
        rule = field.GetOptions().Extensions[options_pb2.field]
        if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
            checks.append(_text(field, rule))
            continue
        if rule.required:
            checks.append(_required(field))
        checks.extend(_of_kind(field, rule))
    return tuple(checks)


def _of_kind(field: FieldDescriptor, rule: Field) -> Iterable[Check]:
    if field.type == FieldDescriptor.TYPE_STRING:
        return [_texts(field, rule)]
    if field.cpp_type in _NUMBERS and _has_number_rule(rule):
        if field.is_repeated:
            message = f"{field.full_name}: no rule for lists of numbers"
            raise TypeError(message)
        return [_number(field, rule)]
    if field.message_type and not field.message_type.GetOptions().map_entry:
        return _nested(field)
    return ()


def _fault(violations: list[FieldViolation], path: str, name: str, message: str) -> None:
    violations.append(FieldViolation(field=path + name, message=message))


def _required(field: FieldDescriptor) -> Check:
    name = field.name
    present = field.has_presence

    def check(message: Any, path: str, violations: list[FieldViolation]) -> None:
        if not (message.HasField(name) if present else getattr(message, name)):
            _fault(violations, path, name, "is required")

    return check


def _text(field: FieldDescriptor, rule: Field) -> Check:
    name, required = field.name, rule.required
    problem = _text_problem(rule)
    lower = rule.format == FORMAT_UUID
    # An empty text that was sent is too short, unless that cannot be told from none.
    short = field.has_presence and bool(rule.min_length)

    def check(message: Any, path: str, violations: list[FieldViolation]) -> None:
        value = getattr(message, name)
        if not value or (required and value.isspace()):
            if required:
                _fault(violations, path, name, "is required")
            if not value and not (short and message.HasField(name)):
                return
        fault = problem(value)
        if fault:
            _fault(violations, path, name, fault)
        elif lower and not value.islower():
            # One id, one spelling: else a user could hold two pools.
            setattr(message, name, value.lower())

    return check


def _texts(field: FieldDescriptor, rule: Field) -> Check:
    name = field.name
    problem = _text_problem(rule)
    lower = rule.format == FORMAT_UUID

    def check(message: Any, path: str, violations: list[FieldViolation]) -> None:
        values = getattr(message, name)
        for index, value in enumerate(values):
            fault = problem(value)
            if fault:
                _fault(violations, path, f"{name}[{index}]", fault)
            elif lower:
                values[index] = value.lower()

    return check


def _text_problem(rule: Field) -> Callable[[str], str | None]:
    is_format, not_format = _FORMATS.get(rule.format, (None, ""))
    shortest, longest = rule.min_length, rule.max_length or sys.maxsize
    allowed = frozenset(rule.one_of)

    def problem(value: str) -> str | None:
        if "\0" in value:
            return "must not contain NUL"
        if is_format is not None and not is_format(value):
            return not_format
        if not shortest <= len(value) <= longest:
            return _length_text(value, shortest, longest)
        if allowed and value not in allowed:
            return "must be one of " + ", ".join(rule.one_of)
        return None

    return problem


_FORMATS: dict[int, tuple[Callable[[str], object], str]] = {
    FORMAT_UUID: (_UUID.fullmatch, "must be a UUID"),
    FORMAT_EMAIL: (_EMAIL.fullmatch, "must be an email address"),
    FORMAT_PRINTABLE: (str.isprintable, "must be printable"),
}


def _length_text(value: str, shortest: int, longest: int) -> str:
    if len(value) < shortest:
        return f"must have at least {shortest} characters"
    return f"must have at most {longest} characters"


def _has_number_rule(rule: Field) -> bool:
    return rule.HasField("min") or rule.HasField("max") or rule.HasField("default_number")


def _number(field: FieldDescriptor, rule: Field) -> Check:
    name, presence = field.name, field.has_presence
    kind: type[int | float] = (
        float if field.cpp_type in {field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT} else int
    )
    low = kind(rule.min) if rule.HasField("min") else None
    high = kind(rule.max) if rule.HasField("max") else None

    def check(message: Any, path: str, violations: list[FieldViolation]) -> None:
        if presence and not message.HasField(name):
            if rule.HasField("default_number"):
                setattr(message, name, kind(rule.default_number))
            return
        value = getattr(message, name)
        bound = _nearest(value, low, high)
        if bound == value:
            return
        if rule.clamp and bound is not None:
            setattr(message, name, bound)
        else:
            _fault(violations, path, name, _range_text(value, low, high))

    return check


def _nearest(value: float, low: float | None, high: float | None) -> float | None:
    if low is not None and value < low:
        return low
    if high is not None and value > high:
        return high
    # NaN is in no range, and infinity only beyond a bound.
    return value if math.isfinite(value) else None


def _range_text(value: float, low: float | None, high: float | None) -> str:
    if not math.isfinite(value):
        return "must be a finite number"
    if high is None:
        return f"must be at least {low}"
    if low is None:
        return f"must be at most {high}"
    if low == high:
        return f"must be {low}"
    return f"must be between {low} and {high}"


def _nested(field: FieldDescriptor) -> list[Check]:
    name = field.name
    descriptor = cast("Descriptor", field.message_type)
    bounds = _TIMES.get(descriptor.full_name)
    inner = compile_checks(descriptor) if bounds is None else (_time(*bounds),)
    if not inner:
        return []

    def check_one(message: Any, path: str, violations: list[FieldViolation]) -> None:
        if message.HasField(name):
            for one in inner:
                one(getattr(message, name), f"{path}{name}.", violations)

    def check_all(message: Any, path: str, violations: list[FieldViolation]) -> None:
        for index, item in enumerate(getattr(message, name)):
            for one in inner:
                one(item, f"{path}{name}[{index}].", violations)

    return [check_all if field.is_repeated else check_one]


# Seconds of the years 1 to 9999, and of ten thousand years either way.
_TIMES = {
    "google.protobuf.Timestamp": (-62_135_596_800, 253_402_300_799),
    "google.protobuf.Duration": (-315_576_000_000, 315_576_000_000),
}
_NANOS = 999_999_999


def _time(low: int, high: int) -> Check:
    least = -_NANOS if low == -high else 0

    def check(message: Any, path: str, violations: list[FieldViolation]) -> None:
        if not (low <= message.seconds <= high and least <= message.nanos <= _NANOS):
            _fault(violations, path.removesuffix("."), "", "is out of range")

    return check
