"""The settings of auth."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from mesh.identity.profile import Profile
from mesh.settings import MeshSettings, Section, live
from mesh.settings.model import AuthPorts, Duration, Jwt, Oidc, Port, Secret, database, long_enough
from svc_auth.domain.organization import OrganizationLimits
from svc_auth.domain.password import PasswordRules
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.throttle import LoginLimits

YEAR = 365 * 86_400.0
SECOND_US = 1_000_000
# What others remember of a key that goes on they may remember so long.
SHORTEST_GRACE = 120.0


# Empty: generated under the data folder at the first start.
OwnSecret = Annotated[Secret, AfterValidator(long_enough)]


class ClientJwt(Jwt):
    """Tokens for clients."""

    expiry: Annotated[Duration, Field(ge=1, le=YEAR)] = 3600.0


class Organizations(Section):
    """How many there may be of what around organisations."""

    max_owned: int = live(20, ge=0, le=100_000)
    max_members: int = live(1_000, ge=1, le=10_000)
    max_invitations: int = live(100, ge=0, le=10_000)
    invitation_expiry: Duration = live(7 * 86_400.0, ge=1, le=YEAR)


class OwnOidc(Oidc):
    """What OAuth2's clients and their users get, and for how long."""

    access_token_lifetime: Annotated[Duration, Field(ge=1, le=86_400)] = 900.0
    # Of all refresh tokens that come of one login, however often they are exchanged.
    refresh_token_lifetime: Annotated[Duration, Field(ge=1, le=YEAR)] = 30 * 86_400.0
    # Of a browser's login.
    session_lifetime: Annotated[Duration, Field(ge=1, le=YEAR)] = 12 * 3600.0


class Password(Section):
    """What a password must be; the blocklist is on in `secure` unless set."""

    min_length: Annotated[int, Field(ge=1, le=256)] = 8
    blocklist: bool | None = None
    # More that are refused, one a line.
    blocklist_file: str = ""


class Login(Section):
    """How often logins may fail before they have to wait."""

    tries: int = live(10, ge=1)
    longest_wait: Duration = live(30.0, ge=1, le=900)
    address_tries: int = live(100, ge=1)
    account_tries: int = live(100, ge=1)


def _no_gap(grace: float) -> float:
    if 0 < grace < SHORTEST_GRACE:
        message = f"must be 0 or at least {SHORTEST_GRACE:g}s, as long as a key is remembered"
        raise ValueError(message)
    return grace


class ApiKeys(Section):
    """API keys are stored as HMACs under the pepper.

    Those made under the previous pepper are good as well, and are stored under
    the new one when they are next used.
    """

    pepper: OwnSecret = ""
    previous_pepper: OwnSecret = ""
    max_per_user: int = live(100, ge=1)
    rotation_grace: Annotated[Duration, AfterValidator(_no_gap)] = live(86_400.0, le=YEAR)


class Keys(Section):
    """Signing keys are stored encrypted under a key, and rotated.

    Keys are published for `publish_before` until they sign; who verifies
    tokens keeps a key set for five minutes at most.
    """

    encryption_key: OwnSecret = ""
    rotate_every: Annotated[Duration, Field(ge=60)] = 30 * 86_400.0
    publish_before: Annotated[Duration, Field(ge=1)] = 600.0


class AuthSection(AuthPorts):
    """The settings below `auth`; an empty store is SQLite under the data folder."""

    http_port: Port = 8081
    grpc_port: Port = 9081
    store: str = database()
    jwt: ClientJwt = ClientJwt()
    oidc: OwnOidc = OwnOidc()
    password: Password = Password()
    login: Login = Login()
    api_key: ApiKeys = ApiKeys()
    keys: Keys = Keys()
    organizations: Organizations = Organizations()


class AuthSettings(MeshSettings):
    """What auth reads."""

    auth: AuthSection = AuthSection()

    @model_validator(mode="after")
    def _two_issuers(self) -> "AuthSettings":
        # What tells a session's token from an application's.
        if self.auth.jwt.issuer == self.auth.oidc.issuer:
            message = "auth.jwt.issuer and auth.oidc.issuer must differ"
            raise ValueError(message)
        return self

    @property
    def store_url(self) -> str:
        """Where auth keeps what it owns."""
        return self.auth.store or f"sqlite:///{self.data / 'auth.db'}"

    @property
    def policy(self) -> AuthPolicy:
        """What the profile and the settings make of auth's decisions."""
        secure = self.effective_profile is Profile.SECURE
        asked = self.auth.password.blocklist
        blocklist = secure if asked is None else asked
        return AuthPolicy(
            known_users_only=secure,
            playground=not secure,
            organizations=self._organizations,
            password=PasswordRules(min_length=self.auth.password.min_length, blocklist=blocklist),
            login=self._login,
            keys_each=self.auth.api_key.max_per_user,
            rotation_grace=int(self.auth.api_key.rotation_grace * SECOND_US),
        )

    @property
    def _login(self) -> LoginLimits:
        asked = self.auth.login
        return LoginLimits(
            tries=asked.tries,
            longest_wait=asked.longest_wait,
            address_tries=asked.address_tries,
            account_tries=asked.account_tries,
        )

    @property
    def _organizations(self) -> OrganizationLimits:
        given = self.auth.organizations
        return OrganizationLimits(
            owned=given.max_owned,
            members=given.max_members,
            invitations=given.max_invitations,
            invitation_lifetime=round(given.invitation_expiry * SECOND_US),
        )
