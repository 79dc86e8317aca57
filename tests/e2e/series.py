"""Which series a process may show: what each label may be, and which must be there."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping

import grpc
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from mesh.cli.services import NAMES, service
from mesh.telemetry import storage
from mesh.telemetry.closed import DECLARED
from providers.settings import default_providers
from svc_stubs.native import PATHS
from tests.e2e.matrix import METHODS

PROVIDERS = tuple(default_providers())
# Loaded where a database is on a server, and only then declares its own.
SOMETIMES = (storage,)
# Those that come from the settings, as the wiring declares them.
BY_PROVIDER = ("token_consume_total", "token_pools_low", "provider_call_seconds")
_SERVICES = {method.service for method in METHODS}
_VERBS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
_BREAKERS = {
    *(f"provider:{provider}" for provider in PROVIDERS),
    *(f"{name}:{one}" for name in NAMES for one in _SERVICES),
    *(f"redis:{store}" for store in ("windows", "buckets")),
}
_CODES = {code.name for code in grpc.StatusCode}
# A template's segment is a word of the contract, or what stands for a value; never a value.
_WORDS = r"\.?[a-z]+\d?(?:[._-][a-z]+\d?)*"
_TEMPLATE = re.compile(rf"other|/|(?:/(?:{_WORDS}|{{\w+}}))+")
# The client tells of each series when it was made, as a metric of its own.
_CREATED = "_created"
Fits = Callable[[str], bool]


def _template(text: str) -> bool:
    return _TEMPLATE.fullmatch(text) is not None


def _status(text: str) -> bool:
    return re.fullmatch("[1-5][0-9][0-9]", text) is not None


_CALL: Mapping[str, Fits] = {
    "grpc_service": _SERVICES.__contains__,
    "grpc_method": {method.name for method in METHODS}.__contains__,
    "grpc_code": _CODES.__contains__,
}
_NAMED: Mapping[str, Fits] = {"service": NAMES.__contains__}
_CERTIFICATES: Mapping[str, Fits] = {"certificate": {"leaf", "root"}.__contains__}
# Those that are made as things happen, as all that could would be too many.
OPEN: Mapping[str, Mapping[str, Fits]] = {
    "grpc_server_handled": _CALL,
    "grpc_server_handling_seconds": _CALL,
    "grpc_client_handled": _CALL,
    "grpc_client_handling_seconds": _CALL,
    "http_server_requests_seconds": {
        "uri": _template,
        "method": _VERBS.__contains__,
        "status": _status,
    },
    "breaker_state": {"name": _BREAKERS.__contains__},
    "discovery_instances": _NAMED,
    "discovery_answer_age_seconds": _NAMED,
    "discovery_stale": _NAMED,
    "pki_certificate_expiry_timestamp_seconds": _CERTIFICATES,
    "pki_certificate_issued_timestamp_seconds": _CERTIFICATES,
    "stubs_answers": {"provider": PATHS.__contains__, "status": _status},
}


def declared() -> dict[str, Mapping[str, frozenset[str]]]:
    """The closed label sets of all services, by the metrics' families."""
    for name in NAMES:
        service(name)
    for name in BY_PROVIDER:
        DECLARED[name].admit("provider", PROVIDERS)
    return {name.removesuffix("_total"): closed.labels for name, closed in DECLARED.items()}


def families(text: str) -> list[Metric]:
    """What a process shows, but for what is Python's own and the kernel's."""
    return [
        family
        for family in text_string_to_metric_families(text)
        if not family.name.startswith(("python_", "process_"))
    ]


def strangers(text: str) -> Iterator[str]:
    """Samples with a label, or a label's value, that nobody has declared."""
    closed = declared()
    for family in families(text):
        name = family.name.removesuffix(_CREATED)
        sets = closed.get(name, {})
        fitting = {label: values.__contains__ for label, values in sets.items()}
        allowed: Mapping[str, Fits] = OPEN.get(name, fitting)
        for sample in family.samples:
            labels = {label: value for label, value in sample.labels.items() if label != "le"}
            fits = labels.keys() == allowed.keys()
            if not fits or not all(allowed[label](value) for label, value in labels.items()):
                yield f"{sample.name}{labels}"


def missing(text: str) -> Iterator[str]:
    """Declared series of the metrics shown that are not there yet."""
    closed = declared()
    for family in families(text):
        sets = closed.get(family.name)
        if sets is None:
            continue
        shown = {tuple(sample.labels.get(name) for name in sets) for sample in family.samples}
        for values in itertools.product(*sets.values()):
            if values not in shown:
                yield f"{family.name}{values}"
