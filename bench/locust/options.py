"""What the command line may choose."""

import argparse
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.locust.scenario import SCENARIOS

ALL = "all"
_DURATION = re.compile(r"(?:\d+h)?(?:\d+m)?(?:\d+s?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Whom all users act for; without any, each has an account of its own."""

    api_key: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    user_id: str = ""

    @property
    def kind(self) -> str:
        """What a report may say of them."""
        if self.api_key:
            return "an API key"
        if self.bearer_token:
            return "a bearer token"
        return "a username and password" if self.username else "own users, with an API key each"

    @property
    def given(self) -> bool:
        """Whether there are any."""
        return bool(self.api_key or self.bearer_token or self.username)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run; `ramp` in users a second, `rate` in tasks a second and user, 0 for the scenario's.

    `up` has it start a system of its own; `web` serves Locust's page instead of starting.
    """

    scenarios: tuple[str, ...]
    users: int
    ramp: float
    duration: str
    base_url: str
    credentials: Credentials
    provider: str
    tokens: int
    limit: int
    rate: float
    grpc_target: str
    leaf: str
    batch: int
    web: bool
    web_port: int
    up: bool
    report: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """The choices; ends the process on --help and on what is no choice."""
    parser = _parser()
    given = parser.parse_args(arguments)
    scenarios = tuple(SCENARIOS) if ALL in given.scenario else tuple(dict.fromkeys(given.scenario))
    credentials = Credentials(
        api_key=given.api_key,
        bearer_token=given.bearer_token,
        username=given.username,
        password=given.password,
        user_id=given.user_id,
    )
    _check(parser, given, scenarios, credentials)
    chosen = {key: value for key, value in vars(given).items() if key in _PLAIN}
    return Options(scenarios=scenarios, credentials=credentials, **chosen)


_PLAIN = (
    *("users", "ramp", "duration", "base_url", "provider", "tokens", "limit", "rate"),
    *("grpc_target", "leaf", "batch", "web", "web_port", "up", "report"),
)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {one.name:<10} {one.what}" for one in SCENARIOS.values())
    parser = argparse.ArgumentParser(
        prog="bench.locust",
        description=f"Load by Locust. Scenarios:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="+", choices=(*SCENARIOS, ALL), metavar="SCENARIO")
    add = parser.add_argument
    add("--users", type=_positive, default=20, help="default 20")
    add("--ramp", type=_rate, default=10.0, help="users a second, default 10")
    add("--duration", type=_duration, default="30s", help="such as 90s or 5m, default 30s")
    add("--base-url", default="http://127.0.0.1:8080", help="default the edge of leaky up")
    add("--up", action="store_true", help="start a leaky up of its own, and load that")
    add("--web", action="store_true", help="Locust's page, to start it from there")
    add("--web-port", type=_positive, default=8089, help="of that page, default 8089")
    add("--report", type=Path, metavar="FILE", help="write it there: .md or .json")
    who = parser.add_argument_group("whom all users act for; accounts are registered without it")
    who.add_argument("--api-key", default="", help="of a user")
    who.add_argument("--bearer-token", default="", help="a JWT")
    who.add_argument("--username", default="", help="with --password")
    who.add_argument("--password", default="")
    who.add_argument("--user-id", default="", help="default whose credential it is")
    what = parser.add_argument_group("what they ask for")
    what.add_argument("--provider", default="openai", help="default openai")
    what.add_argument("--tokens", type=_positive, default=3, help="of a consume or purchase")
    what.add_argument("--limit", type=_positive, default=20, help="of listed events, default 20")
    what.add_argument("--rate", type=_rate, default=0.0, help="tasks a second and user")
    what.add_argument("--grpc-target", default="", help="svc_analytics, default port 9083 there")
    what.add_argument("--leaf", default="", help="folder of svc_token's leaf, which secure wants")
    what.add_argument("--batch", type=_positive, default=20, help="events a publish, default 20")
    return parser


def _check(
    parser: argparse.ArgumentParser,
    given: argparse.Namespace,
    scenarios: Sequence[str],
    credentials: Credentials,
) -> None:
    kinds = [credentials.api_key, credentials.bearer_token, credentials.username]
    if sum(map(bool, kinds)) > 1:
        parser.error("give an API key, a bearer token, or a username and password")
    if bool(credentials.username) != bool(credentials.password):
        parser.error("--username and --password go together")
    if "login" in scenarios and (credentials.api_key or credentials.bearer_token):
        parser.error("login wants a username and password, or no credential at all")
    if urlsplit(given.base_url).scheme not in ("http", "https"):
        parser.error(f"--base-url is no http URL: {given.base_url}")
    if not credentials.given and not on_loopback(given.base_url):
        parser.error("own users are registered on this machine only: give a credential")
    if given.web and len(scenarios) > 1:
        parser.error("--web takes one scenario")
    if given.report and given.report.suffix not in (".md", ".json"):
        parser.error("--report wants a name that ends in .md or .json")


def on_loopback(url: str) -> bool:
    """Whether a URL is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:  # noqa: PLR2004 more than any machine does
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _duration(text: str) -> str:
    if not text or not _DURATION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text} is no duration, such as 90s, 5m or 1h30m")
    return text
