"""How strictly a system checks its callers."""

from enum import StrEnum


class Profile(StrEnum):
    """`local`, a playground on loopback, or `secure`."""

    LOCAL = "local"
    SECURE = "secure"
