"""What people type: what may be stored, and when two texts are the same.

The functions named `*_problem` return what is wrong, or None.
"""

import re
import unicodedata

USERNAME_LENGTH = range(3, 65)
EMAIL_LONGEST = 254
NAME_LONGEST = 100
# Normalising can make a text 18 times as long, past what an index entry may hold.
COMPARABLE_LONGEST = 512
_PROVIDER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def storable(text: str) -> bool:
    """No control characters (PostgreSQL takes no NUL) and no lone surrogates (UTF-8 neither)."""
    return not any(unicodedata.category(char) in {"Cc", "Cs"} for char in text)


def comparable(text: str) -> str:
    """Equal for texts that a reader takes for the same: compatibility caseless (Unicode D146)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def username_problem(username: str) -> str | None:
    """A name is 3 to 64 printable characters without blanks around them."""
    if len(username) not in USERNAME_LENGTH:
        return f"must have {USERNAME_LENGTH.start} to {USERNAME_LENGTH.stop - 1} characters"
    if not username.isprintable() or not storable(username):
        return "must consist of printable characters"
    if username != username.strip():
        return "must not begin or end with a blank"
    return _length_problem(username)


def email_problem(email: str) -> str | None:
    """An address has one "@" with something on both sides and no blanks."""
    if len(email) > EMAIL_LONGEST:
        return f"must have at most {EMAIL_LONGEST} characters"
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        return "must be an e-mail address"
    return _length_problem(email)


def name_problem(name: str) -> str | None:
    """A key's name is free text of 1 to 100 characters."""
    if not name.strip():
        return "must not be blank"
    if len(name) > NAME_LONGEST:
        return f"must have at most {NAME_LONGEST} characters"
    return None if storable(name) else "must not contain control characters"


def provider_problem(provider: str) -> str | None:
    """A provider has a short name without blanks."""
    return None if _PROVIDER.fullmatch(provider) else "must be names of providers"


def _length_problem(text: str) -> str | None:
    return "is too long" if len(comparable(text)) > COMPARABLE_LONGEST else None
