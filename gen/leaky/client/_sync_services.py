"""The server's methods.

Generated from proto/ by `make gen`; not to be edited.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import _decode, models
from ._runtime import decode
from ._runtime.headers import Trace
from ._runtime.request import Request, fields, segment
from ._runtime.sync_connection import Connection

__all__ = [
    "AnalyticsService",
    "ApiKeyService",
    "AuthService",
    "ChatService",
    "ConsumeService",
    "InvitationService",
    "MemberCapService",
    "MeteringService",
    "OauthClientService",
    "OauthConsentService",
    "OrganizationService",
    "PurchaseService",
    "QuotaService",
    "UserService",
]


class AnalyticsService:
    """What was used. In `secure` a USER sees its own events only, an ADMIN all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_health(
        self,
        *,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ServiceHealth:
        """Says that the service answers.

        GET /api/v1/analytics/health

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AnalyticsService.GetHealth",
                verb="GET",
                path="/api/v1/analytics/health",
                repeatable=True,
                decode=_decode.to_service_health,
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_usage(
        self,
        *,
        provider: str,
        limit: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ListUsageResponse:
        """The newest events of a provider.

        GET /api/v1/analytics/usage

        Args:
            limit: How many at the most.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AnalyticsService.ListUsage",
                verb="GET",
                path="/api/v1/analytics/usage",
                repeatable=True,
                decode=_decode.to_list_usage_response,
                query={"provider": provider, "limit": limit},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_report(
        self,
        *,
        provider: str,
        window_minutes: int | None = None,
        limit: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.GetReportResponse:
        """Exact totals of a provider over a window.

        GET /api/v1/analytics/report

        Args:
            window_minutes: The window's length, ending now.
            limit: Echoed as sample_limit.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AnalyticsService.GetReport",
                verb="GET",
                path="/api/v1/analytics/report",
                repeatable=True,
                decode=_decode.to_get_report_response,
                query={"provider": provider, "windowMinutes": window_minutes, "limit": limit},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_anomalies(
        self,
        *,
        provider: str,
        window_minutes: int | None = None,
        baseline_windows: int | None = None,
        threshold_multiplier: float | None = None,
        limit: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.GetAnomaliesResponse:
        """The current window against the average of those before it.

        GET /api/v1/analytics/anomalies

        Args:
            window_minutes: The window's length, ending now.
            baseline_windows: How many windows before the current one.
            threshold_multiplier: At or above this ratio it is an anomaly.
            limit: Echoed as sample_limit.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AnalyticsService.GetAnomalies",
                verb="GET",
                path="/api/v1/analytics/anomalies",
                repeatable=True,
                decode=_decode.to_get_anomalies_response,
                query={
                    "provider": provider,
                    "windowMinutes": window_minutes,
                    "baselineWindows": baseline_windows,
                    "thresholdMultiplier": threshold_multiplier,
                    "limit": limit,
                },
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_provider_shares(
        self,
        *,
        window_minutes: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ListProviderSharesResponse:
        """Every provider's share of a window.

        GET /api/v1/analytics/providers

        Args:
            window_minutes: The window's length, ending now.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AnalyticsService.ListProviderShares",
                verb="GET",
                path="/api/v1/analytics/providers",
                repeatable=True,
                decode=_decode.to_list_provider_shares_response,
                query={"windowMinutes": window_minutes},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_user_usage(
        self,
        *,
        user_id: str,
        window_minutes: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.GetUserUsageResponse:
        """A user's use over a window.

        GET /api/v1/analytics/users/{user_id}

        Args:
            window_minutes: The window's length, ending now.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AnalyticsService.GetUserUsage",
                verb="GET",
                path=f"/api/v1/analytics/users/{segment('user_id', user_id)}",
                repeatable=True,
                decode=_decode.to_get_user_usage_response,
                query={"windowMinutes": window_minutes},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_trends(
        self,
        *,
        provider: str,
        window_minutes: int | None = None,
        buckets: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.GetTrendsResponse:
        """A window of a provider, cut into buckets.

        GET /api/v1/analytics/trends

        Args:
            window_minutes: The window's length, ending now.
            buckets: How many points.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AnalyticsService.GetTrends",
                verb="GET",
                path="/api/v1/analytics/trends",
                repeatable=True,
                decode=_decode.to_get_trends_response,
                query={"provider": provider, "windowMinutes": window_minutes, "buckets": buckets},
            ),
            timeout=timeout,
            trace=trace,
        )


class ApiKeyService:
    """API keys of users."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_api_key(
        self,
        *,
        user_id: str,
        name: str,
        expires_at: datetime | None = None,
        scopes: list[str] | tuple[str, ...] | None = None,
        providers: list[str] | tuple[str, ...] | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.NewApiKey:
        """Makes a key and shows it, once.

        POST /api/v1/auth/api-keys

        Args:
            name: 1 to 100 characters, free text.
            expires_at: In the future; unset: never.
            scopes: What the key may be used for; none for all that its user may do.
            providers: The providers that it may spend at, such as "openai"; none for all.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ApiKeyService.CreateApiKey",
                verb="POST",
                path="/api/v1/auth/api-keys",
                repeatable=False,
                decode=_decode.to_new_api_key,
                body=fields(
                    userId=user_id,
                    name=name,
                    expiresAt=expires_at,
                    scopes=scopes,
                    providers=providers,
                ),
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_api_keys(
        self,
        *,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.ApiKey, ...]:
        """A user's keys that are not revoked, oldest first.

        GET /api/v1/auth/api-keys

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ApiKeyService.ListApiKeys",
                verb="GET",
                path="/api/v1/auth/api-keys",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_api_key),
                query={"userId": user_id},
            ),
            timeout=timeout,
            trace=trace,
        )

    def delete_api_key(
        self,
        *,
        user_id: str,
        api_key_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Revokes a key; every cache drops it at once.

        DELETE /api/v1/auth/api-keys

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="ApiKeyService.DeleteApiKey",
                verb="DELETE",
                path="/api/v1/auth/api-keys",
                repeatable=False,
                decode=decode.nothing,
                query={"userId": user_id, "apiKeyId": api_key_id},
            ),
            timeout=timeout,
            trace=trace,
        )

    def rotate_api_key(
        self,
        *,
        user_id: str,
        api_key_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.NewApiKey:
        """Makes a key like this one; the old one is good for auth.api-key.rotation-grace more, so
        that whoever holds it can change over without a failed call.

        POST /api/v1/auth/api-keys/{api_key_id}/rotate

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ApiKeyService.RotateApiKey",
                verb="POST",
                path=f"/api/v1/auth/api-keys/{segment('api_key_id', api_key_id)}/rotate",
                repeatable=False,
                decode=_decode.to_new_api_key,
                body=fields(userId=user_id),
            ),
            timeout=timeout,
            trace=trace,
        )

    def validate_api_key(
        self,
        *,
        api_key: str | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ValidateApiKeyResponse:
        """Says whose key it is, or that it is none.

        GET /api/v1/auth/api-keys/validate

        Args:
            api_key: From the header X-Api-Key; empty is an invalid key (401), not a 400.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ApiKeyService.ValidateApiKey",
                verb="GET",
                path="/api/v1/auth/api-keys/validate",
                repeatable=True,
                decode=_decode.to_validate_api_key_response,
                headers={"X-Api-Key": api_key},
            ),
            timeout=timeout,
            trace=trace,
        )


class AuthService:
    """Users and their sessions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def register(
        self,
        *,
        username: str,
        email: str,
        password: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.RegisterResponse:
        """Makes a user with the role USER and signs it in.

        POST /api/v1/auth/register

        Args:
            username: 3 to 64 characters.
            email: The user's address.
            password: At least auth.password.min-length characters.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AuthService.Register",
                verb="POST",
                path="/api/v1/auth/register",
                repeatable=False,
                decode=_decode.to_register_response,
                body=fields(username=username, email=email, password=password),
            ),
            timeout=timeout,
            trace=trace,
        )

    def login(
        self,
        *,
        username: str,
        password: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.LoginResponse:
        """Exchanges a password for a token.

        POST /api/v1/auth/login

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AuthService.Login",
                verb="POST",
                path="/api/v1/auth/login",
                repeatable=False,
                decode=_decode.to_login_response,
                body=fields(username=username, password=password),
            ),
            timeout=timeout,
            trace=trace,
        )

    def change_password(
        self,
        *,
        current_password: str,
        new_password: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ChangePasswordResponse:
        """Gives the calling user another password; ends all its sessions and begins a new one. API
        keys go on.

        POST /api/v1/auth/password

        Args:
            new_password: By the rules of a new user's.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AuthService.ChangePassword",
                verb="POST",
                path="/api/v1/auth/password",
                repeatable=False,
                decode=_decode.to_change_password_response,
                body=fields(currentPassword=current_password, newPassword=new_password),
            ),
            timeout=timeout,
            trace=trace,
        )

    def logout(
        self,
        *,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Ends the calling session: its token is refused everywhere from now on.

        POST /api/v1/auth/logout

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="AuthService.Logout",
                verb="POST",
                path="/api/v1/auth/logout",
                repeatable=False,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_health(
        self,
        *,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ServiceHealth:
        """Says that the service answers.

        GET /api/v1/auth/health

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="AuthService.GetHealth",
                verb="GET",
                path="/api/v1/auth/health",
                repeatable=True,
                decode=_decode.to_service_health,
            ),
            timeout=timeout,
            trace=trace,
        )


class InvitationService:
    """Invitations into organisations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_invitation(
        self,
        *,
        org_id: str,
        email: str,
        role: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.NewInvitation:
        """Invites whoever has an address, now or later. No mail is sent: the token in the answer,
        shown once, is to be brought to the invited. One that is still open for the address is
        withdrawn.

        POST /api/v1/orgs/{org_id}/invitations

        Args:
            role: OWNER, MEMBER or BILLING, in any case.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="InvitationService.CreateInvitation",
                verb="POST",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/invitations",
                repeatable=False,
                decode=_decode.to_new_invitation,
                body=fields(email=email, role=role),
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_invitations(
        self,
        *,
        org_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.Invitation, ...]:
        """The invitations that may still be accepted, oldest first.

        GET /api/v1/orgs/{org_id}/invitations

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="InvitationService.ListInvitations",
                verb="GET",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/invitations",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_invitation),
            ),
            timeout=timeout,
            trace=trace,
        )

    def delete_invitation(
        self,
        *,
        org_id: str,
        invitation_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Withdraws an invitation that nobody has accepted.

        DELETE /api/v1/orgs/{org_id}/invitations/{invitation_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="InvitationService.DeleteInvitation",
                verb="DELETE",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/invitations/{segment('invitation_id', invitation_id)}",
                repeatable=False,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def accept_invitation(
        self,
        *,
        token: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.AcceptInvitationResponse:
        """Makes the caller, whose address must be the invited one, what the invitation says. The
        same user's next call has the same answer. Without a credential, which `local` allows,
        the user with that address accepts. In a body the token stays out of logs; as a path it
        can be sent as a link.

        POST /api/v1/invitations/accept

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="InvitationService.AcceptInvitation",
                verb="POST",
                path="/api/v1/invitations/accept",
                repeatable=True,
                decode=_decode.to_accept_invitation_response,
                body=fields(token=token),
            ),
            timeout=timeout,
            trace=trace,
        )


class OauthClientService:
    """Applications that may ask users for access. OAuth2 itself is spoken in forms and redirects,
    on svc_auth's own port.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_oauth_client(
        self,
        *,
        name: str,
        client_id: str | None = None,
        public: bool | None = None,
        redirect_uris: list[str] | tuple[str, ...] | None = None,
        scopes: list[str] | tuple[str, ...] | None = None,
        grant_types: list[str] | tuple[str, ...] | None = None,
        require_pkce: bool | None = None,
        post_logout_redirect_uris: list[str] | tuple[str, ...] | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.NewOauthClient:
        """Registers a client and shows its secret, once.

        POST /api/v1/oauth2/clients

        Args:
            name: 1 to 100 characters, which users are shown.
            client_id: 3 to 64 of lower-case letters, digits and single hyphens; empty: one is
                made.
            public: Without a secret, for what runs at the user's own place.
            redirect_uris: https, http on loopback, or a private scheme such as com.example.app; 20
                at most.
            scopes: Of openid, profile, email, offline_access, tokens.read, tokens.write; one at
                least.
            grant_types: Of authorization_code, client_credentials, refresh_token; empty:
                authorization_code.
            require_pkce: True unless set; only a client with a secret may do without.
            post_logout_redirect_uris: Where browsers may be sent after a logout; like
                redirect_uris, 20 at most.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OauthClientService.CreateOauthClient",
                verb="POST",
                path="/api/v1/oauth2/clients",
                repeatable=False,
                decode=_decode.to_new_oauth_client,
                body=fields(
                    name=name,
                    clientId=client_id,
                    public=public,
                    redirectUris=redirect_uris,
                    scopes=scopes,
                    grantTypes=grant_types,
                    requirePkce=require_pkce,
                    postLogoutRedirectUris=post_logout_redirect_uris,
                ),
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_oauth_clients(
        self,
        *,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.OauthClient, ...]:
        """All clients, oldest first.

        GET /api/v1/oauth2/clients

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OauthClientService.ListOauthClients",
                verb="GET",
                path="/api/v1/oauth2/clients",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_oauth_client),
            ),
            timeout=timeout,
            trace=trace,
        )

    def rotate_oauth_client_secret(
        self,
        *,
        client_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.RotateOauthClientSecretResponse:
        """Has a new secret count and the old one not, and shows it, once.

        POST /api/v1/oauth2/clients/{client_id}/secret

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OauthClientService.RotateOauthClientSecret",
                verb="POST",
                path=f"/api/v1/oauth2/clients/{segment('client_id', client_id)}/secret",
                repeatable=False,
                decode=_decode.to_rotate_oauth_client_secret_response,
            ),
            timeout=timeout,
            trace=trace,
        )

    def delete_oauth_client(
        self,
        *,
        client_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Forgets a client, and takes back all tokens that it was given.

        DELETE /api/v1/oauth2/clients/{client_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="OauthClientService.DeleteOauthClient",
                verb="DELETE",
                path=f"/api/v1/oauth2/clients/{segment('client_id', client_id)}",
                repeatable=False,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )


class OauthConsentService:
    """What users have allowed applications."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_oauth_consents(
        self,
        *,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.OauthConsent, ...]:
        """What a user has allowed, oldest first.

        GET /api/v1/auth/consents

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OauthConsentService.ListOauthConsents",
                verb="GET",
                path="/api/v1/auth/consents",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_oauth_consent),
                query={"userId": user_id},
            ),
            timeout=timeout,
            trace=trace,
        )

    def delete_oauth_consent(
        self,
        *,
        user_id: str,
        client_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Takes it back: the application's tokens for the user end at once, and the user is asked
        again the next time.

        DELETE /api/v1/auth/consents/{client_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="OauthConsentService.DeleteOauthConsent",
                verb="DELETE",
                path=f"/api/v1/auth/consents/{segment('client_id', client_id)}",
                repeatable=False,
                decode=decode.nothing,
                query={"userId": user_id},
            ),
            timeout=timeout,
            trace=trace,
        )


class OrganizationService:
    """Organisations, and who belongs to which as what."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_organization(
        self,
        *,
        name: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.OwnOrganization:
        """Begins an organisation, which the caller owns. Without a credential, which `local`
        allows, it has nobody yet, and its first member will own it.

        POST /api/v1/orgs

        Args:
            name: 1 to 100 characters.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OrganizationService.CreateOrganization",
                verb="POST",
                path="/api/v1/orgs",
                repeatable=False,
                decode=_decode.to_own_organization,
                body=fields(name=name),
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_organizations(
        self,
        *,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.OwnOrganization, ...]:
        """The organisations that a user belongs to, oldest membership first.

        GET /api/v1/orgs

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OrganizationService.ListOrganizations",
                verb="GET",
                path="/api/v1/orgs",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_own_organization),
                query={"userId": user_id},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_organization(
        self,
        *,
        org_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.Organization:
        """One organisation.

        GET /api/v1/orgs/{org_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OrganizationService.GetOrganization",
                verb="GET",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}",
                repeatable=True,
                decode=_decode.to_organization,
            ),
            timeout=timeout,
            trace=trace,
        )

    def rename_organization(
        self,
        *,
        org_id: str,
        name: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.Organization:
        """Gives an organisation another name.

        PUT /api/v1/orgs/{org_id}

        Args:
            name: 1 to 100 characters.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OrganizationService.RenameOrganization",
                verb="PUT",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}",
                repeatable=True,
                decode=_decode.to_organization,
                body=fields(name=name),
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_members(
        self,
        *,
        org_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.OrganizationMember, ...]:
        """Everybody who belongs to an organisation, oldest membership first.

        GET /api/v1/orgs/{org_id}/members

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="OrganizationService.ListMembers",
                verb="GET",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/members",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_organization_member),
            ),
            timeout=timeout,
            trace=trace,
        )

    def put_member(
        self,
        *,
        org_id: str,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Makes a user a member; an ADMIN's first call for an unknown organisation begins it.
        Repeating it changes nothing.

        PUT /api/v1/orgs/{org_id}/members/{user_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="OrganizationService.PutMember",
                verb="PUT",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/members/{segment('user_id', user_id)}",
                repeatable=True,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def set_member_role(
        self,
        *,
        org_id: str,
        user_id: str,
        role: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Makes a member an owner, a plain member or one for billing. The last owner stays one.

        PUT /api/v1/orgs/{org_id}/members/{user_id}/role

        Args:
            role: OWNER, MEMBER or BILLING, in any case.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="OrganizationService.SetMemberRole",
                verb="PUT",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/members/{segment('user_id', user_id)}/role",
                repeatable=True,
                decode=decode.nothing,
                body=fields(role=role),
            ),
            timeout=timeout,
            trace=trace,
        )

    def delete_member(
        self,
        *,
        org_id: str,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Ends a membership. The last owner goes only when an ADMIN ends it and nobody is left
        behind.

        DELETE /api/v1/orgs/{org_id}/members/{user_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="OrganizationService.DeleteMember",
                verb="DELETE",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/members/{segment('user_id', user_id)}",
                repeatable=False,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def leave_organization(
        self,
        *,
        org_id: str,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Ends one's own membership. The last owner stays.

        POST /api/v1/orgs/{org_id}/leave

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="OrganizationService.LeaveOrganization",
                verb="POST",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/leave",
                repeatable=False,
                decode=decode.nothing,
                body=fields(userId=user_id),
            ),
            timeout=timeout,
            trace=trace,
        )

    def transfer_ownership(
        self,
        *,
        org_id: str,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Hands ownership on to a member, in one step: the caller becomes a plain member. A caller
        that is no owner, which an ADMIN may be, takes it from all who have it.

        PUT /api/v1/orgs/{org_id}/owner

        Args:
            user_id: A member, who becomes an owner.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="OrganizationService.TransferOwnership",
                verb="PUT",
                path=f"/api/v1/orgs/{segment('org_id', org_id)}/owner",
                repeatable=False,
                decode=decode.nothing,
                body=fields(userId=user_id),
            ),
            timeout=timeout,
            trace=trace,
        )


class UserService:
    """Users, as an administrator looks after them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_users(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.User, ...]:
        """Lists users in the order of their ids.

        GET /api/v1/users

        Args:
            after: The last id of the page before; empty for the first page.
            limit: Users on a page; 100 when it is not set.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="UserService.ListUsers",
                verb="GET",
                path="/api/v1/users",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_user),
                query={"after": after, "limit": limit},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_user(
        self,
        *,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.User:
        """A user.

        GET /api/v1/users/{user_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="UserService.GetUser",
                verb="GET",
                path=f"/api/v1/users/{segment('user_id', user_id)}",
                repeatable=True,
                decode=_decode.to_user,
            ),
            timeout=timeout,
            trace=trace,
        )

    def disable_user(
        self,
        *,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Ends the user's sessions and refuses its API keys, at once, until it is enabled again.
        Repeating it changes nothing.

        POST /api/v1/users/{user_id}/disable

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="UserService.DisableUser",
                verb="POST",
                path=f"/api/v1/users/{segment('user_id', user_id)}/disable",
                repeatable=True,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def enable_user(
        self,
        *,
        user_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Lets the user log in again; its API keys count again. Repeating it changes nothing.

        POST /api/v1/users/{user_id}/enable

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="UserService.EnableUser",
                verb="POST",
                path=f"/api/v1/users/{segment('user_id', user_id)}/enable",
                repeatable=True,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def grant_role(
        self,
        *,
        user_id: str,
        role: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Gives the user a role, which counts from its next login on. Repeating it changes
        nothing.

        PUT /api/v1/users/{user_id}/roles/{role}

        Args:
            role: Upper case letters, digits and "_", such as "ADMIN".
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="UserService.GrantRole",
                verb="PUT",
                path=f"/api/v1/users/{segment('user_id', user_id)}/roles/{segment('role', role)}",
                repeatable=True,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def revoke_role(
        self,
        *,
        user_id: str,
        role: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Takes a role from the user, and ends its sessions, which had it. Repeating it changes
        nothing.

        DELETE /api/v1/users/{user_id}/roles/{role}

        Args:
            role: Any but "USER", which every user has.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="UserService.RevokeRole",
                verb="DELETE",
                path=f"/api/v1/users/{segment('user_id', user_id)}/roles/{segment('role', role)}",
                repeatable=True,
                decode=decode.nothing,
            ),
            timeout=timeout,
            trace=trace,
        )

    def reset_password(
        self,
        *,
        user_id: str,
        password: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Gives the user another password, and ends its sessions.

        PUT /api/v1/users/{user_id}/password

        Args:
            password: By the rules of a new user's.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="UserService.ResetPassword",
                verb="PUT",
                path=f"/api/v1/users/{segment('user_id', user_id)}/password",
                repeatable=False,
                decode=decode.nothing,
                body=fields(password=password),
            ),
            timeout=timeout,
            trace=trace,
        )


class ChatService:
    """The stubs' chat, free of charge; a paid provider is never behind it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def chat(
        self,
        *,
        provider: str,
        body: Mapping[str, Any],
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> dict[str, Any]:
        """Answers as the named provider's stub would.

        POST /api/v1/{provider}/chat

        Args:
            body: {"prompt": ...} or the provider's own request, an object.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ChatService.Chat",
                verb="POST",
                path=f"/api/v1/{segment('provider', provider)}/chat",
                repeatable=False,
                decode=decode.document,
                body=body,
            ),
            timeout=timeout,
            trace=trace,
        )


class ConsumeService:
    """Spending tokens at a provider, and how fast it may be done."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def consume(
        self,
        *,
        user_id: str,
        provider: str,
        tokens: int,
        org_id: str | None = None,
        prompt: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ConsumeResponse:
        """Takes tokens from the bucket and the pool, calls the provider and charges exactly
        `tokens`; a refusal or a provider's failure charges nothing. The same idempotency key
        and request again give the same answer.

        POST /api/v1/tokens/consume

        Args:
            tokens: 1 to 10,000.
            org_id: Set: the organisation's pool is spent, not the user's.
            prompt: Handed to the provider.
            idempotency_key: From the header Idempotency-Key.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ConsumeService.Consume",
                verb="POST",
                path="/api/v1/tokens/consume",
                repeatable=idempotency_key is not None,
                decode=_decode.to_consume_response,
                headers={"Idempotency-Key": idempotency_key},
                body=fields(
                    userId=user_id, orgId=org_id, provider=provider, tokens=tokens, prompt=prompt
                ),
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_rate_limit(
        self,
        *,
        user_id: str,
        provider: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.GetRateLimitResponse:
        """A user's rate bucket as it stands.

        GET /api/v1/rate-limits/{user_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ConsumeService.GetRateLimit",
                verb="GET",
                path=f"/api/v1/rate-limits/{segment('user_id', user_id)}",
                repeatable=True,
                decode=_decode.to_get_rate_limit_response,
                query={"provider": provider},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_provider_quota(
        self,
        *,
        provider: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.GetProviderQuotaResponse:
        """What a provider gives by default, informational.

        GET /api/v1/providers/{provider}/quota

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="ConsumeService.GetProviderQuota",
                verb="GET",
                path=f"/api/v1/providers/{segment('provider', provider)}/quota",
                repeatable=True,
                decode=_decode.to_get_provider_quota_response,
            ),
            timeout=timeout,
            trace=trace,
        )


class MemberCapService:
    """What single members may take of their organisation's pools in a window."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set_member_cap(
        self,
        *,
        user_id: str,
        org_id: str,
        provider: str,
        max_tokens: int,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.MemberCap:
        """Sets a member's share; what it has used of the window counts.

        PUT /api/v1/tokens/quota/org/members/{user_id}

        Args:
            max_tokens: Tokens a window.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="MemberCapService.SetMemberCap",
                verb="PUT",
                path=f"/api/v1/tokens/quota/org/members/{segment('user_id', user_id)}",
                repeatable=True,
                decode=_decode.to_member_cap,
                body=fields(orgId=org_id, provider=provider, maxTokens=max_tokens),
            ),
            timeout=timeout,
            trace=trace,
        )

    def remove_member_cap(
        self,
        *,
        user_id: str,
        org_id: str,
        provider: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> None:
        """The member may take what the pool has.

        DELETE /api/v1/tokens/quota/org/members/{user_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        self._connection.call(
            Request(
                name="MemberCapService.RemoveMemberCap",
                verb="DELETE",
                path=f"/api/v1/tokens/quota/org/members/{segment('user_id', user_id)}",
                repeatable=False,
                decode=decode.nothing,
                query={"orgId": org_id, "provider": provider},
            ),
            timeout=timeout,
            trace=trace,
        )

    def list_member_caps(
        self,
        *,
        org_id: str,
        provider: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> tuple[models.MemberCap, ...]:
        """The shares inside a pool, by user.

        GET /api/v1/tokens/quota/org/members

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="MemberCapService.ListMemberCaps",
                verb="GET",
                path="/api/v1/tokens/quota/org/members",
                repeatable=True,
                decode=lambda value: decode.listed(value, _decode.to_member_cap),
                query={"orgId": org_id, "provider": provider},
            ),
            timeout=timeout,
            trace=trace,
        )


class MeteringService:
    """Tokens reserved before a call, and charged after it: for those that call providers
    themselves. Every method may be repeated.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reserve(
        self,
        *,
        id: str,
        user_id: str,
        provider: str,
        tokens: int,
        org_id: str | None = None,
        ttl_seconds: int | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ReserveResponse:
        """Takes tokens from the user's rate bucket and the owner's pool, both or neither; the same
        id again is the first answer.

        POST /api/v1/tokens/reservations

        Args:
            id: Chosen by the caller, its own for each reservation.
            tokens: 1 to 1,000,000, and no more than the tier's rate bucket holds.
            org_id: Set: the organisation's pool is held, within the member's share of it.
            ttl_seconds: Seconds until what nobody ended is freed, 1 to 3,600; unset is 60.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="MeteringService.Reserve",
                verb="POST",
                path="/api/v1/tokens/reservations",
                repeatable=True,
                decode=_decode.to_reserve_response,
                body=fields(
                    id=id,
                    userId=user_id,
                    orgId=org_id,
                    provider=provider,
                    tokens=tokens,
                    ttlSeconds=ttl_seconds,
                ),
            ),
            timeout=timeout,
            trace=trace,
        )

    def settle(
        self,
        *,
        id: str,
        tokens: int,
        org_id: str | None = None,
        provenance: str | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.SettleResponse:
        """Charges what was used and frees the rest; also after the reservation expired, once. What
        the pool no longer has becomes a debt.

        POST /api/v1/tokens/reservations/{id}/settle

        Args:
            tokens: 0 to 1,000,000; may be more than was reserved.
            org_id: Which one is meant when ids of several owners are the same.
            provenance: Who counted: the provider (EXACT, as when unset), a guess of one's own
                (ESTIMATED), or nobody (MISSING: what was reserved is taken for it).
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="MeteringService.Settle",
                verb="POST",
                path=f"/api/v1/tokens/reservations/{segment('id', id)}/settle",
                repeatable=True,
                decode=_decode.to_settle_response,
                body=fields(tokens=tokens, orgId=org_id, provenance=provenance),
            ),
            timeout=timeout,
            trace=trace,
        )

    def release(
        self,
        *,
        id: str,
        org_id: str | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.ReleaseResponse:
        """Charges nothing and frees all of it.

        POST /api/v1/tokens/reservations/{id}/release

        Args:
            org_id: Which one is meant when ids of several owners are the same.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="MeteringService.Release",
                verb="POST",
                path=f"/api/v1/tokens/reservations/{segment('id', id)}/release",
                repeatable=True,
                decode=_decode.to_release_response,
                body=fields(orgId=org_id),
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_reservation(
        self,
        *,
        id: str,
        org_id: str | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.Reservation:
        """A reservation as it stands; somebody else's is not found.

        GET /api/v1/tokens/reservations/{id}

        Args:
            org_id: Which one is meant when ids of several owners are the same.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="MeteringService.GetReservation",
                verb="GET",
                path=f"/api/v1/tokens/reservations/{segment('id', id)}",
                repeatable=True,
                decode=_decode.to_reservation,
                query={"orgId": org_id},
            ),
            timeout=timeout,
            trace=trace,
        )


class PurchaseService:
    """Buying tokens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_purchase(
        self,
        *,
        user_id: str,
        provider: str,
        tokens: int,
        org_id: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.CreatePurchaseResponse:
        """Starts a purchase; what becomes of it is asked with GetPurchase.

        POST /api/v1/tokens/purchase

        Args:
            tokens: 1 to 1,000,000.
            org_id: Set: for the organisation's pool.
            idempotency_key: From the header Idempotency-Key.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="PurchaseService.CreatePurchase",
                verb="POST",
                path="/api/v1/tokens/purchase",
                repeatable=idempotency_key is not None,
                decode=_decode.to_create_purchase_response,
                headers={"Idempotency-Key": idempotency_key},
                body=fields(userId=user_id, orgId=org_id, provider=provider, tokens=tokens),
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_purchase(
        self,
        *,
        saga_id: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.Purchase:
        """One purchase; somebody else's is not found.

        GET /api/v1/tokens/purchase/{saga_id}

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="PurchaseService.GetPurchase",
                verb="GET",
                path=f"/api/v1/tokens/purchase/{segment('saga_id', saga_id)}",
                repeatable=True,
                decode=_decode.to_purchase,
            ),
            timeout=timeout,
            trace=trace,
        )


class QuotaService:
    """Token pools."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_status(
        self,
        *,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.GetStatusResponse:
        """Says that the service answers.

        GET /api/v1/tokens/status

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="QuotaService.GetStatus",
                verb="GET",
                path="/api/v1/tokens/status",
                repeatable=True,
                decode=_decode.to_get_status_response,
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_quota(
        self,
        *,
        user_id: str,
        provider: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.Quota:
        """A user's pool; never makes one.

        GET /api/v1/tokens/quota

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="QuotaService.GetQuota",
                verb="GET",
                path="/api/v1/tokens/quota",
                repeatable=True,
                decode=_decode.to_quota,
                query={"userId": user_id, "provider": provider},
            ),
            timeout=timeout,
            trace=trace,
        )

    def get_org_quota(
        self,
        *,
        org_id: str,
        provider: str,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.OrgQuota:
        """An organisation's pool; never makes one.

        GET /api/v1/tokens/quota/org

        Args:
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="QuotaService.GetOrgQuota",
                verb="GET",
                path="/api/v1/tokens/quota/org",
                repeatable=True,
                decode=_decode.to_org_quota,
                query={"orgId": org_id, "provider": provider},
            ),
            timeout=timeout,
            trace=trace,
        )

    def create_org_quota(
        self,
        *,
        org_id: str,
        provider: str,
        total_tokens: int,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.OrgQuota:
        """Makes an organisation's pool. The same idempotency key and request again give the same
        answer.

        POST /api/v1/tokens/quota/org

        Args:
            total_tokens: The allowance of each window.
            idempotency_key: From the header Idempotency-Key.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="QuotaService.CreateOrgQuota",
                verb="POST",
                path="/api/v1/tokens/quota/org",
                repeatable=idempotency_key is not None,
                decode=_decode.to_org_quota,
                headers={"Idempotency-Key": idempotency_key},
                body=fields(orgId=org_id, provider=provider, totalTokens=total_tokens),
            ),
            timeout=timeout,
            trace=trace,
        )

    def update_org_quota(
        self,
        *,
        org_id: str,
        provider: str,
        total_tokens: int,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> models.OrgQuota:
        """Sets the allowance of an organisation's pool; what was used of the current window stays
        used.

        PUT /api/v1/tokens/quota/org

        Args:
            total_tokens: The allowance of each window.
            timeout: Seconds for the call with its retries, instead of the client's.
            trace: What the call belongs to, instead of the client's.
        """
        return self._connection.call(
            Request(
                name="QuotaService.UpdateOrgQuota",
                verb="PUT",
                path="/api/v1/tokens/quota/org",
                repeatable=True,
                decode=_decode.to_org_quota,
                body=fields(orgId=org_id, provider=provider, totalTokens=total_tokens),
            ),
            timeout=timeout,
            trace=trace,
        )
