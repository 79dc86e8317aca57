"""The scenarios by name: what each does, and how often a user does it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`user` is its class in scenarios.py; `rate` how often in a second one user does it.

    The rates stay below what the edge lets one key do, 200 requests a minute
    under /api/v1/tokens and 120 elsewhere, but for logins, which share the
    window of their address, and cost the most: a password is hashed at length. `most` users
    are what a system of the load's own gets, where that refuses more in flight at once.
    """

    name: str
    user: str
    rate: float
    what: str
    most: int | None = None


SCENARIOS = {
    one.name: one
    for one in (
        Scenario(name="consume", user="Consume", rate=3.0, what="uses tokens of its own pool"),
        Scenario(name="quota", user="QuotaCheck", rate=3.0, what="asks what is left of its pool"),
        Scenario(
            name="purchase",
            user="Purchase",
            rate=0.5,
            what="buys tokens, and asks until the saga has ended",
        ),
        Scenario(
            name="analytics",
            user="AnalyticsQuery",
            rate=1.8,
            what="asks for usage, a report and anomalies in turn",
        ),
        Scenario(
            name="publish",
            user="UsagePublish",
            rate=5.0,
            what="sends usage events to svc_analytics by gRPC, as svc_token does",
        ),
        # Last, as it uses up the window of the address, with which users register, too.
        # Of one address two passwords are hashed and eight wait: svc_auth/crypto/turns.py.
        Scenario(name="login", user="Login", rate=0.1, what="logs in by its password", most=10),
    )
}
