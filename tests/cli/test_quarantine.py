"""Claims about what `causeway quarantine show` advises, and about the commands of backup and restore."""

from pathlib import Path

import pytest

from causeway.v1 import quarantine_service_pb2 as service
from gateway.__main__ import main
from gateway.cli.quarantine import advice

READ, UNREAD, NONE = service.MAILBOX_READ, service.MAILBOX_UNREAD, service.MAILBOX_NONE


def seen(*, in_doubt: int = 0, mailbox: "service.Mailbox" = READ, unknown: int = 0) -> service.Quarantine:
    bank = service.QuarantinedBank(name="northbank", in_doubt_count=in_doubt, mailbox=mailbox)
    references = [service.UnknownReference(wire_reference=f"CW{n}") for n in range(unknown)]
    return service.Quarantine(active=True, banks=[bank], unknown_references=references)


def test_the_end_is_advised_only_when_all_is_decided() -> None:
    """First the mailboxes, then the doubts; whoever handed in what is unknown is told before the end."""
    assert "causeway quarantine end" in advice(seen())[-1]
    assert "causeway quarantine end" in advice(seen(mailbox=NONE))[-1]
    told = advice(seen(in_doubt=2, mailbox=UNREAD, unknown=1))
    assert ["northbank" in told[0], "2 payments" in told[1], "BEFORE" in told[2]] == [True, True, True]
    assert not any("quarantine end" in line for line in told)
    assert ["BEFORE" in line for line in advice(seen(unknown=1))] == [True, False]


def test_what_is_no_store_makes_no_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a store is named, with exit code 1, and nothing is made."""
    assert main(["backup", str(tmp_path), str(tmp_path.parent / "kept")]) == 1
    assert "holds no data.mdb" in capsys.readouterr().err
    assert not (tmp_path.parent / "kept").exists()


def test_what_is_no_backup_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for restore: no directory is left that a daemon would begin anew in."""
    assert main(["restore", str(tmp_path), str(tmp_path / "data")]) == 1
    assert "made by `causeway backup`" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
