import itertools
from pathlib import Path

import pytest

from bench.locust.command import command, environment
from bench.locust.options import ALL, parse
from bench.locust.scenario import SCENARIOS


def test_without_more_it_is_a_local_demo_with_accounts_of_its_own() -> None:
    options = parse(["consume"])
    assert options.scenarios == ("consume",)
    assert options.base_url == "http://127.0.0.1:8080"
    assert not options.credentials.given
    assert options.credentials.kind == "own users, with an API key each"


def test_all_are_six() -> None:
    assert parse([ALL]).scenarios == tuple(SCENARIOS)
    assert len(SCENARIOS) == 6


def test_everything_is_settable_and_reaches_locust() -> None:
    given = {
        "users": "7",
        "ramp": "2.5",
        "duration": "1m30s",
        "base-url": "http://127.0.0.1:1234/",
        "api-key": "leaky_x",
        "user-id": "u1",
        "provider": "qwen",
        "tokens": "11",
        "limit": "99",
        "rate": "0.5",
        "batch": "3",
    }
    options = parse(
        ["quota", *(word for name, text in given.items() for word in (f"--{name}", text))]
    )
    words = command(options, "quota", Path("figures"), None)
    after = dict(itertools.pairwise(words))
    assert "QuotaCheck" in words
    assert "--headless" in words
    expected = {
        "--users": "7",
        "--spawn-rate": "2.5",
        "--run-time": "1m30s",
        "--limit": "99",
        "--host": "http://127.0.0.1:1234",
        "--user-id": "u1",
        "--provider": "qwen",
        "--tokens": "11",
        "--rate": "0.5",
        "--batch": "3",
        "--figures": "figures",
    }
    assert after.items() >= expected.items()


@pytest.mark.parametrize(
    ("words", "users"), [("login", "20"), ("login --up", "10"), ("quota --up", "20")]
)
def test_a_system_of_its_own_gets_no_more_logins_at_once_than_it_takes(
    words: str, users: str
) -> None:
    options = parse(words.split())
    given = command(options, options.scenarios[0], Path("figures"), None)
    assert given[given.index("--users") + 1] == users


def test_credentials_are_in_no_command_line_and_in_no_text_of_the_options() -> None:
    for words in (
        ["--api-key", "sesame"],
        ["--bearer-token", "sesame"],
        ["--username", "ada", "--password", "sesame"],
    ):
        options = parse(["consume", *words])
        assert "sesame" not in repr(options)
        assert "sesame" not in " ".join(command(options, "consume", Path("f"), None))
        assert "sesame" in environment(options).values()


def test_the_page_is_served_on_this_machine_alone() -> None:
    words = command(parse(["login", "--web", "--web-port", "1234"]), "login", Path("f"), None)
    assert "--headless" not in words
    assert words[words.index("--web-host") + 1] == "127.0.0.1"
    assert words[words.index("--web-port") + 1] == "1234"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required"),
        (["swim"], "invalid choice"),
        (["consume", "--users", "0"], "at least 1"),
        (["consume", "--ramp", "0"], "above 0"),
        (["consume", "--duration", "soon"], "no duration"),
        (["consume", "--duration", ""], "no duration"),
        (["consume", "--base-url", "ftp://127.0.0.1"], "no http URL"),
        (["consume", "--base-url", "https://api.example.com"], "give a credential"),
        (["consume", "--username", "ada"], "go together"),
        (["consume", "--api-key", "a", "--bearer-token", "b"], "give an API key, a bearer"),
        (["login", "--api-key", "a"], "login wants"),
        (["consume", "quota", "--web"], "one scenario"),
        (["consume", "--report", "x.txt"], "ends in .md or .json"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_another_machine_is_loaded_with_a_credential() -> None:
    options = parse(["consume", "--base-url", "https://api.example.com", "--api-key", "a"])
    assert options.base_url == "https://api.example.com"
