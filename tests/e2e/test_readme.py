"""The README is true: what a reader pastes answers as it is written there."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.likeness import Likeness
from tests.e2e.readme import ReadmeError, Section, Step, sections, shown
from tests.e2e.system import System
from tests.e2e.terminal import ROOT, Terminal

README = (ROOT / "README.md").read_text()
EVENTUALLY_SECONDS = 5.0


def problems(terminal: Terminal, section: Section) -> Iterator[str]:
    """What in a section is not as it is written, by line."""
    likeness = Likeness()
    for step in section.steps:
        found = _problems(terminal, step, likeness)
        deadline = time.monotonic() + EVENTUALLY_SECONDS
        while found and step.run.eventually and time.monotonic() < deadline:
            time.sleep(0.05)
            found = _problems(terminal, step, likeness)
        yield from (f"README.md:{step.run.line}: {problem}" for problem in found)


def _problems(terminal: Terminal, step: Step, likeness: Likeness) -> list[str]:
    output = terminal.run(step.run)
    found = likeness.differences(step.answer.language, step.answer.text, output.out)
    if output.status:
        found.append(f"ended with {output.status}")
    # What it said to stderr is not part of the answer, and explains it.
    return [*found, output.err] if found and output.err else found


@pytest.mark.e2e
def test_the_readme_is_true(tmp_path: Path) -> None:
    found: list[str] = []
    system, profile = System(tmp_path / "data", {}), ""
    with ExitStack() as stack:
        for number, section in enumerate(sections(README)):
            if section.system != profile:
                profile = section.system
                system.end()
                # The same data and ports, as for a reader who starts it again.
                system.env["LEAKY_PROFILE"] = profile
                system.start()
                stack.callback(system.end)
            with Terminal(tmp_path / str(number), system) as terminal:
                found += problems(terminal, section)
    assert found == []


def test_set_up_is_two_commands() -> None:
    set_up = README.split("## Set up")[1].split("\n## ")[0]
    assert shown(set_up) == ["make run", "make test"]
    assert shown(README) == [
        "make run",
        "make test",
        "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest",
        "make load SCENARIO=consume",
        'make run ARGS="--profile secure"',
        "make run-full",
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^run:.*\n\t@exec \$\(BIN\)/leaky up \$\(ARGS\)$", makefile, re.MULTILINE)
    assert re.search(r"^test:.*\n\t.* -m pytest", makefile, re.MULTILINE)
    assert re.search(r"^run-full:.*\n\t@exec scripts/run-full.sh", makefile, re.MULTILINE)


@pytest.mark.e2e
def test_the_stand_ins_answer_as_the_real_ones(local: System, tmp_path: Path) -> None:
    steps = [step for section in sections(README) for step in section.steps]
    status, chat, listing = (
        next(step for step in steps if part in step.run.text)
        for part in ("/tokens/status", "/chat", "9082 list")
    )
    call = 'grpcurl -plaintext -H "a: b" 127.0.0.1:9082 leaky.token.v1.QuotaService/GetStatus'
    asked = replace(status, run=replace(status.run, text=call))
    refused = replace(
        status,
        run=replace(
            status.run, text="curl -s -X PUT http://127.0.0.1:8080/x -w ' %{http_code}\\n'"
        ),
        answer=replace(status.answer, language="text", text="404"),
    )
    with Terminal(tmp_path / "clone", local, stand_ins=True) as terminal:
        for step in (status, chat, listing, asked):
            assert _problems(terminal, step, Likeness()) == []
        assert terminal.run(refused.run).out.split()[-1] == "404"


@pytest.mark.e2e
def test_paths_outside_the_contracts_are_where_the_pages_say(local: System) -> None:
    page = (ROOT / "docs" / "api.md").read_text().split("## On every REST port")[1]
    paths = re.findall(r"`(/[^`]+)`", page.split("\n\nIn `secure`")[0])
    assert len(paths) == 11
    ports = [name.removesuffix(".http-port") for name in local.ports if name.endswith("http-port")]
    wrong = []
    for service in ports:
        with local.client(service) as client:
            answers = {path: client.get(path, follow_redirects=True) for path in paths}
            wrong += [(service, path) for path, got in answers.items() if got.status_code != 200]
            jwks = client.get("/oauth2/jwks").status_code
            assert jwks == (200 if service == "auth" else 404)
    assert wrong == []


PLANTED = """
## One
<!-- system: local -->
```bash
echo '{"id": "5cbaf903-0c29-4d90-86aa-0fc33e41c590", "n": 1}'; X=7
```
```json
{"n": 1, "id": "00000000-0000-0000-0000-000000000001"}
```
```python
print("http://127.0.0.1:8080")
```
```text
http://127.0.0.1:8080
```
```bash
echo $X; echo 5cbaf903-0c29-4d90-86aa-0fc33e41c590
```
```text
7
00000000-0000-0000-0000-000000000001
```
"""
WRONG = {
    "a number": ('"n": 1, "id"', '"n": 2, "id"'),
    "a number that is another kind": ('"n": 1, "id"', '"n": 1.0, "id"'),
    "a key": ('{"n": 1, "id"', '{"m": 1, "id"'),
    "a key too many": ('{"n": 1, "id"', '{"n": 1, "m": 1, "id"'),
    "a key too few": ('{"n": 1, "id"', '{"id"'),
    "no UUID": ('"00000000-0000-0000-0000-000000000001"', '"1"'),
    "another UUID than before": ("\n7\n00000000-0000-0000-0000-000000000001", "\n7\n" + 36 * "0"),
    "text": ("\n7\n", "\n8\n"),
    "a port": ("http://127.0.0.1:8080\n", "http://127.0.0.1:8081\n"),
    "no JSON": ('{"n": 1, "id"', '"n": 1, "id"'),
}


def _planted(tmp_path: Path, text: str) -> list[str]:
    [section] = sections(text)
    with Terminal(tmp_path / "clone", System(tmp_path / "data", {})) as terminal:
        return list(problems(terminal, section))


def test_a_true_readme_passes(tmp_path: Path) -> None:
    assert _planted(tmp_path, PLANTED) == []


@pytest.mark.parametrize(("true", "wrong"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_seen(tmp_path: Path, true: str, wrong: str) -> None:
    assert PLANTED.count(true) == 1
    assert _planted(tmp_path, PLANTED.replace(true, wrong)) != []


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    failing = PLANTED.replace("590\n```\n```text\n7", "590; false\n```\n```text\n7")
    assert [line.split(": ")[1] for line in _planted(tmp_path, failing)] == ["ended with 1"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing to run"),
        ("## A\n```sh\nmake run\n```\n", "nothing to run"),
        ("## A\n<!-- system: local -->\n```bash\nls\n```\n", "nothing says what this prints"),
        (PLANTED + "```bash\nls\n```\n", "nothing says what this prints"),
        (PLANTED + "```bash\nls\n```\n```bash\nls\n```\n", "nothing says what this prints"),
        (PLANTED + "```bash\nls\n```\n## B\n```text\nx\n```\n", "another section"),
        (PLANTED + "```bash\nls\n```\n```text\n\n```\n", "an empty one"),
        (PLANTED + "```json\n{}\n```\n", "an answer to nothing"),
        (PLANTED + "```shell\nls\n```\n", "a block of shell"),
        (PLANTED + "```\nls\n```\n", "a block of no language"),
        (PLANTED + "```sh\nls\n", "without an end"),
        ("## A\n```bash\nls\n```\n```text\nx\n```\n", "on which system"),
        (PLANTED + "## B\n```bash\nls\n```\n```text\nx\n```\n", "on which system"),
    ],
)
def test_a_readme_against_the_rules_is_refused(text: str, why: str) -> None:
    with pytest.raises(ReadmeError, match=why):
        sections(text)


@pytest.mark.parametrize(
    ("documented", "actual", "same"),
    [
        ("2026-01-01T00:00:00Z", "2027-02-03T04:05:06.789Z", True),
        ("2026-01-01T00:00:00Z", "2027-02-03 04:05:06", False),
        ("eyJhbGciOi…", "eyJhbGciOi.eyJh.x-y_z", True),
        ("eyJhbGciOi…", "xyJhbGciOi.eyJh.x-y_z", False),
        (f"leaky_{36 * '0'}_x", f"leaky_{36 * '0'}_x", True),
        ("f1798e71d543b99c7ba336ee44bacbbf", "0" * 32, True),
        ("f1798e71d543b99c7ba336ee44bacbbf", "0" * 31, False),
        ("ended, pid 12", "ended, pid 3456", True),
        ("took 12", "took 3456", False),
        ("┏━━━┓\n│ a │ 12 │", "┏━━━━━━━┓\n│ a     │ 3456   │", True),
        ("┏━━━┓\n│ a │ 12 │", "┏━━━━━━━┓\n│ b     │ 3456   │", False),
    ],
)
def test_what_each_run_makes_anew_is_compared_by_kind(
    documented: str, actual: str, *, same: bool
) -> None:
    assert (Likeness().differences("text", documented, actual) == []) is same


def test_two_ids_of_a_run_are_two_in_the_readme() -> None:
    one, two = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
    assert Likeness().differences("text", f"{one} {two}", f"{two} {one}") == []
    assert Likeness().differences("text", f"{one} {one}", f"{one} {two}") != []
    assert Likeness().differences("text", f"{one} {two}", f"{one} {one}") != []
