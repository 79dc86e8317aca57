"""Everything that the profile and the settings change in auth's decisions, in one place."""

from dataclasses import dataclass

from svc_auth.domain.organization import OrganizationLimits
from svc_auth.domain.password import PasswordRules
from svc_auth.domain.throttle import LoginLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPolicy:
    """What is allowed.

    `known_users_only`: keys and memberships belong to registered users alone.
    `keys_each`: how many API keys a user may have. `rotation_grace` is how long a
    key goes on after it was rotated, in microseconds. `playground`: there is an
    OAuth2 client whose secret everybody knows.
    """

    known_users_only: bool
    playground: bool = False
    password: PasswordRules
    organizations: OrganizationLimits
    login: LoginLimits
    keys_each: int
    rotation_grace: int
