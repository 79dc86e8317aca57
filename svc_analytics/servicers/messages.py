"""Domain values as protos, and back."""

from google.protobuf.timestamp_pb2 import Timestamp

from leaky.analytics.v1 import report_pb2, usage_event_pb2
from mesh.rpc.times import timestamp
from svc_analytics.domain.totals import ProviderUsage, Totals, UserTotals
from svc_analytics.domain.usage import UsageEvent


def usage_event(message: usage_event_pb2.UsageEvent) -> UsageEvent:
    """An event as it was sent; whether it can be kept is not looked at."""
    return UsageEvent(
        event_id=message.event_id,
        user_id=message.user_id,
        org_id=message.org_id or None,
        provider=message.provider,
        tokens=message.tokens,
        allowed=message.allowed,
        reason=message.reason,
        at_us=micros(message.timestamp),
    )


def usage_message(event: UsageEvent) -> usage_event_pb2.UsageEvent:
    """An event as it is sent."""
    return usage_event_pb2.UsageEvent(
        event_id=event.event_id,
        user_id=event.user_id,
        org_id=event.org_id,
        provider=event.provider,
        tokens=event.tokens,
        allowed=event.allowed,
        reason=event.reason,
        timestamp=timestamp(event.at_us),
        schema_version=1,
    )


def micros(stamp: Timestamp) -> int:
    """Microseconds since the epoch; ToMicroseconds raises on what a use case is to refuse."""
    return stamp.seconds * 1_000_000 + stamp.nanos // 1_000


def usage_item(event: UsageEvent) -> report_pb2.UsageItem:
    """An event as it is listed."""
    return report_pb2.UsageItem(
        key=report_pb2.UsageKey(provider=event.provider, timestamp=timestamp(event.at_us)),
        user_id=event.user_id,
        tokens=event.tokens,
        allowed=event.allowed,
    )


def top_user(user: UserTotals) -> report_pb2.TopUser:
    """A user of a report."""
    return report_pb2.TopUser(user_id=user.user_id, total_tokens=user.tokens, events=user.events)


def provider_share(usage: ProviderUsage, share: float) -> report_pb2.ProviderShare:
    """A provider among all."""
    return report_pb2.ProviderShare(
        provider=usage.provider,
        total_tokens=usage.totals.tokens,
        total_events=usage.totals.events,
        denied_events=usage.totals.denied,
        share=share,
    )


def user_provider(usage: ProviderUsage) -> report_pb2.UserProvider:
    """A provider of one user."""
    return report_pb2.UserProvider(
        provider=usage.provider, total_tokens=usage.totals.tokens, events=usage.totals.events
    )


def trend_point(start_us: int, totals: Totals) -> report_pb2.TrendPoint:
    """A bucket."""
    return report_pb2.TrendPoint(
        start=timestamp(start_us),
        tokens=totals.tokens,
        events=totals.events,
        denied_events=totals.denied,
    )
