"""Reads a README: what a reader pastes, and what must come back.

- A `##` heading begins a section. Its blocks run in order, in one shell, on the
  system that the comment `<!-- system: local -->` or `secure` names.
- A `bash` or `python` block is run. The next block, `json` or `text`, is what it
  prints; JSON is compared as a document, text without regard to spaces and rules.
- After `<!-- eventually -->` the block is run until it prints that.
- A `sh` block is shown and not run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

RUN = {"bash", "python"}
ANSWERS = {"json", "text"}
SHOWN = "sh"
_COMMENT = re.compile(r"<!-- (?:(system): (local|secure)|(eventually)) -->")


class ReadmeError(Exception):
    """A README that the rules above do not allow; the message names the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block; `line` is where its text begins."""

    language: str
    text: str
    line: int
    section: str
    system: str
    eventually: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is run, and what it prints."""

    run: Block
    answer: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Steps that share a shell."""

    title: str
    system: str
    steps: tuple[Step, ...]


def sections(text: str) -> list[Section]:
    """The sections with something to run. Raises ReadmeError."""
    found: dict[str, list[Step]] = {}
    systems: dict[str, str] = {}
    for step in _steps(text):
        found.setdefault(step.run.section, []).append(step)
        systems.setdefault(step.run.section, step.run.system)
    if not found:
        raise ReadmeError("there is nothing to run")
    return [
        Section(title=title, system=systems[title], steps=tuple(steps))
        for title, steps in found.items()
    ]


def shown(text: str) -> list[str]:
    """The blocks that are shown and not run."""
    return [block.text for block in _blocks(text) if block.language == SHOWN]


def _steps(text: str) -> Iterator[Step]:
    run: Block | None = None
    for block in _blocks(text):
        if block.language == SHOWN:
            continue
        if block.language in RUN:
            if run is not None:
                raise ReadmeError(f"line {run.line}: nothing says what this prints")
            if not block.system:
                raise ReadmeError(f"line {block.line}: no comment says on which system")
            run = block
        elif run is None or not block.text.strip():
            raise ReadmeError(f"line {block.line}: an answer to nothing, or an empty one")
        elif run.section != block.section:
            raise ReadmeError(f"line {run.line}: its answer is in another section")
        else:
            yield Step(run=run, answer=block)
            run = None
    if run is not None:
        raise ReadmeError(f"line {run.line}: nothing says what this prints")


def _blocks(text: str) -> Iterator[Block]:
    section = system = ""
    eventually = False
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        comment = _COMMENT.fullmatch(line.strip())
        if line.startswith("## "):
            section, system = line.removeprefix("## "), ""
        elif comment:
            system, eventually = comment[2] or system, bool(comment[3])
        elif line.startswith("```"):
            yield Block(
                language=_language(line, number),
                text="\n".join(_inside(lines, number)),
                line=number + 1,
                section=section,
                system=system,
                eventually=eventually,
            )
            eventually = False


def _language(line: str, number: int) -> str:
    language = line.removeprefix("```").strip()
    if language not in {*RUN, *ANSWERS, SHOWN}:
        raise ReadmeError(f"line {number}: a block of {language or 'no language'}")
    return language


def _inside(lines: Iterator[tuple[int, str]], begun: int) -> Iterator[str]:
    for _, line in lines:
        if line.startswith("```"):
            return
        yield line
    raise ReadmeError(f"line {begun}: a block without an end")
