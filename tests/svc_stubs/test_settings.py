from pathlib import Path

import pytest

from mesh.settings import Live
from mesh.settings.source import SettingsError, load
from svc_stubs.ports import PaymentTrouble, Trouble
from svc_stubs.settings import StubsSettings


def test_the_documented_ports() -> None:
    settings = load(StubsSettings, {"LEAKY_STUBS_GEMINI_HTTP_PORT": "9999"}, {})
    assert [settings.http_port(name) for name in ("qwen", "gemini", "openai")] == [8091, 9999, 8093]
    assert settings.stubs.grpc_port == 9091


def test_faults_are_switched_while_running_for_all_or_for_one(tmp_path: Path) -> None:
    live = Live.read(StubsSettings, {"LEAKY_DATA": str(tmp_path)})
    assert live.current.trouble("qwen") == Trouble()
    live.apply(
        {
            "stubs.faults.delay": "50ms",
            "stubs.openai.faults.hang": "true",
            "stubs.openai.faults.status": "503",
            "stubs.payment.decline": "true",
            "stubs.payment.delay": "2s",
            "stubs.payment.lose-answer": "30",
        }
    )
    assert live.current.trouble("openai") == Trouble(delay=0.05, status=503, hang=True)
    assert live.current.trouble("qwen") == Trouble(delay=0.05)
    assert live.current.payment_trouble == PaymentTrouble(decline=True, delay=2, lose_answer=30)
    live.apply({})
    assert live.current.trouble("openai") == Trouble()
    assert live.current.payment_trouble == PaymentTrouble()


def test_a_port_does_not_move_while_running(tmp_path: Path) -> None:
    live = Live.read(StubsSettings, {"LEAKY_DATA": str(tmp_path)})
    live.apply({"stubs.openai.http-port": "1234"})
    assert live.current.http_port("openai") == 8093


def test_a_status_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"stubs\.faults\.status"):
        load(StubsSettings, {}, {"stubs.faults.status": "99"})


def test_the_books_are_under_the_data_folder_unless_set() -> None:
    assert load(StubsSettings, {"LEAKY_DATA": "/d"}, {}).store_url == "sqlite:////d/stubs.db"
    assert load(StubsSettings, {"LEAKY_STUBS_STORE": "sqlite:///x"}, {}).store_url == "sqlite:///x"
