"""Everything that the profile and the settings change in auth's decisions, in one place."""

from dataclasses import dataclass

from svc_auth.domain.organization import OrganizationLimits
from svc_auth.domain.password import PasswordRules


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPolicy:
    """`known_users_only`: keys and memberships belong to registered users alone.

    `playground`: there is an OAuth2 client whose secret everybody knows.
    """

    known_users_only: bool
    playground: bool = False
    password: PasswordRules
    organizations: OrganizationLimits
