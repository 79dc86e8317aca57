"""The alerts against promtool, amtool, their tests, their runbooks and our metrics."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.files import COMPOSE, ROOT
from tests.compose.rules import RULES, SEVERITIES, alerts, metrics_in
from tests.parts.urls import POSTGRESQL, url

CASES = Path(__file__).with_name("alerts")
RUNBOOKS = ROOT / "docs" / "runbooks.md"
ALERTMANAGER = COMPOSE / "alertmanager" / "alertmanager.yml"
# What every system of this kind is asked for.
PROMISED = {
    *("HighAuthLoginFailureRate", "AuthLoginFailuresSpike", "TokenProviderFailures"),
    *("TokenRateLimited", "TokenQuotaInsufficientSpike", "LowTokenQuota"),
    *("ApiKeyValidationFailures", "GatewayRateLimitBlocked", "HighGatewayLatencyP95"),
    *("HighTokenServiceLatencyP95", "HighGatewayErrorRate", "HighTokenServiceErrorRate"),
    *("HighGatewayFallbackRate", "SagaFailures", "ServiceDown", "HighErrorRatio"),
    *("HighLatencyP99", "OutboxLag", "SagaStuck", "BreakerOpen", "Overspend"),
    *("ReconcileDifference", "CertificateExpiry", "SigningKeyExpiry"),
}
each = pytest.mark.parametrize("name", alerts())
# Where the real parts run, these have to be there too.
with_tools = pytest.mark.skipif(
    shutil.which("promtool") is None and not url(POSTGRESQL),
    reason="promtool and amtool are missing: compose/native/prometheus.sh install",
)


def tool(*command: str | Path) -> str:
    done = subprocess.run(  # noqa: S603 where Debian puts them
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cases() -> dict[str, list[dict[str, Any]]]:
    """Of each alert, what its tests expect."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in CASES.glob("*.yml"):
        for test in yaml.safe_load(file.read_text())["tests"]:
            for one in test["alert_rule_test"]:
                found.setdefault(one["alertname"], []).append(one)
    return found


@with_tools
@pytest.mark.parametrize("file", sorted(CASES.glob("*.yml")), ids=lambda file: file.stem)
def test_alerts_fire_and_are_silent_as_their_tests_say(file: Path) -> None:
    tool("promtool", "test", "rules", file)


@each
def test_an_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(name: str) -> None:
    fires = [bool(one["exp_alerts"]) for one in cases()[name]]
    assert set(fires) == {True, False}


def test_no_other_alert_is_tested_and_every_promised_one_is_there() -> None:
    assert cases().keys() == alerts().keys()
    assert alerts().keys() >= PROMISED


@each
def test_an_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"


def test_every_alert_has_a_runbook_and_no_other_thing_has() -> None:
    sections = re.split(r"^### ", RUNBOOKS.read_text(), flags=re.MULTILINE)[1:]
    named = {section.partition("\n")[0]: section for section in sections}
    assert named.keys() == alerts().keys()
    for name, section in named.items():
        for heading in ("**Means.**", "**Look.**", "**Do.**"):
            assert heading in section, (name, heading)


@each
def test_an_alert_asks_for_metrics_that_there_are(name: str) -> None:
    asked = set(metrics_in(alerts()[name]["expr"]))
    documented = (ROOT / "docs" / "services.md").read_text()
    assert asked or "up{" in alerts()[name]["expr"]
    assert [metric for metric in asked if f"`{metric}`" not in documented] == []


def test_metrics_are_found_in_expressions() -> None:
    asked = (
        'sum by (exported_service) (rate(some_seconds_bucket{a_b="c_d"}[5m])) > on () max(other)'
    )
    assert list(metrics_in(asked)) == ["some_seconds"]
    assert list(metrics_in("max(outbox_depth) > 1 and max(deriv(outbox_lag[5m])) > 0")) == [
        "outbox_depth",
        "outbox_lag",
    ]


@with_tools
def test_alertmanager_takes_its_configuration() -> None:
    tool("promtool", "check", "rules", RULES)
    tool("amtool", "check-config", ALERTMANAGER)


@with_tools
@each
def test_an_alert_goes_to_who_is_told_of_its_severity(name: str) -> None:
    labels = {"alertname": name, **alerts()[name]["labels"]}
    pairs = [f"{key}={value}" for key, value in labels.items()]
    told = tool("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *pairs)
    assert told.strip() == labels["severity"]
