"""What a credential may be limited to, and what it may do then."""

from google.protobuf.message import Message

from leaky.edge.v1.options_pb2 import ACCESS_INTERNAL, ACCESS_PUBLIC
from mesh.identity.refusals import insufficient_scope
from mesh.rpc.call import Call

TOKENS_READ = "tokens.read"
TOKENS_WRITE = "tokens.write"
ANALYTICS_READ = "analytics.read"
ACCOUNT_READ = "account.read"
# All that a method's rule may name.
SCOPES = (ACCOUNT_READ, ANALYTICS_READ, TOKENS_READ, TOKENS_WRITE)
# In a token's `scope`: not limited. No API key and no OAuth2 client can be given it.
EVERYTHING = "*"


def limits_of(scope: str) -> frozenset[str] | None:
    """What a token's `scope` (RFC 6749, section 3.3) limits it to; None for no limit."""
    named = frozenset(scope.split(" ")) - {""}
    return None if EVERYTHING in named else named


def check_scope(call: Call) -> None:
    """Raises SCOPE_INSUFFICIENT for a credential whose limits leave the method out.

    Between services it is the service that asks, for whomever.
    """
    principal, rule = call.principal, call.method.rule
    unlimited = principal.scopes is None and principal.providers is None
    if unlimited or rule.access in (ACCESS_PUBLIC, ACCESS_INTERNAL):
        return
    if not rule.scope:
        # One for some providers could else make itself a key for all.
        raise insufficient_scope("a credential that is limited may not do this")
    if principal.scopes is not None and rule.scope not in principal.scopes:
        raise insufficient_scope(f"the scope {rule.scope} is needed")


def check_provider(request: Message, call: Call) -> None:
    """Raises SCOPE_INSUFFICIENT for a credential that is not for the request's provider."""
    allowed, name = call.principal.providers, call.method.rule.provider
    if allowed is not None and name and getattr(request, name) not in allowed:
        raise insufficient_scope("the credential is not for this provider")
