from mesh.telemetry.quiet import Quiet


def test_one_line_a_second() -> None:
    now = [100.0]
    quiet = Quiet(lambda: now[0])
    assert [quiet.lets() for _ in range(3)] == [True, False, False]
    now[0] = 100.9
    assert not quiet.lets()
    now[0] = 101.0
    assert [quiet.lets() for _ in range(2)] == [True, False]
