"""What a password must be."""

import unicodedata
from dataclasses import dataclass

from svc_auth.domain.common_passwords import COMMON_PASSWORDS
from svc_auth.domain.text import comparable, storable

LONGEST = 256
OURS = frozenset({"leaky", "leakytoken", "leakytokens", "leaky tokens", "leaky-tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRules:
    """What the operator asks of a password; `min_length` is in characters."""

    min_length: int
    blocklist: bool
    # More that are refused, in the form `comparable` gives them.
    blocked: frozenset[str] = frozenset()


def canonical(password: str) -> str:
    """The form that is hashed, whatever keyboard composed it (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def password_problem(password: str) -> str | None:
    """What makes a text no password at all, however strong; None when nothing does."""
    if not password or len(password) > LONGEST:
        return f"must have 1 to {LONGEST} characters"
    return None if storable(password) else "must not contain control characters"


def weakness(password: str, *, username: str, email: str, rules: PasswordRules) -> str | None:
    """Why the rules refuse a password; None when they do not. Never repeats the password."""
    if len(canonical(password)) < rules.min_length:
        return f"must have at least {rules.min_length} characters"
    if not rules.blocklist:
        return None
    # SP 800-63B, 3.1.1.2: common passwords, the user's own name and ours are refused,
    # also with something in front and behind.
    text = comparable(password)
    own = {comparable(username): "user name", comparable(email): "address"}
    own[comparable(email.partition("@")[0])] = "address"
    for name, what in own.items():
        if name and name in {text, _core(text)}:
            return f"must not be the {what}"
    if text in COMMON_PASSWORDS or _core(text) in OURS:
        return "is one of the most common passwords"
    return "is on the list of refused passwords" if text in rules.blocked else None


def _core(text: str) -> str:
    """Without what is put around a word to make it another."""
    letters = [index for index, char in enumerate(text) if char.isalpha()]
    return text[letters[0] : letters[-1] + 1] if letters else text
