"""JSON to models.

Generated from proto/ by `make gen`; not to be edited.
"""

from . import models
from ._runtime import decode


def to_accept_invitation_response(value: object) -> models.AcceptInvitationResponse:
    """AcceptInvitationResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.AcceptInvitationResponse(
        org_id=decode.either(data, "orgId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        user_id=decode.either(data, "userId", decode.text, ""),
        role=decode.either(data, "role", decode.text, ""),
    )


def to_api_key(value: object) -> models.ApiKey:
    """ApiKey from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ApiKey(
        id=decode.either(data, "id", decode.text, ""),
        user_id=decode.either(data, "userId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        created_at=decode.need(data, "createdAt", decode.time),
        expires_at=decode.maybe(data, "expiresAt", decode.time),
        last_used_at=decode.maybe(data, "lastUsedAt", decode.time),
        prefix=decode.either(data, "prefix", decode.text, ""),
        scopes=decode.many(data, "scopes", decode.text),
        providers=decode.many(data, "providers", decode.text),
    )


def to_change_password_response(value: object) -> models.ChangePasswordResponse:
    """ChangePasswordResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ChangePasswordResponse(
        token=decode.either(data, "token", decode.text, ""),
        expires_at=decode.need(data, "expiresAt", decode.time),
    )


def to_consume_response(value: object) -> models.ConsumeResponse:
    """ConsumeResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ConsumeResponse(
        allowed=decode.either(data, "allowed", decode.boolean, False),
        capacity=decode.either(data, "capacity", decode.integer, 0),
        used=decode.either(data, "used", decode.integer, 0),
        remaining=decode.either(data, "remaining", decode.integer, 0),
        wait_seconds=decode.either(data, "waitSeconds", decode.integer, 0),
        timestamp=decode.need(data, "timestamp", decode.time),
        provider_response=decode.either(data, "providerResponse", decode.document, {}),
    )


def to_create_purchase_response(value: object) -> models.CreatePurchaseResponse:
    """CreatePurchaseResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.CreatePurchaseResponse(
        saga_id=decode.either(data, "sagaId", decode.text, ""),
        status=decode.either(data, "status", decode.text, ""),
        created_at=decode.need(data, "createdAt", decode.time),
    )


def to_get_anomalies_response(value: object) -> models.GetAnomaliesResponse:
    """GetAnomaliesResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.GetAnomaliesResponse(
        provider=decode.either(data, "provider", decode.text, ""),
        current_window_start=decode.need(data, "currentWindowStart", decode.time),
        current_window_end=decode.need(data, "currentWindowEnd", decode.time),
        baseline_windows=decode.either(data, "baselineWindows", decode.integer, 0),
        current_tokens=decode.either(data, "currentTokens", decode.integer, 0),
        baseline_average=decode.either(data, "baselineAverage", decode.number, 0.0),
        ratio=decode.maybe(data, "ratio", decode.number),
        threshold=decode.either(data, "threshold", decode.number, 0.0),
        anomaly=decode.either(data, "anomaly", decode.boolean, False),
        sample_limit=decode.either(data, "sampleLimit", decode.integer, 0),
    )


def to_get_provider_quota_response(value: object) -> models.GetProviderQuotaResponse:
    """GetProviderQuotaResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.GetProviderQuotaResponse(
        provider=decode.either(data, "provider", decode.text, ""),
        default_quota=decode.either(data, "defaultQuota", decode.integer, 0),
        rate_limit=decode.either(data, "rateLimit", decode.integer, 0),
        enabled=decode.either(data, "enabled", decode.boolean, False),
    )


def to_get_rate_limit_response(value: object) -> models.GetRateLimitResponse:
    """GetRateLimitResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.GetRateLimitResponse(
        user_id=decode.either(data, "userId", decode.text, ""),
        provider=decode.either(data, "provider", decode.text, ""),
        strategy=decode.either(data, "strategy", decode.text, ""),
        capacity=decode.either(data, "capacity", decode.integer, 0),
        used=decode.either(data, "used", decode.integer, 0),
        remaining=decode.either(data, "remaining", decode.integer, 0),
        wait_seconds=decode.either(data, "waitSeconds", decode.integer, 0),
    )


def to_get_report_response(value: object) -> models.GetReportResponse:
    """GetReportResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.GetReportResponse(
        provider=decode.either(data, "provider", decode.text, ""),
        window_start=decode.need(data, "windowStart", decode.time),
        window_end=decode.need(data, "windowEnd", decode.time),
        total_events=decode.either(data, "totalEvents", decode.integer, 0),
        allowed_events=decode.either(data, "allowedEvents", decode.integer, 0),
        denied_events=decode.either(data, "deniedEvents", decode.integer, 0),
        total_tokens=decode.either(data, "totalTokens", decode.integer, 0),
        average_tokens=decode.either(data, "averageTokens", decode.number, 0.0),
        unique_users=decode.either(data, "uniqueUsers", decode.integer, 0),
        sample_limit=decode.either(data, "sampleLimit", decode.integer, 0),
        top_users=decode.many(data, "topUsers", to_top_user),
    )


def to_get_status_response(value: object) -> models.GetStatusResponse:
    """GetStatusResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.GetStatusResponse(
        service=decode.either(data, "service", decode.text, ""),
        status=decode.either(data, "status", decode.text, ""),
        timestamp=decode.need(data, "timestamp", decode.time),
        version=decode.either(data, "version", decode.text, ""),
    )


def to_get_trends_response(value: object) -> models.GetTrendsResponse:
    """GetTrendsResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.GetTrendsResponse(
        provider=decode.either(data, "provider", decode.text, ""),
        window_start=decode.need(data, "windowStart", decode.time),
        window_end=decode.need(data, "windowEnd", decode.time),
        bucket_seconds=decode.either(data, "bucketSeconds", decode.integer, 0),
        points=decode.many(data, "points", to_trend_point),
    )


def to_get_user_usage_response(value: object) -> models.GetUserUsageResponse:
    """GetUserUsageResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.GetUserUsageResponse(
        user_id=decode.either(data, "userId", decode.text, ""),
        window_start=decode.need(data, "windowStart", decode.time),
        window_end=decode.need(data, "windowEnd", decode.time),
        total_tokens=decode.either(data, "totalTokens", decode.integer, 0),
        total_events=decode.either(data, "totalEvents", decode.integer, 0),
        denied_events=decode.either(data, "deniedEvents", decode.integer, 0),
        last_event_at=decode.maybe(data, "lastEventAt", decode.time),
        providers=decode.many(data, "providers", to_user_provider),
    )


def to_invitation(value: object) -> models.Invitation:
    """Invitation from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.Invitation(
        id=decode.either(data, "id", decode.text, ""),
        org_id=decode.either(data, "orgId", decode.text, ""),
        email=decode.either(data, "email", decode.text, ""),
        role=decode.either(data, "role", decode.text, ""),
        invited_by=decode.maybe(data, "invitedBy", decode.text),
        created_at=decode.need(data, "createdAt", decode.time),
        expires_at=decode.need(data, "expiresAt", decode.time),
    )


def to_list_provider_shares_response(value: object) -> models.ListProviderSharesResponse:
    """ListProviderSharesResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ListProviderSharesResponse(
        window_start=decode.need(data, "windowStart", decode.time),
        window_end=decode.need(data, "windowEnd", decode.time),
        items=decode.many(data, "items", to_provider_share),
    )


def to_list_usage_response(value: object) -> models.ListUsageResponse:
    """ListUsageResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ListUsageResponse(
        provider=decode.either(data, "provider", decode.text, ""),
        count=decode.either(data, "count", decode.integer, 0),
        items=decode.many(data, "items", to_usage_item),
    )


def to_login_response(value: object) -> models.LoginResponse:
    """LoginResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.LoginResponse(
        user_id=decode.either(data, "userId", decode.text, ""),
        username=decode.either(data, "username", decode.text, ""),
        token=decode.either(data, "token", decode.text, ""),
        roles=decode.many(data, "roles", decode.text),
        expires_at=decode.need(data, "expiresAt", decode.time),
    )


def to_member_cap(value: object) -> models.MemberCap:
    """MemberCap from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.MemberCap(
        org_id=decode.either(data, "orgId", decode.text, ""),
        user_id=decode.either(data, "userId", decode.text, ""),
        provider=decode.either(data, "provider", decode.text, ""),
        max_tokens=decode.either(data, "maxTokens", decode.integer, 0),
        used_tokens=decode.either(data, "usedTokens", decode.integer, 0),
        reset_time=decode.need(data, "resetTime", decode.time),
    )


def to_new_api_key(value: object) -> models.NewApiKey:
    """NewApiKey from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.NewApiKey(
        id=decode.either(data, "id", decode.text, ""),
        user_id=decode.either(data, "userId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        created_at=decode.need(data, "createdAt", decode.time),
        expires_at=decode.maybe(data, "expiresAt", decode.time),
        raw_key=decode.either(data, "rawKey", decode.text, ""),
        api_key=decode.either(data, "apiKey", decode.text, ""),
        scopes=decode.many(data, "scopes", decode.text),
        providers=decode.many(data, "providers", decode.text),
    )


def to_new_invitation(value: object) -> models.NewInvitation:
    """NewInvitation from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.NewInvitation(
        id=decode.either(data, "id", decode.text, ""),
        org_id=decode.either(data, "orgId", decode.text, ""),
        email=decode.either(data, "email", decode.text, ""),
        role=decode.either(data, "role", decode.text, ""),
        created_at=decode.need(data, "createdAt", decode.time),
        expires_at=decode.need(data, "expiresAt", decode.time),
        token=decode.either(data, "token", decode.text, ""),
    )


def to_new_oauth_client(value: object) -> models.NewOauthClient:
    """NewOauthClient from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.NewOauthClient(
        client_id=decode.either(data, "clientId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        confidential=decode.either(data, "confidential", decode.boolean, False),
        redirect_uris=decode.many(data, "redirectUris", decode.text),
        scopes=decode.many(data, "scopes", decode.text),
        grant_types=decode.many(data, "grantTypes", decode.text),
        require_pkce=decode.either(data, "requirePkce", decode.boolean, False),
        created_at=decode.need(data, "createdAt", decode.time),
        client_secret=decode.maybe(data, "clientSecret", decode.text),
        post_logout_redirect_uris=decode.many(data, "postLogoutRedirectUris", decode.text),
    )


def to_oauth_client(value: object) -> models.OauthClient:
    """OauthClient from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.OauthClient(
        client_id=decode.either(data, "clientId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        confidential=decode.either(data, "confidential", decode.boolean, False),
        redirect_uris=decode.many(data, "redirectUris", decode.text),
        scopes=decode.many(data, "scopes", decode.text),
        grant_types=decode.many(data, "grantTypes", decode.text),
        require_pkce=decode.either(data, "requirePkce", decode.boolean, False),
        created_at=decode.need(data, "createdAt", decode.time),
        post_logout_redirect_uris=decode.many(data, "postLogoutRedirectUris", decode.text),
    )


def to_oauth_consent(value: object) -> models.OauthConsent:
    """OauthConsent from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.OauthConsent(
        client_id=decode.either(data, "clientId", decode.text, ""),
        client_name=decode.either(data, "clientName", decode.text, ""),
        scopes=decode.many(data, "scopes", decode.text),
        created_at=decode.need(data, "createdAt", decode.time),
        last_used_at=decode.maybe(data, "lastUsedAt", decode.time),
    )


def to_org_quota(value: object) -> models.OrgQuota:
    """OrgQuota from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.OrgQuota(
        org_id=decode.either(data, "orgId", decode.text, ""),
        provider=decode.either(data, "provider", decode.text, ""),
        total_tokens=decode.either(data, "totalTokens", decode.integer, 0),
        remaining_tokens=decode.either(data, "remainingTokens", decode.integer, 0),
        reset_time=decode.need(data, "resetTime", decode.time),
        updated_at=decode.need(data, "updatedAt", decode.time),
    )


def to_organization(value: object) -> models.Organization:
    """Organization from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.Organization(
        org_id=decode.either(data, "orgId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        created_at=decode.need(data, "createdAt", decode.time),
    )


def to_organization_member(value: object) -> models.OrganizationMember:
    """OrganizationMember from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.OrganizationMember(
        user_id=decode.either(data, "userId", decode.text, ""),
        username=decode.maybe(data, "username", decode.text),
        role=decode.either(data, "role", decode.text, ""),
        joined_at=decode.need(data, "joinedAt", decode.time),
    )


def to_own_organization(value: object) -> models.OwnOrganization:
    """OwnOrganization from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.OwnOrganization(
        org_id=decode.either(data, "orgId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        role=decode.either(data, "role", decode.text, ""),
        created_at=decode.need(data, "createdAt", decode.time),
    )


def to_provider_share(value: object) -> models.ProviderShare:
    """ProviderShare from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ProviderShare(
        provider=decode.either(data, "provider", decode.text, ""),
        total_tokens=decode.either(data, "totalTokens", decode.integer, 0),
        total_events=decode.either(data, "totalEvents", decode.integer, 0),
        denied_events=decode.either(data, "deniedEvents", decode.integer, 0),
        share=decode.either(data, "share", decode.number, 0.0),
    )


def to_purchase(value: object) -> models.Purchase:
    """Purchase from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.Purchase(
        id=decode.either(data, "id", decode.text, ""),
        user_id=decode.either(data, "userId", decode.text, ""),
        org_id=decode.maybe(data, "orgId", decode.text),
        provider=decode.either(data, "provider", decode.text, ""),
        tokens=decode.either(data, "tokens", decode.integer, 0),
        idempotency_key=decode.maybe(data, "idempotencyKey", decode.text),
        status=decode.either(data, "status", decode.text, ""),
        created_at=decode.need(data, "createdAt", decode.time),
        updated_at=decode.need(data, "updatedAt", decode.time),
    )


def to_quota(value: object) -> models.Quota:
    """Quota from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.Quota(
        user_id=decode.either(data, "userId", decode.text, ""),
        provider=decode.either(data, "provider", decode.text, ""),
        total_tokens=decode.either(data, "totalTokens", decode.integer, 0),
        remaining_tokens=decode.either(data, "remainingTokens", decode.integer, 0),
        reset_time=decode.need(data, "resetTime", decode.time),
        updated_at=decode.need(data, "updatedAt", decode.time),
    )


def to_register_response(value: object) -> models.RegisterResponse:
    """RegisterResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.RegisterResponse(
        user_id=decode.either(data, "userId", decode.text, ""),
        username=decode.either(data, "username", decode.text, ""),
        email=decode.either(data, "email", decode.text, ""),
        token=decode.either(data, "token", decode.text, ""),
        roles=decode.many(data, "roles", decode.text),
        created_at=decode.need(data, "createdAt", decode.time),
    )


def to_release_response(value: object) -> models.ReleaseResponse:
    """ReleaseResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ReleaseResponse(
        id=decode.either(data, "id", decode.text, ""),
        state=decode.either(data, "state", decode.text, ""),
        settled_tokens=decode.either(data, "settledTokens", decode.integer, 0),
        remaining_tokens=decode.either(data, "remainingTokens", decode.integer, 0),
    )


def to_reservation(value: object) -> models.Reservation:
    """Reservation from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.Reservation(
        id=decode.either(data, "id", decode.text, ""),
        user_id=decode.either(data, "userId", decode.text, ""),
        org_id=decode.maybe(data, "orgId", decode.text),
        provider=decode.either(data, "provider", decode.text, ""),
        state=decode.either(data, "state", decode.text, ""),
        tokens=decode.either(data, "tokens", decode.integer, 0),
        settled_tokens=decode.maybe(data, "settledTokens", decode.integer),
        expires_at=decode.need(data, "expiresAt", decode.time),
        remaining_tokens=decode.either(data, "remainingTokens", decode.integer, 0),
    )


def to_reserve_response(value: object) -> models.ReserveResponse:
    """ReserveResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ReserveResponse(
        id=decode.either(data, "id", decode.text, ""),
        state=decode.either(data, "state", decode.text, ""),
        tokens=decode.either(data, "tokens", decode.integer, 0),
        expires_at=decode.need(data, "expiresAt", decode.time),
        remaining_tokens=decode.either(data, "remainingTokens", decode.integer, 0),
    )


def to_rotate_oauth_client_secret_response(value: object) -> models.RotateOauthClientSecretResponse:
    """RotateOauthClientSecretResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.RotateOauthClientSecretResponse(
        client_id=decode.either(data, "clientId", decode.text, ""),
        client_secret=decode.either(data, "clientSecret", decode.text, ""),
    )


def to_service_health(value: object) -> models.ServiceHealth:
    """ServiceHealth from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ServiceHealth(
        service=decode.either(data, "service", decode.text, ""),
        status=decode.either(data, "status", decode.text, ""),
        timestamp=decode.need(data, "timestamp", decode.time),
    )


def to_settle_response(value: object) -> models.SettleResponse:
    """SettleResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.SettleResponse(
        id=decode.either(data, "id", decode.text, ""),
        state=decode.either(data, "state", decode.text, ""),
        settled_tokens=decode.either(data, "settledTokens", decode.integer, 0),
        remaining_tokens=decode.either(data, "remainingTokens", decode.integer, 0),
    )


def to_top_user(value: object) -> models.TopUser:
    """TopUser from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.TopUser(
        user_id=decode.either(data, "userId", decode.text, ""),
        total_tokens=decode.either(data, "totalTokens", decode.integer, 0),
        events=decode.either(data, "events", decode.integer, 0),
    )


def to_trend_point(value: object) -> models.TrendPoint:
    """TrendPoint from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.TrendPoint(
        start=decode.need(data, "start", decode.time),
        tokens=decode.either(data, "tokens", decode.integer, 0),
        events=decode.either(data, "events", decode.integer, 0),
        denied_events=decode.either(data, "deniedEvents", decode.integer, 0),
    )


def to_usage_item(value: object) -> models.UsageItem:
    """UsageItem from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.UsageItem(
        key=decode.need(data, "key", to_usage_key),
        user_id=decode.either(data, "userId", decode.text, ""),
        tokens=decode.either(data, "tokens", decode.integer, 0),
        allowed=decode.either(data, "allowed", decode.boolean, False),
    )


def to_usage_key(value: object) -> models.UsageKey:
    """UsageKey from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.UsageKey(
        provider=decode.either(data, "provider", decode.text, ""),
        timestamp=decode.need(data, "timestamp", decode.time),
    )


def to_user(value: object) -> models.User:
    """User from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.User(
        id=decode.either(data, "id", decode.text, ""),
        username=decode.either(data, "username", decode.text, ""),
        email=decode.either(data, "email", decode.text, ""),
        roles=decode.many(data, "roles", decode.text),
        created_at=decode.need(data, "createdAt", decode.time),
        disabled_at=decode.maybe(data, "disabledAt", decode.time),
    )


def to_user_provider(value: object) -> models.UserProvider:
    """UserProvider from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.UserProvider(
        provider=decode.either(data, "provider", decode.text, ""),
        total_tokens=decode.either(data, "totalTokens", decode.integer, 0),
        events=decode.either(data, "events", decode.integer, 0),
    )


def to_validate_api_key_response(value: object) -> models.ValidateApiKeyResponse:
    """ValidateApiKeyResponse from its JSON object; ValueError when it is none."""
    data = decode.document(value)
    return models.ValidateApiKeyResponse(
        user_id=decode.either(data, "userId", decode.text, ""),
        name=decode.either(data, "name", decode.text, ""),
        expires_at=decode.maybe(data, "expiresAt", decode.time),
        roles=decode.many(data, "roles", decode.text),
    )
