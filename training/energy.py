"""What a training took: time, processor time, peak memory, an estimate of the energy, and on what machine.

None of it decides a prediction, and none of it enters an artefact's name.
"""

import os
import platform
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

if sys.platform != "win32":
    import resource

#: Power of one busy core, in watts: the thermal design power of current processors over their cores goes from 4 (large
#: servers) to 15 (office machines).
CORE_WATTS: Final = 10.0
CORE_WATTS_RANGE: Final = (4.0, 15.0)
#: Power of memory, in watts a GiB (Lannelongue, Grealey and Inouye, Green Algorithms, Advanced Science 2021).
MEMORY_WATTS: Final = 0.3725
_GIB: Final = 1 << 30
_HOUR: Final = 3600.0
_LOOK_EVERY: Final = 0.5
_CPUINFO: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Spent:
    """Elapsed and processor seconds, peak resident memory in bytes (None: not known), and the machine.

    Processes that were started and waited for are counted with this one.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int | None
    processor: str
    cores: int
    memory_bytes: int | None
    system: str

    def watt_hours(self, core_watts: float = CORE_WATTS) -> float:
        """Estimate of the energy of processor and memory, without cooling, screen or disk."""
        memory = (self.peak_bytes or 0) / _GIB * MEMORY_WATTS * self.seconds
        return (self.cpu_seconds * core_watts + memory) / _HOUR

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the estimate of the energy and what it assumes."""
        rounded = {name: round(value, 1) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return rounded | {
            "energy_wh": round(self.watt_hours(), 3),
            "assumed_watts_per_core": CORE_WATTS,
            "assumed_watts_per_gib": MEMORY_WATTS,
        }


class Meter:
    """Counts from its making; `read` ends it.

    Memory is looked at twice a second, from a thread that ends with the process.
    """

    def __init__(self) -> None:
        self._seconds = time.perf_counter()
        self._cpu_seconds = _cpu_seconds()
        self._peak = 0
        self._done = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_EVERY):
            self._peak = max(self._peak, _resident_bytes())

    def read(self) -> Spent:
        """What was spent since."""
        self._done.set()
        own = _own_peak_bytes()
        return Spent(
            time.perf_counter() - self._seconds,
            _cpu_seconds() - self._cpu_seconds,
            max(own, self._peak) if own is not None else None,
            _processor(),
            os.cpu_count() or 1,
            _memory_bytes(),
            f"{platform.system()} {platform.machine()}",
        )


def _cpu_seconds() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _own_peak_bytes() -> int | None:
    if sys.platform == "win32":
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes but on macOS


def _resident_bytes() -> int:
    """Resident memory of this process and of its children at this moment; what they share is counted for each. 0: unknown."""
    found = 0
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    try:
        for number in (str(os.getpid()), *children.read_text(encoding="ascii").split()):
            found += int(Path(f"/proc/{number}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        # Not Linux, or a child that has just ended.
        return found
    return found


def _processor() -> str:
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    if sys.platform == "win32":
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
