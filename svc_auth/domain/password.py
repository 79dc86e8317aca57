"""What a password must be."""

import unicodedata
from dataclasses import dataclass

from svc_auth.domain.common_passwords import COMMON_PASSWORDS
from svc_auth.domain.text import comparable, storable

LONGEST = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRules:
    """What the operator asks of a password; `min_length` is in characters."""

    min_length: int
    blocklist: bool


def canonical(password: str) -> str:
    """The form that is hashed, whatever keyboard composed it (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def password_problem(password: str) -> str | None:
    """What makes a text no password at all, however strong; None when nothing does."""
    if not password or len(password) > LONGEST:
        return f"must have 1 to {LONGEST} characters"
    return None if storable(password) else "must not contain control characters"


def weakness(password: str, *, username: str, rules: PasswordRules) -> str | None:
    """Why the rules refuse a password; None when they do not. Never repeats the password."""
    if len(canonical(password)) < rules.min_length:
        return f"must have at least {rules.min_length} characters"
    if not rules.blocklist:
        return None
    # SP 800-63B, 3.1.1.2: common passwords and the user's own name are refused.
    if comparable(password) == comparable(username):
        return "must not be the user name"
    if comparable(password) in COMMON_PASSWORDS:
        return "is one of the most common passwords"
    return None
