"""A diagonal of the disk matrix (tests/campaign/disk.py has all of it). Map-full, growth and shedding are claimed by
tests/store/test_writer.py, records found torn by their checksum and never sent by tests/store/test_corruption.py."""

from pathlib import Path

import pytest

from tests.campaign.disk import complaints, diagonal, played, recorded
from tests.campaign.strace import CALLS, Event, Fault, missing, run

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return recorded(tmp_path_factory.mktemp("disk"))


def test_the_store_writes_through_calls_that_are_made_to_fail(calls: list[Event]) -> None:
    """LMDB's flushes and commits are among the calls of the matrix: it does not look past what really happens."""
    assert {"fdatasync", "pwrite64"} <= {event.call for event in calls} <= set(CALLS)
    assert any(event.commits for event in calls)


@pytest.mark.parametrize("place", range(16))
def test_a_failing_device_breaks_no_promise(calls: list[Event], place: int, tmp_path: Path) -> None:
    """Whatever call fails: what was acknowledged is there, nothing is there in part, and a store that cannot know
    what is durable ends the process within a second and tells nobody anything more."""
    fault = list(diagonal(calls))[place]
    data = tmp_path / str(fault)
    assert list(complaints(fault, played(data, fault), data)) == []


@pytest.mark.parametrize("call", ["pwrite64", "writev", "fdatasync"])
def test_a_new_directory_on_a_failing_device_is_refused_plainly(call: str, tmp_path: Path) -> None:
    """A store that cannot be made: nothing is acknowledged, and the start says that the directory is unusable, which
    the daemon tells in a sentence (DataDirectoryUnusable). Where it is tried again, it is made."""
    data = tmp_path / "new"
    data.mkdir()
    ended = run("tests.campaign.disk_workload", [str(data)], data, Fault(call, "EIO", 1))
    assert ended.returncode != 0
    assert not ended.lines
    assert f"DataDirectoryUnusable: {data}" in ended.errors
    assert run("tests.campaign.disk_workload", [str(data)], data, None).lines[-1] == "end"
