import asyncio

from mesh.cli.output import LONGEST, LineReader


def lines_of(*pieces: bytes) -> list[str]:
    async def read() -> list[str]:
        seen: list[str] = []
        reader = LineReader(seen.append)
        for piece in pieces:
            reader.data_received(piece)
        reader.connection_lost(None)
        assert reader.ended.is_set()
        return seen

    return asyncio.run(read())


def test_lines_are_put_together_from_pieces() -> None:
    assert lines_of(b"on", b"e\ntw", b"o\r\n\nthree") == ["one", "two", "", "three"]


def test_a_line_without_end_is_cut() -> None:
    assert [len(line) for line in lines_of(b"x" * (LONGEST + 1), b"y\n")] == [LONGEST + 1, 1]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert lines_of(b"\xff\xfe ok\n") == ["\ufffd\ufffd ok"]
