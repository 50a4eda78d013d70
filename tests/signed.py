"""Models under other names, signed as the operator of this checkout would."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from model.signing import SigningKey
from model.store import MANIFEST, SIGNATURE
from service.settings import Settings


def signer() -> SigningKey:
    """The key that signs here."""
    return Settings().keys.signer()


def rewritten(folder: Path, key: SigningKey | None = None, **changes: Any) -> Path:
    """Change the manifest of an artefact and sign it anew."""
    path = folder / MANIFEST
    content = (json.dumps(json.loads(path.read_bytes()) | changes, ensure_ascii=False, indent=2) + "\n").encode()
    for name, written in ((MANIFEST, content), (SIGNATURE, (key or signer()).sign(content))):
        # A new file: a copy may share its content with the original.
        temporary = folder.parent / f".{name}.new"
        temporary.write_bytes(written)
        temporary.replace(folder / name)
    return folder


def renamed(source: Path, root: Path, name: str, *, shared: bool = False) -> Path:
    """The model of a folder under another name, in `root`; `shared`: its files are the original's own, not to be written to."""
    folder = Path(shutil.copytree(source, root / name, copy_function=os.link if shared else shutil.copy2))
    return rewritten(folder, version=name)
