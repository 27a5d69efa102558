"""Bases of one's own: files and folders in `<weights>/bases/`. No torch: the web page asks here.

What lies there is looked up at each call, so that a new file shows at once. A base belongs to the family
whose U-Net has the same outline, and brings its controls.
"""

import re
from pathlib import Path

from errors import MODEL_ARCH, MODEL_MISSING, MODEL_PAIRING, NOT_ALLOWED, PARAM_CHOICE, ArmatureError
from models import inspect
from models.catalogue import FAMILIES, family_of, own_base
from models.inspect import Net
from models.store import Store

LATENTS = 4  # channels; a U-Net that is made for something else takes more
NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,199}")


def net_of(store: Store, family: str) -> Net:
    """The outline of a family's U-Net; an empty one where nothing of the family is here."""
    return inspect.of_config(inspect.config_of(store.configs(family) / "unet" / "config.json"))


def models(store: Store) -> tuple[tuple[str, str], ...]:
    """Title and name of each base that is there and can paint, by name."""
    found = []
    for path in sorted(store.own_bases.iterdir()) if store.own_bases.is_dir() else []:
        try:
            family = family_of_base(store, path)
        except ArmatureError:
            continue
        found.append((f"{path.name} ({FAMILIES[family].title})", f"{family}/{path.name}"))
    return tuple(found)


def family_of_base(store: Store, path: Path) -> str:
    """The family of a base of one's own; what is none, or of no family here, is refused in words."""
    if not NAME.fullmatch(path.name):
        raise PARAM_CHOICE(
            "The name of this file can't be used",
            found=repr(path.name)[:70],
            allowed="at most 200 characters, and no dot at the beginning",
            todo="Rename it",
        )
    refuse_links(path, store.own_bases, store.bases or store.weights)
    found = inspect.look(path)
    inspect.require_kind(found, "checkpoint", "base", as_what="a base: a whole checkpoint")
    if found.net is not None and found.net.latents != LATENTS:
        raise MODEL_ARCH(
            f"{found.name} can't paint here",
            found="; ".join(found.details),
            todo="Choose the plain checkpoint",
        )
    for family in FAMILIES:
        if found.net is not None and found.net.widths and found.net.fits(net_of(store, family)):
            return family
    raise MODEL_PAIRING(
        f"{found.name} is a base of another architecture",
        found=found.net.title if found.net else found.architecture.title,
        allowed=", ".join(family.title for family in FAMILIES.values()),
        todo="Choose a base of one of these",
    )


def refuse_links(path: Path, *roots: Path) -> None:
    """Refuse a file or folder that is, or holds, a link to somewhere outside of some folders.

    These may be links themselves: whoever put one there has the models on another disk.
    """
    inside = [root.resolve() for root in roots]
    places = [place.resolve() for place in (path, *path.rglob("*")) if place == path or place.is_symlink()]
    if not all(any(place.is_relative_to(root) for root in inside) for place in places):
        raise NOT_ALLOWED(
            f"{path.name} is a link that leads out of the folder of models",
            allowed="files that lie in it",
            todo="Copy the file into it",
        )


def require(store: Store, model: str) -> None:
    """Refuse a model whose base is one's own and is not there, is none, or belongs to another family."""
    name = own_base(model)
    if not name:
        return
    path = store.base(model)
    if not NAME.fullmatch(name) or not path.exists():
        raise MODEL_MISSING(
            "There is no such base here",
            found=name[:70],
            todo=f"Put it into {store.own_bases.name}, or choose another model",
        )
    family = family_of_base(store, path)
    if family != family_of(model).name:
        raise MODEL_PAIRING(
            f"{name} is a base of {FAMILIES[family].title}, and not of {family_of(model).title}",
            todo=f"Ask for {family}/{name}",
        )
