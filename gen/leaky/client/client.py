"""The clients.

Generated from proto/ by `make gen`; not to be edited.
"""

from typing import ClassVar

from ._async_services import (
    AsyncAnalyticsService,
    AsyncApiKeyService,
    AsyncAuthService,
    AsyncChatService,
    AsyncConsumeService,
    AsyncInvitationService,
    AsyncMemberCapService,
    AsyncMeteringService,
    AsyncOauthClientService,
    AsyncOauthConsentService,
    AsyncOrganizationService,
    AsyncPurchaseService,
    AsyncQuotaService,
    AsyncUserService,
)
from ._runtime.async_connection import AsyncConnection
from ._runtime.errors import LeakyError
from ._runtime.sync_connection import Connection
from ._sync_services import (
    AnalyticsService,
    ApiKeyService,
    AuthService,
    ChatService,
    ConsumeService,
    InvitationService,
    MemberCapService,
    MeteringService,
    OauthClientService,
    OauthConsentService,
    OrganizationService,
    PurchaseService,
    QuotaService,
    UserService,
)
from ._version import __version__
from .errors import BY_REASON

__all__ = [
    "AsyncClient",
    "Client",
]


class AsyncClient(AsyncConnection):
    """A client of the edge, or of any one service's REST port.

    Example:
        async with AsyncClient(base_url=..., api_key=...) as client:
            quota = await client.quota.get_quota(user_id=..., provider=...)
    """

    ERRORS: ClassVar[dict[str, type[LeakyError]]] = BY_REASON
    USER_AGENT: ClassVar[str] = f"leaky-client/{__version__}"

    @property
    def analytics(self) -> AsyncAnalyticsService:
        """What was used. In `secure` a USER sees its own events only, an ADMIN all."""
        return AsyncAnalyticsService(self)

    @property
    def api_key(self) -> AsyncApiKeyService:
        """API keys of users."""
        return AsyncApiKeyService(self)

    @property
    def auth(self) -> AsyncAuthService:
        """Users and their sessions."""
        return AsyncAuthService(self)

    @property
    def invitation(self) -> AsyncInvitationService:
        """Invitations into organisations."""
        return AsyncInvitationService(self)

    @property
    def oauth_client(self) -> AsyncOauthClientService:
        """Applications that may ask users for access. OAuth2 itself is spoken in forms and
        redirects, on svc_auth's own port.
        """
        return AsyncOauthClientService(self)

    @property
    def oauth_consent(self) -> AsyncOauthConsentService:
        """What users have allowed applications."""
        return AsyncOauthConsentService(self)

    @property
    def organization(self) -> AsyncOrganizationService:
        """Organisations, and who belongs to which as what."""
        return AsyncOrganizationService(self)

    @property
    def user(self) -> AsyncUserService:
        """Users, as an administrator looks after them."""
        return AsyncUserService(self)

    @property
    def chat(self) -> AsyncChatService:
        """The stubs' chat, free of charge; a paid provider is never behind it."""
        return AsyncChatService(self)

    @property
    def consume(self) -> AsyncConsumeService:
        """Spending tokens at a provider, and how fast it may be done."""
        return AsyncConsumeService(self)

    @property
    def member_cap(self) -> AsyncMemberCapService:
        """What single members may take of their organisation's pools in a window."""
        return AsyncMemberCapService(self)

    @property
    def metering(self) -> AsyncMeteringService:
        """Tokens reserved before a call, and charged after it: for those that call providers
        themselves. Every method may be repeated.
        """
        return AsyncMeteringService(self)

    @property
    def purchase(self) -> AsyncPurchaseService:
        """Buying tokens."""
        return AsyncPurchaseService(self)

    @property
    def quota(self) -> AsyncQuotaService:
        """Token pools."""
        return AsyncQuotaService(self)


class Client(Connection):
    """A client of the edge, or of any one service's REST port.

    Example:
        with Client(base_url=..., api_key=...) as client:
            quota = client.quota.get_quota(user_id=..., provider=...)
    """

    ERRORS: ClassVar[dict[str, type[LeakyError]]] = BY_REASON
    USER_AGENT: ClassVar[str] = f"leaky-client/{__version__}"

    @property
    def analytics(self) -> AnalyticsService:
        """What was used. In `secure` a USER sees its own events only, an ADMIN all."""
        return AnalyticsService(self)

    @property
    def api_key(self) -> ApiKeyService:
        """API keys of users."""
        return ApiKeyService(self)

    @property
    def auth(self) -> AuthService:
        """Users and their sessions."""
        return AuthService(self)

    @property
    def invitation(self) -> InvitationService:
        """Invitations into organisations."""
        return InvitationService(self)

    @property
    def oauth_client(self) -> OauthClientService:
        """Applications that may ask users for access. OAuth2 itself is spoken in forms and
        redirects, on svc_auth's own port.
        """
        return OauthClientService(self)

    @property
    def oauth_consent(self) -> OauthConsentService:
        """What users have allowed applications."""
        return OauthConsentService(self)

    @property
    def organization(self) -> OrganizationService:
        """Organisations, and who belongs to which as what."""
        return OrganizationService(self)

    @property
    def user(self) -> UserService:
        """Users, as an administrator looks after them."""
        return UserService(self)

    @property
    def chat(self) -> ChatService:
        """The stubs' chat, free of charge; a paid provider is never behind it."""
        return ChatService(self)

    @property
    def consume(self) -> ConsumeService:
        """Spending tokens at a provider, and how fast it may be done."""
        return ConsumeService(self)

    @property
    def member_cap(self) -> MemberCapService:
        """What single members may take of their organisation's pools in a window."""
        return MemberCapService(self)

    @property
    def metering(self) -> MeteringService:
        """Tokens reserved before a call, and charged after it: for those that call providers
        themselves. Every method may be repeated.
        """
        return MeteringService(self)

    @property
    def purchase(self) -> PurchaseService:
        """Buying tokens."""
        return PurchaseService(self)

    @property
    def quota(self) -> QuotaService:
        """Token pools."""
        return QuotaService(self)
