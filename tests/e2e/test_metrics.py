"""Every sample of every process has labels of declared sets; what callers send is in none."""

import math
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

# Their metrics are declared when they are loaded.
import mesh.runtime
import mesh.storage.group_commit
import svc_analytics.wiring
import svc_auth.wiring
import svc_gateway.wiring
import svc_stubs.wiring
import svc_token.wiring
from mesh.rpc.method import methods_of
from mesh.telemetry.closed import DECLARED
from svc_stubs.native import PATHS
from svc_token.metrics import declare
from svc_token.settings import TokenSettings
from tests.e2e.matrix import ROUTES
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
PROCESSES = {
    "gateway": svc_gateway.wiring,
    "auth": svc_auth.wiring,
    "token": svc_token.wiring,
    "analytics": svc_analytics.wiring,
    "stubs.openai": svc_stubs.wiring,
}
PROVIDERS = ("openai", "gemini", "qwen")
SERVICES = ("gateway", "auth", "token", "analytics", "stubs")
