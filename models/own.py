"""Controls of one's own: `<weights>/controls/<condition>/<name>`, a folder or a file. No torch.

A base takes the controls that were made for its architecture, whoever trained them.
"""

import re
from pathlib import Path

from errors import MODEL_MISSING, MODEL_PAIRING, PARAM_CHOICE, ArmatureError
from models import bases, inspect
from models.catalogue import family_of
from models.inspect import SHARED, config_of
from models.store import Store

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,119}")


def key(condition: str, name: str) -> str:
    """How the store and the cache call such a control."""
    return f"{condition}/{name}"


def controls(store: Store, family: str, condition: str) -> tuple[str, ...]:
    """The names of those that are there whole for a condition, and fit a family's base."""
    folder = store.weights / "controls" / condition
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(path.name for path in found if _can_steer(store, family, condition, path.name))


def _can_steer(store: Store, family: str, condition: str, name: str) -> bool:
    try:
        require(store, family, key(condition, name))
    except ArmatureError:
        return False
    return True


def refuse_name(name: str) -> None:
    """Refuse a name that no control can have here, whether there is a file of that name or not."""
    if not NAME.fullmatch(name):
        raise PARAM_CHOICE(
            "The name of this control can't be used",
            found=repr(name)[:70],
            allowed="at most 120 Latin letters, digits, spaces and . _ ( ) + -, a letter or digit first",
            todo="Rename it",
        )


def require(store: Store, family: str, control: str) -> None:
    """Refuse a control that is not there, is none, or was made for another base than the family's."""
    name = control.partition("/")[2]
    path = store.control(family, control)
    title = family_of(family).title
    refuse_name(name)
    if not path.exists():
        raise MODEL_MISSING(
            "There is no such control here",
            found=f"no weights/controls/{control}"[:150],
            todo="Put it there, or choose another control",
        )
    bases.refuse_links(path, store.weights / "controls", store.weights)
    inspect.require_control(inspect.look(path), bases.net_of(store, family), title)
    differences = _differences(path, store.configs(family) / "unet")
    if differences:
        raise MODEL_PAIRING(
            f"This control was made for another architecture than {title}",
            found=f"another {', '.join(differences)}",
            todo="Choose another control, or the model that it was trained on",
        )


def _differences(control: Path, base: Path) -> list[str]:
    """What two configurations, as far as there are any, have in common by name and not by value."""
    ours, theirs = config_of(control / "config.json"), config_of(base / "config.json")
    return [name for name in SHARED if name in ours and name in theirs and ours[name] != theirs[name]]
