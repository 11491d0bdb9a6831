"""The plugin, as a user's test suite meets it: in a pytest of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = "pytester"
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # pytester moves the home directory


def test_a_ring_for_each_test_and_nothing_afterwards(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pathlib, pytest, ringlog
        from ringlog.testing import force_overrun

        seen = []

        def test_a_consumer(ring):
            seen.append(ring.path)
            writer, reader = ring.writer(), ring.reader()
            assert writer.append(b"tick") == 0
            lost = force_overrun(reader)
            with pytest.raises(ringlog.Overrun) as caught:
                reader.read(timeout=0)
            assert (caught.value.first, caught.value.last) == (lost[0], lost[-1])

        def test_another(ring, make_ring):
            assert not pathlib.Path(seen[0]).parent.exists()
            assert ring.info().event_count == 0
            other = make_ring(capacity=1 << 17, max_readers=2)
            assert other.path != ring.path
            assert other.info().capacity == 1 << 17
            seen.extend([ring.path, other.path])

        def test_they_are_gone():
            assert len(seen) == 3
            assert not any(pathlib.Path(path).parent.exists() for path in seen)
    """)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error").assert_outcomes(passed=3)


@pytest.mark.once
def test_a_failing_test_cleans_up_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_fails(ring, tmp_path_factory):
            (tmp_path_factory.getbasetemp().parent / "where").write_text(ring.path)
            ring.writer().claim(10).__enter__()
            assert False
    """)
    base = pytester.path / "base"
    pytester.runpytest_subprocess("-p", "no:cacheprovider", f"--basetemp={base}").assert_outcomes(failed=1)
    assert not Path((pytester.path / "where").read_text()).parent.exists()


@pytest.mark.once
def test_a_users_own_fixture_of_that_name_wins(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef ring(): return 'mine'")
    pytester.makepyfile("def test_it(ring): assert ring == 'mine'")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_run_without_rings_imports_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_it(request):
            assert request.config.pluginmanager.hasplugin("ringlog")
            assert [name for name in sys.modules if name.partition(".")[0] == "ringlog"] == []
    """)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.once
def test_the_fixtures_say_what_they_are(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    said = pytester.runpytest_subprocess("--fixtures", "-p", "no:cacheprovider")
    said.stdout.fnmatch_lines(["make_ring*", "ring*pytest_ringlog.py*"])
    said.stdout.no_fnmatch_line("*no docstring available*")


@pytest.mark.once
def test_writers_of_a_test_module_are_killed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", CACHE)
    pytester.makepyfile("""
        import pytest, ringlog
        from ringlog.testing import PointNotReached, kill_writer_at

        def write(path):
            with ringlog.Writer(path) as writer:
                writer.append_many([b"a", b"b"])
                writer.append(b"c")

        def test_a_batch_is_whole_or_not_there(ring):
            kill_writer_at("item_put", ring, write, hits=2)
            assert ring.info().event_count == 0
            kill_writer_at("head_stored", ring, write)
            assert [event.data for event in ring.reader().read_many()] == [b"a", b"b"]
    """)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
