"""What the processes use, read from /proc (proc(5)): CPU seconds, resident memory."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Use:
    """Of one process, all its threads, since its start."""

    user_s: float
    system_s: float
    resident_bytes: int
    anonymous_bytes: int
    """Of these what is the process's own: without the pages of the store's file that happen to be mapped."""

    @property
    def cpu_s(self) -> float:
        return self.user_s + self.system_s


def core_busy_s(core: int | None) -> float:
    """Seconds a core has worked since boot, for whomever; 0.0 for no core."""
    line = next((line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} ")), "")
    fields = [int(field) for field in line.split()[1:8]]
    if not fields:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq = fields
    return (user + nice + system + irq + softirq) / _TICKS_PER_S


def use_of(pid: int) -> Use:
    """Zeros for a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        pages_text = Path(f"/proc/{pid}/statm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return Use(0.0, 0.0, 0, 0)
    fields = text.rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    _, resident, of_files, *_ = map(int, pages_text.split())
    return Use(user / _TICKS_PER_S, system / _TICKS_PER_S, resident * _PAGE_BYTES, (resident - of_files) * _PAGE_BYTES)
