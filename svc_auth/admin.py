"""What `leaky admin create` runs, in its own process, whether or not the service is up."""

from mesh.clock import RandomIds, SystemClock
from svc_auth.domain.caller import OPERATOR
from svc_auth.domain.user import ADMIN, USER
from svc_auth.settings import AuthSettings
from svc_auth.usecases.register import Register
from svc_auth.wiring import open_passwords, open_stores


async def create_admin(settings: AuthSettings, *, username: str, email: str, password: str) -> str:
    """The id of a new user with the role ADMIN.

    Raises AppError for bad input, a weak password, a name or address taken;
    SettingsError or WrongDataError when the store cannot be opened.
    """
    async with open_stores(settings) as store, open_passwords() as passwords:
        register = Register(
            users=store.users,
            passwords=passwords,
            policy=lambda: settings.policy,
            clock=SystemClock(),
            ids=RandomIds(),
            roles=(ADMIN, USER),
        )
        user = await register(OPERATOR, username=username, email=email, password=password)
    return user.id
