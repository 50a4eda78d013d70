"""What a benchmark measures, in full and in its small form, and under which conditions it was measured."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from model.labels import DEFAULT_OPERATING_POINT
from model.store import current_name, read_manifest
from service.settings import load_settings
from tests.bench.contenders import CONTENDERS
from tests.bench.texts import MIXES
from training.energy import Meter

#: The two forms of Vigie, then the others.
VIGIE: Final = "vigie"
FULL: Final = "full"
NAMES: Final = {
    VIGIE: "**Vigie** (`vigie score`)",
    FULL: "**Vigie** sans premier regard (`--no-screen`)",
    **{key: contender.name for key, contender in CONTENDERS.items()},
}
#: What the worst case is measured with: the goals compare these, and the others do not depend on the texts.
_WORST_KEYS: Final = (VIGIE, FULL, "bare", "spacy")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    `rows` a mix (each contender reads its share of them, `full_share` for Vigie without its first look), `runs`
    repetitions of `mixes`, `workers` process counts, `sizes` rows of the growing files; `requests` timed one by one a run,
    `flood` requests from `clients` at once; `soak_rows` and `soak_requests`; memory is looked at `every` so many seconds.
    """

    small: bool
    rows: int
    full_share: float
    runs: int
    mixes: tuple[str, ...]
    workers: tuple[int, ...]
    sizes: tuple[int, ...]
    size_runs: int
    requests: int
    flood: int
    clients: int
    soak_rows: int
    soak_requests: int
    every: float

    def keys(self, mix: str) -> tuple[str, ...]:
        """The contenders of a mix."""
        return tuple(NAMES) if mix == "realistic" else _WORST_KEYS

    def rows_of(self, key: str, mix: str) -> int:
        """How many rows of a mix a contender reads; the first look spares nothing in the worst case."""
        if self.small:
            return self.rows
        first = 1.0 if mix == "realistic" else self.full_share
        share = {VIGIE: first, FULL: self.full_share} | {key: contender.share for key, contender in CONTENDERS.items()}
        return max(1, round(self.rows * share[key]))


COMPLETE: Final = Plan(
    small=False,
    rows=8_000,
    full_share=0.2,
    runs=3,
    mixes=tuple(MIXES),
    workers=(1, 2),
    sizes=(1_000, 10_000, 100_000, 1_000_000),
    size_runs=3,
    requests=1_000,
    flood=1_000,
    clients=4,
    soak_rows=300_000,
    soak_requests=50_000,
    every=0.5,
)
SMALL: Final = Plan(
    small=True,
    rows=3,
    full_share=1.0,
    runs=1,
    mixes=("realistic",),
    workers=(1,),
    sizes=(2,),
    size_runs=1,
    requests=3,
    flood=4,
    clients=2,
    soak_rows=5,
    soak_requests=5,
    every=0.02,
)


def conditions(plan: Plan) -> dict[str, Any]:
    """When, on what machine and with what model something is measured."""
    spent = Meter().read()
    root = load_settings().model_dir
    name = current_name(root)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "small": plan.small,
        "model": name,
        "first_look": read_manifest(root / name).get("first_look", {}).get(DEFAULT_OPERATING_POINT),
        "processor": spent.processor,
        "cores": spent.cores,
        "memory_bytes": spent.memory_bytes,
        "system": spent.system,
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def work_folder(plan: Plan) -> Path:
    """Where texts, outputs and tools of a benchmark are kept."""
    return Path("var") / ("bench-petit" if plan.small else "bench")
