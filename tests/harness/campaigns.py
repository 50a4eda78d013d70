"""How long campaigns take to be found, and in how much memory: `python -m tests.harness.campaigns 10000 100000`.

Texts of some thirty words are made up: sellers of one to forty posts with a number of their own, each post an edit of an
earlier one; they go through the ordinary reception, index and linking, in lots.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine, func, select, update

from service.campaigns.schema import CAMPAIGNS
from service.campaigns.work import link_waiting
from service.database import open_database
from service.workplace.items import Received, add_items
from service.workplace.schema import ITEMS
from service.workplace.similar import index_all

_LOT = 500
_WORDS = 30


def main() -> None:
    """Print a line for each size: seconds since the start, milliseconds of processor a text since the last line, peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+", help="nombres de textes, croissants")
    parser.add_argument("--url", help="base de données ; par défaut un fichier SQLite passager")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(asked.url or f"sqlite:///{Path(folder) / 'vigie.db'}")
        _run(engine, sorted(asked.sizes))
        engine.dispose()


def _run(engine: Engine, sizes: list[int]) -> None:
    chance = random.Random(1)
    vocabulary = [
        f"{a}{b}{c}" for a in "bcdflmprst" for b in ("a", "eau", "i", "on", "ou") for c in ("ler", "mie", "rat", "sine", "te")
    ]
    seller, left, words = 0, 0, [""]
    done, last, begun, before = 0, 0, time.monotonic(), time.process_time()
    for size in sizes:
        while done < size:
            lot: list[Received] = []
            while len(lot) < min(_LOT, size - done):
                if not left:
                    seller, left = seller + 1, min(40, int(chance.paretovariate(1.1)))
                    words = chance.choices(vocabulary, k=_WORDS)
                left -= 1
                words[chance.randrange(_WORDS)] = chance.choice(vocabulary)
                number = f"06 {seller // 10**6 % 100:02} {seller // 10**4 % 100:02} {seller // 100 % 100:02} {seller % 100:02}"
                lot.append(Received(f"{' '.join(words)}, {len(lot)}. Tél. {number}", source="essai", channel="ad"))
            with engine.begin() as connection:
                added = add_items(connection, lot)
                index_all(connection, {one.id: received.text for one, received in zip(added, lot, strict=True)})
                read = update(ITEMS).where(ITEMS.c.id.in_([one.id for one in added]))
                connection.execute(read.values(model_version="m", stance="promotes", level=1))
            while link_waiting(engine):
                pass
            done += len(lot)
        with engine.connect() as connection:
            found = connection.execute(select(func.count()).where(CAMPAIGNS.c.texts > 1)).scalar_one()
        each = 1_000 * (time.process_time() - before) / max(1, done - last)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
        total = time.monotonic() - begun
        sys.stdout.write(
            f"{done} textes : {total:.0f} s, {each:.1f} ms de processeur par texte, {peak:.0f} Mo au plus, {found} campagnes\n"
        )
        sys.stdout.flush()
        last, before = done, time.process_time()


if __name__ == "__main__":
    main()
