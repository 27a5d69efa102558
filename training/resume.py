"""Whether a run may go on, and from where: the newest checkpoint that is whole.

A run has its folder to itself while it lasts.
"""

import fcntl
from pathlib import Path
from typing import BinaryIO

from errors import MODEL_CORRUPT, NOT_ALLOWED, RESUME_MISMATCH
from training import checkpoint, config
from training.checkpoint import Checkpoint
from training.config import Config


def resumable(folder: Path, settings: Config, fingerprint: str) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, if there is any at all, and which ones were passed over.

    A run that can't go on is never begun anew in silence: it is refused.
    """
    notices = []
    for path in checkpoint.found(folder):
        found = checkpoint.load(path)
        if found is None:
            notices.append(f"The checkpoint {path.name} is not whole, and is passed over")
            continue
        notices += _refuse_another(found, settings, fingerprint)
        return found, notices
    if notices:
        raise MODEL_CORRUPT(
            "This run has checkpoints, and none of them can be read",
            found=f"{len(notices)} that are not whole",
            todo="Bring one back, or move the run's folder away to begin anew",
        )
    return None, notices


def _refuse_another(found: Checkpoint, settings: Config, fingerprint: str) -> list[str]:
    """Refuse to go on with other settings or another set than the run was begun with; answers what is new."""
    different, adjusted = config.differences(found.state["config"], config.flat(settings))
    if found.state["fingerprint"] != fingerprint:
        different.append("the data are another set, or have changed")
    if different:
        raise RESUME_MISMATCH(
            "This run was begun differently",
            found="; ".join(different[:10]),
            allowed="what may change is "
            + ", ".join(name.rstrip(".") for name in (*config.FREE, *config.ADJUSTED)),
            todo="Put it back, or give the run another name",
        )
    return adjusted


def locked(folder: Path) -> BinaryIO:
    """Keep a run's folder until the file is closed or the process ends; a second run in it is refused."""
    file = (folder / ".lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise NOT_ALLOWED(
            "Another process trains in this run's folder",
            found=folder.name,
            todo="Stop it, or give this run another name",
        ) from None
    return file
