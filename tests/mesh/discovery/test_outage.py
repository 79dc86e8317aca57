from structlog.testing import capture_logs

from mesh.discovery.outage import Outage

AWAY = ConnectionRefusedError("nobody there")


def test_an_outage_is_one_line_at_its_begin_and_one_at_its_end() -> None:
    outage = Outage()
    with capture_logs() as logs:
        outage.answered("token")
        for _ in range(3):
            for who in ("token", "auth"):
                outage.failed(who, AWAY)
        outage.answered("token")
        outage.failed("auth", AWAY)
        outage.answered("auth")
        outage.answered("auth")
    assert [log["log_level"] for log in logs] == ["warning", "info"]
    assert logs[0]["error"] == "nobody there"


def test_the_next_outage_is_told_of_again() -> None:
    outage = Outage()
    with capture_logs() as logs:
        for _ in range(2):
            outage.failed("token", AWAY)
            outage.answered("token")
    assert len(logs) == 4
