"""Organisations. Times are microseconds since the epoch."""

from dataclasses import dataclass

from svc_auth.domain.membership import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """Users who share pools of tokens; names need not be unique."""

    id: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrganization:
    """An organisation as one of its members sees it."""

    organization: Organization
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationLimits:
    """How many there may be of what, and how long an invitation is good, in microseconds."""

    # Organisations that one user owns, when it begins another.
    owned: int
    # Members of one organisation.
    members: int
    # Invitations of one organisation that may still be accepted.
    invitations: int
    invitation_lifetime: int
