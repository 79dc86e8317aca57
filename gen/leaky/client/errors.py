"""Why a call failed: one class for each reason of the error body.

Generated from proto/ by `make gen`; not to be edited.
"""

from typing import ClassVar

from ._runtime.errors import FieldError, LeakyError

__all__ = [
    "ApiKeyLimit",
    "ApiKeyNotFound",
    "BY_REASON",
    "BadCredentials",
    "BodyTooLarge",
    "Cancelled",
    "CircuitOpen",
    "CostExceedsCapacity",
    "DeadlineExceeded",
    "EmailTaken",
    "FeatureDisabled",
    "FieldError",
    "IdempotencyKeyInFlight",
    "IdempotencyKeyReused",
    "InsufficientQuota",
    "Internal",
    "InvalidApiKey",
    "InvalidArgument",
    "InvitationExpired",
    "InvitationForAnother",
    "InvitationLimit",
    "InvitationNotFound",
    "InvitationUsed",
    "LastOwner",
    "LeakyError",
    "LoginThrottled",
    "MalformedJson",
    "MemberCapExceeded",
    "MemberCapNotFound",
    "MemberExists",
    "MemberLimit",
    "MemberNotFound",
    "MethodNotAllowed",
    "OauthClientExists",
    "OauthClientNotFound",
    "OauthConsentNotFound",
    "OrgLimit",
    "OrgNotFound",
    "Overloaded",
    "PathNotFound",
    "PaymentConflict",
    "PaymentDeclined",
    "PaymentNotFound",
    "PermissionDenied",
    "ProviderCallFailed",
    "ProviderDisabled",
    "ProviderNotFound",
    "PurchaseNotFound",
    "QuotaExists",
    "QuotaNotFound",
    "RateLimitExceeded",
    "RateLimited",
    "ReservationConflict",
    "ReservationNotFound",
    "ScopeInsufficient",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnknownProvider",
    "UnsupportedMediaType",
    "UserDisabled",
    "UserNotFound",
    "UsernameTaken",
    "WeakPassword",
]


class InvalidArgument(LeakyError):
    """A field is missing, malformed or out of range."""

    REASON: ClassVar[str] = "INVALID_ARGUMENT"


class MalformedJson(LeakyError):
    """The body is not JSON."""

    REASON: ClassVar[str] = "MALFORMED_JSON"


class BodyTooLarge(LeakyError):
    """The body is larger than 1 MiB."""

    REASON: ClassVar[str] = "BODY_TOO_LARGE"


class UnsupportedMediaType(LeakyError):
    """The body's content type is not JSON."""

    REASON: ClassVar[str] = "UNSUPPORTED_MEDIA_TYPE"


class PathNotFound(LeakyError):
    """No such path."""

    REASON: ClassVar[str] = "PATH_NOT_FOUND"


class MethodNotAllowed(LeakyError):
    """The path exists, not with this method."""

    REASON: ClassVar[str] = "METHOD_NOT_ALLOWED"


class Unauthenticated(LeakyError):
    """No credential, or one that is unknown, expired, forged or revoked."""

    REASON: ClassVar[str] = "UNAUTHENTICATED"


class PermissionDenied(LeakyError):
    """A known caller that may not do this."""

    REASON: ClassVar[str] = "PERMISSION_DENIED"


class Overloaded(LeakyError):
    """Too many calls in flight; nothing was done."""

    REASON: ClassVar[str] = "OVERLOADED"


class Unavailable(LeakyError):
    """A service or store that the call needs is away."""

    REASON: ClassVar[str] = "UNAVAILABLE"


class CircuitOpen(LeakyError):
    """The breaker in front of a service is open, or no instance is healthy."""

    REASON: ClassVar[str] = "CIRCUIT_OPEN"


class DeadlineExceeded(LeakyError):
    """The deadline passed."""

    REASON: ClassVar[str] = "DEADLINE_EXCEEDED"


class Cancelled(LeakyError):
    """The caller went away."""

    REASON: ClassVar[str] = "CANCELLED"


class Internal(LeakyError):
    """A fault of ours, logged with the trace id."""

    REASON: ClassVar[str] = "INTERNAL"


class FeatureDisabled(LeakyError):
    """The feature's flag is off."""

    REASON: ClassVar[str] = "FEATURE_DISABLED"


class RateLimitExceeded(LeakyError):
    """The edge's request window is used up."""

    REASON: ClassVar[str] = "RATE_LIMIT_EXCEEDED"


class Unimplemented(LeakyError):
    """The method is not served here."""

    REASON: ClassVar[str] = "UNIMPLEMENTED"


class ScopeInsufficient(LeakyError):
    """The credential is limited, and not to this: it lacks the scope or the provider (RFC 6750's
    insufficient_scope).
    """

    REASON: ClassVar[str] = "SCOPE_INSUFFICIENT"


class UsernameTaken(LeakyError):
    """Another user has this name."""

    REASON: ClassVar[str] = "USERNAME_TAKEN"


class EmailTaken(LeakyError):
    """Another user has this address."""

    REASON: ClassVar[str] = "EMAIL_TAKEN"


class WeakPassword(LeakyError):
    """The password is too short or on the blocklist."""

    REASON: ClassVar[str] = "WEAK_PASSWORD"


class BadCredentials(LeakyError):
    """Wrong user name or password."""

    REASON: ClassVar[str] = "BAD_CREDENTIALS"


class InvalidApiKey(LeakyError):
    """The API key is unknown, expired or revoked."""

    REASON: ClassVar[str] = "INVALID_API_KEY"


class ApiKeyNotFound(LeakyError):
    """No such API key of this user."""

    REASON: ClassVar[str] = "API_KEY_NOT_FOUND"


class UserNotFound(LeakyError):
    """No such user."""

    REASON: ClassVar[str] = "USER_NOT_FOUND"


class OrgNotFound(LeakyError):
    """No such organisation."""

    REASON: ClassVar[str] = "ORG_NOT_FOUND"


class MemberNotFound(LeakyError):
    """No such member of the organisation."""

    REASON: ClassVar[str] = "MEMBER_NOT_FOUND"


class UserDisabled(LeakyError):
    """The user is disabled."""

    REASON: ClassVar[str] = "USER_DISABLED"


class LoginThrottled(LeakyError):
    """Too many logins have failed for this account from this address, or from this address at all;
    the password was not looked at.
    """

    REASON: ClassVar[str] = "LOGIN_THROTTLED"


class ApiKeyLimit(LeakyError):
    """The user has as many API keys as it may."""

    REASON: ClassVar[str] = "API_KEY_LIMIT"


class QuotaNotFound(LeakyError):
    """No pool for this owner and provider yet."""

    REASON: ClassVar[str] = "QUOTA_NOT_FOUND"


class QuotaExists(LeakyError):
    """The pool exists already."""

    REASON: ClassVar[str] = "QUOTA_EXISTS"


class InsufficientQuota(LeakyError):
    """The pool holds less than was asked for."""

    REASON: ClassVar[str] = "INSUFFICIENT_QUOTA"


class RateLimited(LeakyError):
    """The rate bucket is full; the body says for how long."""

    REASON: ClassVar[str] = "RATE_LIMITED"


class CostExceedsCapacity(LeakyError):
    """More tokens than the tier's bucket can ever hold."""

    REASON: ClassVar[str] = "COST_EXCEEDS_CAPACITY"


class UnknownProvider(LeakyError):
    """No such provider."""

    REASON: ClassVar[str] = "UNKNOWN_PROVIDER"


class ProviderCallFailed(LeakyError):
    """The provider answered with an error, or not in time; nothing was charged."""

    REASON: ClassVar[str] = "PROVIDER_CALL_FAILED"


class ProviderNotFound(LeakyError):
    """No such provider at a path that names one."""

    REASON: ClassVar[str] = "PROVIDER_NOT_FOUND"


class IdempotencyKeyReused(LeakyError):
    """The Idempotency-Key was used with another body."""

    REASON: ClassVar[str] = "IDEMPOTENCY_KEY_REUSED"


class PurchaseNotFound(LeakyError):
    """No such purchase, or somebody else's."""

    REASON: ClassVar[str] = "PURCHASE_NOT_FOUND"


class ProviderDisabled(LeakyError):
    """The provider is switched off."""

    REASON: ClassVar[str] = "PROVIDER_DISABLED"


class ReservationConflict(LeakyError):
    """A reservation with this id exists with other content, or ended otherwise."""

    REASON: ClassVar[str] = "RESERVATION_CONFLICT"


class ReservationNotFound(LeakyError):
    """No such reservation."""

    REASON: ClassVar[str] = "RESERVATION_NOT_FOUND"


class MemberCapExceeded(LeakyError):
    """The pool has enough, and this member has used its share of it."""

    REASON: ClassVar[str] = "MEMBER_CAP_EXCEEDED"


class MemberCapNotFound(LeakyError):
    """No share is set for this member."""

    REASON: ClassVar[str] = "MEMBER_CAP_NOT_FOUND"


class IdempotencyKeyInFlight(LeakyError):
    """The first request with this Idempotency-Key has not come to its end yet."""

    REASON: ClassVar[str] = "IDEMPOTENCY_KEY_IN_FLIGHT"


class PaymentNotFound(LeakyError):
    """The payment double does not know this authorisation."""

    REASON: ClassVar[str] = "PAYMENT_NOT_FOUND"


class PaymentDeclined(LeakyError):
    """The payment was declined."""

    REASON: ClassVar[str] = "PAYMENT_DECLINED"


class PaymentConflict(LeakyError):
    """The payment is in a state that does not allow this."""

    REASON: ClassVar[str] = "PAYMENT_CONFLICT"


class MemberExists(LeakyError):
    """The user, or the holder of the address, is a member already."""

    REASON: ClassVar[str] = "MEMBER_EXISTS"


class MemberLimit(LeakyError):
    """The organisation has as many members as it may have."""

    REASON: ClassVar[str] = "MEMBER_LIMIT"


class LastOwner(LeakyError):
    """The organisation would be left without an owner."""

    REASON: ClassVar[str] = "LAST_OWNER"


class OrgLimit(LeakyError):
    """The user owns as many organisations as it may begin."""

    REASON: ClassVar[str] = "ORG_LIMIT"


class InvitationNotFound(LeakyError):
    """No such invitation, or one that was withdrawn."""

    REASON: ClassVar[str] = "INVITATION_NOT_FOUND"


class InvitationExpired(LeakyError):
    """The invitation was not accepted in time."""

    REASON: ClassVar[str] = "INVITATION_EXPIRED"


class InvitationUsed(LeakyError):
    """The invitation was accepted, and what it gave has ended since."""

    REASON: ClassVar[str] = "INVITATION_USED"


class InvitationForAnother(LeakyError):
    """The invitation is for another address than the caller's."""

    REASON: ClassVar[str] = "INVITATION_FOR_ANOTHER"


class InvitationLimit(LeakyError):
    """The organisation has as many open invitations as it may have."""

    REASON: ClassVar[str] = "INVITATION_LIMIT"


class OauthClientNotFound(LeakyError):
    """No such OAuth2 client."""

    REASON: ClassVar[str] = "OAUTH_CLIENT_NOT_FOUND"


class OauthClientExists(LeakyError):
    """An OAuth2 client with this id exists."""

    REASON: ClassVar[str] = "OAUTH_CLIENT_EXISTS"


class OauthConsentNotFound(LeakyError):
    """The user has not allowed the application anything, or no longer."""

    REASON: ClassVar[str] = "OAUTH_CONSENT_NOT_FOUND"


BY_REASON: dict[str, type[LeakyError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "MALFORMED_JSON": MalformedJson,
    "BODY_TOO_LARGE": BodyTooLarge,
    "UNSUPPORTED_MEDIA_TYPE": UnsupportedMediaType,
    "PATH_NOT_FOUND": PathNotFound,
    "METHOD_NOT_ALLOWED": MethodNotAllowed,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "OVERLOADED": Overloaded,
    "UNAVAILABLE": Unavailable,
    "CIRCUIT_OPEN": CircuitOpen,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "INTERNAL": Internal,
    "FEATURE_DISABLED": FeatureDisabled,
    "RATE_LIMIT_EXCEEDED": RateLimitExceeded,
    "UNIMPLEMENTED": Unimplemented,
    "SCOPE_INSUFFICIENT": ScopeInsufficient,
    "USERNAME_TAKEN": UsernameTaken,
    "EMAIL_TAKEN": EmailTaken,
    "WEAK_PASSWORD": WeakPassword,
    "BAD_CREDENTIALS": BadCredentials,
    "INVALID_API_KEY": InvalidApiKey,
    "API_KEY_NOT_FOUND": ApiKeyNotFound,
    "USER_NOT_FOUND": UserNotFound,
    "ORG_NOT_FOUND": OrgNotFound,
    "MEMBER_NOT_FOUND": MemberNotFound,
    "USER_DISABLED": UserDisabled,
    "LOGIN_THROTTLED": LoginThrottled,
    "API_KEY_LIMIT": ApiKeyLimit,
    "QUOTA_NOT_FOUND": QuotaNotFound,
    "QUOTA_EXISTS": QuotaExists,
    "INSUFFICIENT_QUOTA": InsufficientQuota,
    "RATE_LIMITED": RateLimited,
    "COST_EXCEEDS_CAPACITY": CostExceedsCapacity,
    "UNKNOWN_PROVIDER": UnknownProvider,
    "PROVIDER_CALL_FAILED": ProviderCallFailed,
    "PROVIDER_NOT_FOUND": ProviderNotFound,
    "IDEMPOTENCY_KEY_REUSED": IdempotencyKeyReused,
    "PURCHASE_NOT_FOUND": PurchaseNotFound,
    "PROVIDER_DISABLED": ProviderDisabled,
    "RESERVATION_CONFLICT": ReservationConflict,
    "RESERVATION_NOT_FOUND": ReservationNotFound,
    "MEMBER_CAP_EXCEEDED": MemberCapExceeded,
    "MEMBER_CAP_NOT_FOUND": MemberCapNotFound,
    "IDEMPOTENCY_KEY_IN_FLIGHT": IdempotencyKeyInFlight,
    "PAYMENT_NOT_FOUND": PaymentNotFound,
    "PAYMENT_DECLINED": PaymentDeclined,
    "PAYMENT_CONFLICT": PaymentConflict,
    "MEMBER_EXISTS": MemberExists,
    "MEMBER_LIMIT": MemberLimit,
    "LAST_OWNER": LastOwner,
    "ORG_LIMIT": OrgLimit,
    "INVITATION_NOT_FOUND": InvitationNotFound,
    "INVITATION_EXPIRED": InvitationExpired,
    "INVITATION_USED": InvitationUsed,
    "INVITATION_FOR_ANOTHER": InvitationForAnother,
    "INVITATION_LIMIT": InvitationLimit,
    "OAUTH_CLIENT_NOT_FOUND": OauthClientNotFound,
    "OAUTH_CLIENT_EXISTS": OauthClientExists,
    "OAUTH_CONSENT_NOT_FOUND": OauthConsentNotFound,
}
