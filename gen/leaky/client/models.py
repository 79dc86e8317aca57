"""What the server answers, as values. Times are aware and in UTC.

Generated from proto/ by `make gen`; not to be edited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = [
    "AcceptInvitationResponse",
    "ApiKey",
    "ChangePasswordResponse",
    "ConsumeResponse",
    "CreatePurchaseResponse",
    "GetAnomaliesResponse",
    "GetProviderQuotaResponse",
    "GetRateLimitResponse",
    "GetReportResponse",
    "GetStatusResponse",
    "GetTrendsResponse",
    "GetUserUsageResponse",
    "Invitation",
    "ListProviderSharesResponse",
    "ListUsageResponse",
    "LoginResponse",
    "MemberCap",
    "NewApiKey",
    "NewInvitation",
    "NewOauthClient",
    "OauthClient",
    "OauthConsent",
    "OrgQuota",
    "Organization",
    "OrganizationMember",
    "OwnOrganization",
    "ProviderShare",
    "Purchase",
    "Quota",
    "RegisterResponse",
    "ReleaseResponse",
    "Reservation",
    "ReserveResponse",
    "RotateOauthClientSecretResponse",
    "ServiceHealth",
    "SettleResponse",
    "TopUser",
    "TrendPoint",
    "UsageItem",
    "UsageKey",
    "User",
    "UserProvider",
    "ValidateApiKeyResponse",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptInvitationResponse:
    """The membership."""

    org_id: str
    name: str
    """The organisation's name."""

    user_id: str
    role: str
    """OWNER, MEMBER or BILLING."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key as it is listed: never the key itself."""

    id: str
    user_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    """Unset: never."""

    last_used_at: datetime | None
    """Unset: not yet used."""

    prefix: str
    """The key's first characters, enough to tell it from its siblings."""

    scopes: tuple[str, ...]
    """What the key is limited to, such as "tokens.read"; none for no limit."""

    providers: tuple[str, ...]
    """The providers that it may spend at; none for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePasswordResponse:
    """The new session."""

    token: str = field(repr=False)
    """A JWT."""

    expires_at: datetime
    """When the token ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeResponse:
    """The decision and the provider's answer. The same message, with `allowed` false, is the
    detail of a RATE_LIMITED refusal.
    """

    allowed: bool
    capacity: int
    """Of the rate bucket, in tokens."""

    used: int
    """Of the rate bucket, in tokens."""

    remaining: int
    """Of the rate bucket, in tokens."""

    wait_seconds: int
    """Whole seconds until this request would fit; 0 when it did."""

    timestamp: datetime
    provider_response: dict[str, Any]
    """The provider's JSON, byte for byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePurchaseResponse:
    """The saga as it began; the same key and body again give the same answer."""

    saga_id: str
    status: str
    """As in Purchase."""

    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAnomaliesResponse:
    """The comparison."""

    provider: str
    current_window_start: datetime
    current_window_end: datetime
    baseline_windows: int
    current_tokens: int
    """Of allowed events."""

    baseline_average: float
    """Tokens a window."""

    ratio: float | None
    """Current to baseline; unset on an empty baseline."""

    threshold: float
    """The request's threshold_multiplier."""

    anomaly: bool
    sample_limit: int
    """The request's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetProviderQuotaResponse:
    """The provider's settings."""

    provider: str
    default_quota: int
    """In tokens."""

    rate_limit: int
    """In requests a second."""

    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRateLimitResponse:
    """The bucket."""

    user_id: str
    provider: str
    strategy: str
    """LEAKY_BUCKET, FIXED_WINDOW or TOKEN_BUCKET."""

    capacity: int
    """In tokens."""

    used: int
    """In tokens."""

    remaining: int
    """In tokens."""

    wait_seconds: int
    """Whole seconds until one token fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetReportResponse:
    """The window's totals."""

    provider: str
    window_start: datetime
    window_end: datetime
    total_events: int
    allowed_events: int
    denied_events: int
    total_tokens: int
    """Of allowed events."""

    average_tokens: float
    """Of an allowed event; 0 when there is none."""

    unique_users: int
    sample_limit: int
    """The request's limit."""

    top_users: tuple[TopUser, ...]
    """At most 5, most tokens first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStatusResponse:
    """The status."""

    service: str
    """"token-service"."""

    status: str
    """"ok"."""

    timestamp: datetime
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTrendsResponse:
    """The points, oldest first; empty buckets are there as zeros."""

    provider: str
    window_start: datetime
    window_end: datetime
    bucket_seconds: int
    """The length of one bucket, at least 1."""

    points: tuple[TrendPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUserUsageResponse:
    """The use."""

    user_id: str
    window_start: datetime
    window_end: datetime
    total_tokens: int
    """Of allowed events."""

    total_events: int
    denied_events: int
    last_event_at: datetime | None
    """Unset: none in the window."""

    providers: tuple[UserProvider, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation that nobody has accepted yet, without its token."""

    id: str
    org_id: str
    email: str
    """Who may accept it: the user with this address."""

    role: str
    """What that user becomes: OWNER, MEMBER or BILLING."""

    invited_by: str | None
    """Unset where `local` let somebody invite without a credential."""

    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProviderSharesResponse:
    """The shares, most tokens first."""

    window_start: datetime
    window_end: datetime
    items: tuple[ProviderShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsageResponse:
    """The events, newest first."""

    provider: str
    count: int
    """Of items."""

    items: tuple[UsageItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginResponse:
    """A session."""

    user_id: str
    username: str
    token: str = field(repr=False)
    """A JWT."""

    roles: tuple[str, ...]
    """Role names, such as "USER"."""

    expires_at: datetime
    """When the token ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCap:
    """A member's share."""

    org_id: str
    user_id: str
    provider: str
    max_tokens: int
    """Tokens a window."""

    used_tokens: int
    """Of this window; what is reserved counts."""

    reset_time: datetime
    """When it is whole again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """An API key as it is made: the only time that the key itself is shown."""

    id: str
    user_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    """Unset: never."""

    raw_key: str = field(repr=False)
    """"leaky_{userId}_{secret}"."""

    api_key: str = field(repr=False)
    """The same text as raw_key."""

    scopes: tuple[str, ...]
    """As in ApiKey."""

    providers: tuple[str, ...]
    """As in ApiKey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvitation:
    """An invitation as it is shown once, to whom it was made for."""

    id: str
    org_id: str
    email: str
    role: str
    created_at: datetime
    expires_at: datetime
    token: str = field(repr=False)
    """To be brought to the invited, who accepts with it; only its hash is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOauthClient:
    """A client as it is made: the only time that its secret is shown."""

    client_id: str
    """As it is sent in `client_id`."""

    name: str
    """What users are shown."""

    confidential: bool
    """Whether it has a secret."""

    redirect_uris: tuple[str, ...]
    """Where codes may be sent, compared as text."""

    scopes: tuple[str, ...]
    """The most that it may be allowed."""

    grant_types: tuple[str, ...]
    """"authorization_code", "client_credentials", "refresh_token"."""

    require_pkce: bool
    """Whether a request for a code needs a PKCE challenge (RFC 7636)."""

    created_at: datetime
    client_secret: str | None = field(repr=False)
    """Unset for a public client."""

    post_logout_redirect_uris: tuple[str, ...]
    """Where browsers may be sent after a logout, compared as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OauthClient:
    """An application that may ask for tokens (RFC 6749, section 2), without its secret."""

    client_id: str
    """As it is sent in `client_id`."""

    name: str
    """What users are shown."""

    confidential: bool
    """Whether it has a secret."""

    redirect_uris: tuple[str, ...]
    """Where codes may be sent, compared as text."""

    scopes: tuple[str, ...]
    """The most that it may be allowed."""

    grant_types: tuple[str, ...]
    """"authorization_code", "client_credentials", "refresh_token"."""

    require_pkce: bool
    """Whether a request for a code needs a PKCE challenge (RFC 7636)."""

    created_at: datetime
    post_logout_redirect_uris: tuple[str, ...]
    """Where browsers may be sent after a logout, compared as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OauthConsent:
    """What a user has allowed an application."""

    client_id: str
    client_name: str
    """What the application is called on the page that asked."""

    scopes: tuple[str, ...]
    """All that the user need not be asked for again, in the order of the alphabet."""

    created_at: datetime
    """When the user allowed the first of them."""

    last_used_at: datetime | None
    """When the application last got a token for the user; unset when it never did, or so long ago
    that nothing is left of it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgQuota:
    """An organisation's pool."""

    org_id: str
    provider: str
    total_tokens: int
    """The allowance and the tokens bought so far."""

    remaining_tokens: int
    """What is left of both."""

    reset_time: datetime
    """When the allowance renews."""

    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organisation: users who share pools of tokens."""

    org_id: str
    name: str
    """Need not be unique; the id where nobody has given one."""

    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationMember:
    """Who belongs to an organisation."""

    user_id: str
    username: str | None
    """Unset for a user that nobody has registered, whom `local` allows."""

    role: str
    """OWNER: manages members, invitations and shares, spends and buys. MEMBER: spends and buys.
    BILLING: buys, and sees what there is.
    """

    joined_at: datetime
    """When the membership began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrganization:
    """An organisation as one of its members sees it."""

    org_id: str
    name: str
    role: str
    """OWNER, MEMBER or BILLING."""

    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderShare:
    """A provider's share of a window."""

    provider: str
    total_tokens: int
    """Of allowed events."""

    total_events: int
    denied_events: int
    share: float
    """Of all providers' tokens, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A purchase saga."""

    id: str
    """The saga's id."""

    user_id: str
    org_id: str | None
    """Unset: the user's own pool."""

    provider: str
    tokens: int
    idempotency_key: str | None
    status: str
    """STARTED, PAYMENT_RESERVED, TOKENS_ALLOCATED, COMPLETED or FAILED."""

    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A user's pool."""

    user_id: str
    provider: str
    total_tokens: int
    """The tier's allowance and the tokens bought so far."""

    remaining_tokens: int
    """What is left of both."""

    reset_time: datetime
    """When the allowance renews."""

    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterResponse:
    """The user as made, signed in."""

    user_id: str
    username: str
    email: str
    token: str = field(repr=False)
    """A JWT that lives auth.jwt.expiry."""

    roles: tuple[str, ...]
    """Role names, such as "USER"."""

    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseResponse:
    """The reservation at its end."""

    id: str
    state: str
    """RELEASED, or EXPIRED when that came first."""

    settled_tokens: int
    """0."""

    remaining_tokens: int
    """What the pool had left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Tokens held for a call that is under way, under an id that the caller chose."""

    id: str
    user_id: str
    org_id: str | None
    """Unset: the user's own pool."""

    provider: str
    state: str
    """RESERVED, SETTLED, RELEASED or EXPIRED; an expired one may still be settled."""

    tokens: int
    """What was reserved."""

    settled_tokens: int | None
    """What was charged; unset before it is settled."""

    expires_at: datetime
    """When it expires, or would have."""

    remaining_tokens: int
    """What the pool had left after it was reserved, or after it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveResponse:
    """The reservation as it began."""

    id: str
    state: str
    """RESERVED."""

    tokens: int
    expires_at: datetime
    remaining_tokens: int
    """What the pool had left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateOauthClientSecretResponse:
    """The new secret."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """What a service's public health path says."""

    service: str
    """The service's public name, such as "auth-server"."""

    status: str
    """"ok"."""

    timestamp: datetime
    """The server's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleResponse:
    """The reservation at its end."""

    id: str
    state: str
    """SETTLED."""

    settled_tokens: int
    remaining_tokens: int
    """What the pool had left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUser:
    """A user's share of a window."""

    user_id: str
    total_tokens: int
    """Of allowed events."""

    events: int
    """Of every kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One bucket of a trend."""

    start: datetime
    tokens: int
    """Of allowed events."""

    events: int
    denied_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageItem:
    """One stored event as it is listed."""

    key: UsageKey
    user_id: str
    tokens: int
    allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageKey:
    """What an event is found by."""

    provider: str
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, without its password."""

    id: str
    username: str
    email: str
    roles: tuple[str, ...]
    """Role names, such as "USER"."""

    created_at: datetime
    disabled_at: datetime | None
    """Since when nothing of the user's opens anything; unset while it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProvider:
    """A user's use of one provider."""

    provider: str
    total_tokens: int
    """Of allowed events."""

    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateApiKeyResponse:
    """Whose key it is."""

    user_id: str
    name: str
    """The key's name."""

    expires_at: datetime | None
    """Unset: never."""

    roles: tuple[str, ...]
    """Role names of the user."""
