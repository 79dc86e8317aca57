import pytest

from mesh.identity.principal import ADMIN, NOBODY, Principal
from mesh.identity.profile import Profile
from svc_analytics.servicers.scope import only_user

USER = Principal(user_id="u", roles=frozenset({"USER"}))
BOSS = Principal(user_id="a", roles=frozenset({"USER", ADMIN}))


@pytest.mark.parametrize(
    ("profile", "principal", "seen"),
    [
        (Profile.SECURE, USER, "u"),
        (Profile.SECURE, BOSS, None),
        # The access rule refuses nobody before; without it nothing may show.
        (Profile.SECURE, NOBODY, ""),
        (Profile.LOCAL, USER, None),
        (Profile.LOCAL, BOSS, None),
        (Profile.LOCAL, NOBODY, None),
    ],
)
def test_whose_events_a_caller_sees(
    profile: Profile, principal: Principal, seen: str | None
) -> None:
    assert only_user(profile, principal) == seen
