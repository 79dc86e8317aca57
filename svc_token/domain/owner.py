"""Who owns a pool."""

from dataclasses import dataclass
from enum import StrEnum

# As what a member spends of its organisation's pools; svc_auth's standings but BILLING.
SPENDERS = frozenset({"OWNER", "MEMBER"})


class OwnerKind(StrEnum):
    """A user or an organisation."""

    USER = "user"
    ORG = "org"


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of pools; `str(owner)` leads the key of everything that it owns."""

    kind: OwnerKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.id}"

    @classmethod
    def of(cls, user_id: str, org_id: str | None) -> "Owner":
        """The organisation when one is named, else the user."""
        return cls(OwnerKind.ORG, org_id) if org_id else cls(OwnerKind.USER, user_id)

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """The owner whose str() this is."""
        kind, _, owner_id = text.partition(":")
        return cls(OwnerKind(kind), owner_id)


@dataclass(frozen=True, slots=True)
class PoolKey:
    """A pool: one for each owner and provider."""

    owner: Owner
    provider: str
