"""The machine: folders to write in, room on disks, memory for the processes, clock and time zone, documents as PDF."""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from service.doctor.findings import Finding, careful, well, wrong
from service.settings import Settings
from service.workplace.times import PARIS, in_paris

_MEGABYTE: Final = 1_000_000
#: Bytes: below, nothing can be kept; and what is enough for a day of work.
_LEAST_ROOM: Final = 200 * _MEGABYTE
_GOOD_ROOM: Final = 2_000 * _MEGABYTE
#: Bytes of a process that serves: as it starts, and after days of work (docs/performances.md); of the one that watches several.
_AT_START: Final = 1_100 * _MEGABYTE
_AT_WORK: Final = 1_450 * _MEGABYTE
_SUPERVISOR: Final = 300 * _MEGABYTE
_SEEN: Final = "éàœ « » – 1 à 3 ✓"


def gigabytes(size: float) -> str:
    """A size in bytes as people read it: « 1,45 Go »."""
    return f"{size / 1e9:.2f} Go".replace(".", ",")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that this machine, or the container, has in all; and that can be had now."""

    total: int
    available: int


def memory_of(root: Path = Path("/")) -> Memory:
    """As the kernel tells, under `root`; a limit of the container's counts where it is smaller."""
    lines = (root / "proc" / "meminfo").read_text(encoding="ascii").splitlines()
    told = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    total, available = told["MemTotal"], told["MemAvailable"]
    group = root / "sys" / "fs" / "cgroup"
    try:
        limit, used = (int((group / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no limit is written « max »
        return Memory(total, available)
    return Memory(min(total, limit), min(available, max(0, limit - used)))


def look_at_memory(settings: Settings, memory: Memory, running: bool) -> Iterator[Finding]:
    """Memory against what so many processes were measured to need; `running`: the service has already taken its own."""
    check = "mémoire"
    beside = _SUPERVISOR if settings.workers > 1 else 0
    least, usual = settings.workers * _AT_START + beside, settings.workers * _AT_WORK + beside
    wanted = f"{settings.workers} processus : {gigabytes(least)} au départ, {gigabytes(usual)} au travail"
    fitting = max(1, (memory.total - _SUPERVISOR) // _AT_WORK)
    if memory.total < least:
        yield wrong(check, f"{wanted} ; la machine en a {gigabytes(memory.total)}.", f"Posez VIGIE_WORKERS={fitting} au plus.")
    elif memory.total < usual:
        remedy = f"VIGIE_WORKERS={fitting}, ou plus de mémoire : un changement de modèle en demande encore davantage."
        yield careful(check, f"{wanted} ; la machine en a {gigabytes(memory.total)}.", remedy)
    elif not running and memory.available < usual:
        remedy = "Arrêtez ce qui la prend, ou baissez VIGIE_WORKERS."
        yield careful(check, f"{wanted} ; {gigabytes(memory.available)} sont libres maintenant.", remedy)
    else:
        yield well(check, f"{wanted} ; {gigabytes(memory.total)} en tout, {gigabytes(memory.available)} libres.")


def look_at_folders(settings: Settings, database: Path | None) -> Iterator[Finding]:
    """The folders that the service writes in, and the room that they have; `database`: the file of a SQLite database."""
    written = {"imports et exports": settings.spool_dir, "fichier des purges": settings.purged_file.parent}
    if settings.audit_anchor is not None:
        written["têtes du journal d'audit"] = settings.audit_anchor.parent
    if database is not None:
        written["base"] = database.parent
    for name, folder in written.items():
        yield _writable(name, folder)
    size = database.stat().st_size if database is not None and database.exists() else 0
    seen: set[int] = set()
    for name, folder in written.items():
        place = _standing(folder)
        device = place.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield _room(name, place, size)


def _standing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _writable(name: str, folder: Path) -> Finding:
    check = f"dossier : {name}"
    place = _standing(folder)
    made = "" if place == folder.absolute() else " ; il sera fait"
    if not place.is_dir():
        return wrong(check, f"{folder} : {place} n'est pas un dossier.", "Retirez ce fichier, ou changez le réglage.")
    if not os.access(place, os.W_OK | os.X_OK):
        remedy = f"Rendez-le à l'utilisateur du service (« chown vigie: {place} ») ; sous systemd : ReadWritePaths."
        return wrong(check, f"{folder} : ce compte ne peut pas écrire dans {place}.", remedy)
    mode = place.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return careful(check, f"N'importe qui peut écrire dans {place} ({stat.S_IMODE(mode):o}).", f"« chmod o-w {place} ».")
    return well(check, f"{folder} peut être écrit{made}.")


def _room(name: str, place: Path, size: int) -> Finding:
    check = f"disque : {name}"
    free = shutil.disk_usage(place).free
    told = f"{gigabytes(free)} libres pour {place}"
    if free < _LEAST_ROOM:
        return wrong(check, f"{told} : plus rien ne pourra être enregistré.", "Libérez de la place.")
    if free < max(_GOOD_ROOM, 2 * size):
        return careful(
            check, f"{told} : moins que ce que veut un jour de travail.", "Libérez de la place : 2 Go, et deux fois la base."
        )
    return well(check, f"{told}.")


def look_at_time(at: datetime) -> Iterator[Finding]:
    """The clock against the age of this version, and the zone that days are cut in."""
    year, month = (int(part) for part in version("vigie").split(".")[:2])
    if at < datetime(year, month, 1, tzinfo=UTC):
        told = f"Il serait le {at:%d/%m/%Y}, avant la version {version('vigie')}."
        yield wrong("horloge", told, "Mettez la machine à l'heure (« timedatectl set-ntp true »).")
    else:
        yield well("horloge", f"{at:%Y-%m-%d %H:%M:%S} UTC.")
    if in_paris():
        yield well("fuseau", f"Jours et semaines comptés à {PARIS}.")
    else:
        told = f"La machine ne connaît pas le fuseau {PARIS} : jours et semaines seraient comptés en UTC."
        yield careful("fuseau", told, "Installez le paquet « tzdata ».")


def look_at_documents(at: datetime) -> Iterator[Finding]:
    """Set a page as PDF with the fonts that come along, as dossiers and observatory sheets are."""
    check = "documents PDF"
    try:
        from service.typeset import TypesetError, typeset

        made = typeset("glyphs.typ", {"said": _SEEN}, at=at)
    except ImportError as error:
        reason = str(error).splitlines()[0][:200]
    except TypesetError as error:
        reason = str(error)[:200]
    else:
        yield well(check, f"Une page d'essai est composée ({len(made) / 1e3:.0f} ko), polices comprises.")
        return
    remedy = "Réinstallez les bibliothèques figées (« make install »)."
    yield wrong(check, f"Aucun dossier ne pourra être exporté ({reason}).", remedy)
