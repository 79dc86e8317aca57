"""Who gets which certificate, and who holds the key of the CA, as the compose files say."""

import re

from mesh.cli.services import NAMES as SERVICES
from tests.compose.files import COMPOSE, ours, read, volumes

DOCKERFILE = (COMPOSE / "Dockerfile").read_text().replace("\\\n", " ")


def test_each_service_reads_its_own_certificate_and_no_other() -> None:
    for one in read("full")["services"].values():
        match one.get("command"):
            case ["serve", service]:
                seen = {v: w for v, w in volumes(one).items() if v.startswith("pki-")}
                own = {f"pki-{service}": f"/pki/{service}:ro"}
                # Where commands are run that show the operator's.
                operators = {"pki-operator": "/pki/operator:ro"} if service == "token" else {}
                assert seen == own | operators
                assert one["environment"]["LEAKY_PKI_LEAVES"] == "/pki"
                assert one["depends_on"]["pki"] == {"condition": "service_healthy"}


def test_the_key_of_the_ca_is_where_certificates_are_made_and_talks_to_nobody() -> None:
    holders = {name: one for name, one in ours().items() if "pki-ca" in volumes(one)}
    assert holders.keys() == {"full/pki-init", "full/pki"}
    assert {one["network_mode"] for one in holders.values()} == {"none"}
    issuer = holders["full/pki"]
    names = [word for word in issuer["command"][2:] if not word.startswith("--")]
    assert set(names) == {*SERVICES, "operator"}
    given = {f"pki-{name}": f"/pki/{name}" for name in names}
    assert volumes(issuer) == {"pki-ca": "/data", **given}
    made = re.search(r"install --directory (.*)", DOCKERFILE)
    assert made
    assert {"/pki", *given.values()} <= set(made[1].split())


def test_who_makes_certificates_and_who_reads_them_go_by_the_same_settings() -> None:
    services = read("full")["services"]
    told = {
        name: {k: v for k, v in one["environment"].items() if k.startswith("LEAKY_PKI_")}
        for name, one in services.items()
        if name.startswith("pki") or one.get("command", [""])[0] == "serve"
    }
    assert {"pki", "pki-init", "gateway"} < told.keys()
    assert told["pki"].keys() >= {"LEAKY_PKI_TRUST_DOMAIN", "LEAKY_PKI_LEAF_TTL"}
    assert [name for name, given in told.items() if given != told["pki"]] == []


def test_consul_can_ask_for_health_without_a_certificate() -> None:
    for one in read("full")["services"].values():
        if one.get("command", [""])[0] == "serve":
            assert one["environment"]["LEAKY_MESH_HEALTH_ADDRESS"] == "0.0.0.0"  # noqa: S104
