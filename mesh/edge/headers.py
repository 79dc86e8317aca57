"""Headers that every response carries."""

from mesh.edge.answering import Headers

_API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
# The viewer brings its own files; its styles are partly inline, its icons data URLs.
VIEWER_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
_ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"geolocation=(), microphone=(), camera=()"),
]
_OVER_TLS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_POLICY_NAME = b"content-security-policy"


def dressed(headers: Headers, correlation_id: str, *, tls: bool) -> Headers:
    """The headers with those that every response has; a policy of its own stays."""
    out = [*headers, *_ALWAYS, (b"x-correlation-id", correlation_id.encode())]
    if _POLICY_NAME not in dict(headers):
        out.append((_POLICY_NAME, _API_POLICY))
    if tls:
        out.append(_OVER_TLS)
    return out
