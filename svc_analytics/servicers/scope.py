"""Whose events a caller sees."""

from mesh.identity.principal import Principal
from mesh.identity.profile import Profile


def only_user(profile: Profile, principal: Principal) -> str | None:
    """The one user whose events the caller may see, None for all.

    In `secure` that is the caller itself, unless it is an ADMIN; nobody's
    empty id matches no event. `local` hides nothing.
    """
    if profile is Profile.LOCAL or principal.admin:
        return None
    return principal.user_id
