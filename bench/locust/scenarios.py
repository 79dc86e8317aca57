"""The simulated users, a class a scenario."""

import random
import time
import uuid
from itertools import count, cycle
from typing import Any

from locust import FastHttpUser, constant_throughput, task
from locust.exception import StopUser

from bench.locust.account import Account, NoAccountError, account, load
from bench.locust.outcome import Outcome, outcome
from bench.locust.publisher import Publisher, RefusedError

_TOKENS = "/api/v1/tokens"
_SAGA_SECONDS, _ASK_SECONDS = 30.0, 0.5
_ENDED = ("COMPLETED", "FAILED")
_NUMBERS = count()


class Caller(FastHttpUser):
    """A user with an account, that calls the edge so often."""

    abstract = True
    account: Account

    def wait_time(self) -> float:
        """Seconds to the next task, so that `--rate` is kept."""
        return float(constant_throughput(self.options.rate)(self))

    @property
    def options(self) -> Any:
        """What was chosen on the command line or on Locust's page."""
        return self.environment.parsed_options

    def on_start(self) -> None:
        """Finds out, or makes, whom it acts for."""
        try:
            self.account = self._account()
            self.prepare()
        except NoAccountError as error:
            self.failed("setup", str(error))
            raise StopUser from error
        # Users do not march in step: as many at once as there are is another load. gevent has
        # made it a sleep that lets the others go on.
        time.sleep(random.uniform(0, 1 / self.options.rate))  # noqa: S311 no secret

    def _account(self) -> Account:
        """The next of those that were made ready, else one found out or made now."""
        if not self.options.accounts:
            return account(self, self.options)
        ready = load(self.options.accounts)
        return ready[next(_NUMBERS) % len(ready)]

    def prepare(self) -> None:
        """What has to be there before the first task."""

    def call(self, name: str, verb: str, path: str, **more: Any) -> tuple[Outcome, Any]:
        """Makes a call, which is counted; what it counts as, and the body."""
        with self.client.request(verb, path, name=name, catch_response=True, **more) as response:
            try:
                body = response.json()
            except (ValueError, TypeError):
                body = response.text
            seen = outcome(response.status_code, body)
            response.request_meta["name"] = seen.name(name)
            if seen.failure:
                response.failure(seen.failure)
            else:
                response.success()
        return seen, body

    def ask(self, name: str, verb: str, path: str, **more: Any) -> tuple[Outcome, Any]:
        """The same, as this user."""
        return self.call(name, verb, path, headers=self.account.headers, **more)

    def counted(self, name: str, begun: float, failure: str = "") -> None:
        """Counts what is no HTTP call, from `begun` on (time.perf_counter)."""
        self.environment.events.request.fire(
            request_type="",
            name=name,
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=0,
            exception=RuntimeError(failure) if failure else None,
            context={},
        )

    def failed(self, name: str, why: str) -> None:
        """Counts a failure."""
        self.counted(name, time.perf_counter(), why)

    def consume(self, tokens: int, name: str = "consume") -> Outcome:
        """Uses tokens of the user's pool."""
        body = {
            "userId": self.account.user_id,
            "provider": self.options.provider,
            "tokens": tokens,
            "prompt": "load",
        }
        return self.ask(name, "POST", f"{_TOKENS}/consume", json=body)[0]


class Consume(Caller):
    """Uses tokens of its own pool."""

    @task
    def use(self) -> None:
        """One use."""
        self.consume(self.options.tokens)


class QuotaCheck(Caller):
    """Asks what is left of its pool."""

    def prepare(self) -> None:
        """The first use makes the pool."""
        self.consume(1, "setup: first use")

    @task
    def look(self) -> None:
        """One look."""
        query = f"userId={self.account.user_id}&provider={self.options.provider}"
        self.ask("quota", "GET", f"{_TOKENS}/quota?{query}")


class Purchase(Caller):
    """Buys tokens, and asks until the saga has ended."""

    @task
    def buy(self) -> None:
        """One purchase, timed also from its order to its end."""
        begun = time.perf_counter()
        body = {
            "userId": self.account.user_id,
            "provider": self.options.provider,
            "tokens": self.options.tokens,
        }
        headers = {**self.account.headers, "Idempotency-Key": str(uuid.uuid4())}
        ordered, told = self.call(
            "purchase", "POST", f"{_TOKENS}/purchase", json=body, headers=headers
        )
        if ordered.done:
            self._until_it_ends(told["sagaId"], begun)

    def _until_it_ends(self, saga_id: str, begun: float) -> None:
        status = "unknown"
        while time.perf_counter() < begun + _SAGA_SECONDS:
            seen, told = self.ask("purchase status", "GET", f"{_TOKENS}/purchase/{saga_id}")
            if seen.done and (status := told["status"]) in _ENDED:
                break
            if seen.failure:
                return
            # gevent has made it one that lets the others go on.
            time.sleep(_ASK_SECONDS)
        failure = "" if status == "COMPLETED" else f"the saga is {status}"
        self.counted("purchase saga", begun, failure)


class AnalyticsQuery(Caller):
    """Asks for usage, a report and anomalies in turn."""

    def prepare(self) -> None:
        """Something to be found."""
        self._queries = cycle(
            [
                ("usage", f"usage?limit={self.options.limit}&"),
                ("report", "report?windowMinutes=60&"),
                ("anomalies", "anomalies?windowMinutes=60&"),
            ]
        )
        self.consume(1, "setup: first use")

    @task
    def query(self) -> None:
        """The next of the three."""
        name, path = next(self._queries)
        provider = f"provider={self.options.provider}"
        self.ask(f"analytics {name}", "GET", f"/api/v1/analytics/{path}{provider}")


class Login(Caller):
    """Logs in by its password."""

    @task
    def login(self) -> None:
        """One login."""
        body = {"username": self.account.username, "password": self.account.password}
        self.call("login", "POST", "/api/v1/auth/login", json=body)


class UsagePublish(Caller):
    """Sends usage events to svc_analytics by gRPC, as svc_token does.

    They tell of uses that were refused, which are in no total and no
    reconciliation: nothing that a pool has paid for is invented.
    """

    publisher: Publisher

    def prepare(self) -> None:
        """Opens the channel."""
        self.publisher = Publisher(self.options, self.host or "", self.account.user_id)

    def on_stop(self) -> None:
        """Closes it."""
        if hasattr(self, "publisher"):
            self.publisher.close()

    @task
    def publish(self) -> None:
        """One batch."""
        begun = time.perf_counter()
        try:
            self.publisher.publish()
        except RefusedError as error:
            self.counted("publish", begun, str(error))
        else:
            self.counted("publish", begun)
