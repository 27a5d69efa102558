"""Frozen settings from flags and the environment; the only module that touches `os.environ`."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from errors import NOT_ALLOWED, PARAM_CHOICE, ArmatureError
from gate import LIMITS, Limits, Profile
from models.catalogue import FAMILIES
from models.hub import HUB, Hub
from models.memory import AUTO, MODES, check_mode, parse_bytes

ROOT = Path(__file__).resolve().parent
PROFILES: tuple[Profile, ...] = get_args(Profile)
# What opens Gradio to its visitors: an editor of the program's own code, more folders, and its tools.
OPENING = ("GRADIO_VIBE_MODE", "GRADIO_ALLOWED_PATHS", "GRADIO_MCP_SERVER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set from outside. `model` "auto" takes the first family that is there.

    `memory` is how many bytes of the device are filled at most, None for as many as are free.
    """

    weights: Path = ROOT / "weights"
    outputs: Path = ROOT / "outputs"
    cache: Path = ROOT / ".cache"
    model: str = "auto"
    device: str = "auto"
    memory: int | None = None
    memory_mode: str = AUTO
    profile: Profile = "local"
    safety: bool = False
    host: str = "127.0.0.1"
    port: int = 7860
    hosts: tuple[str, ...] = ()
    share: bool = False
    share_open: bool = False
    space: bool = False
    hub: Hub = field(default_factory=Hub)

    @property
    def limits(self) -> Limits:
        """What the profile allows; where the safety checker is demanded for all, more is not."""
        limits = LIMITS[self.profile]
        return replace(limits, safety=limits.safety or self.safety)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that ARMATURE_* and SPACE_ID name; a Space listens everywhere, with the public limits."""
    defaults = Settings()
    space = bool(environment.get("SPACE_ID"))
    profile = environment.get("ARMATURE_PROFILE") or ("public" if space else defaults.profile)
    if profile not in PROFILES:
        raise PARAM_CHOICE(
            "ARMATURE_PROFILE can't be taken",
            found=repr(profile),
            allowed="one of " + ", ".join(PROFILES),
            todo="Change the variable",
        )
    return Settings(
        weights=Path(environment.get("ARMATURE_WEIGHTS") or defaults.weights),
        outputs=Path(environment.get("ARMATURE_OUTPUTS") or defaults.outputs),
        model=environment.get("ARMATURE_MODEL") or defaults.model,
        device=environment.get("ARMATURE_DEVICE") or defaults.device,
        memory=parse_bytes(environment.get("ARMATURE_MEMORY") or AUTO),
        memory_mode=check_mode(environment.get("ARMATURE_MEMORY_MODE") or AUTO),
        profile=profile,
        safety=_is_on(environment.get("ARMATURE_SAFETY")),
        host="0.0.0.0" if space else defaults.host,
        hosts=tuple(filter(None, [environment.get("SPACE_HOST")])),
        space=space,
        hub=_hub(environment),
    )


def _hub(environment: Mapping[str, str]) -> Hub:
    """The Hub as its own tools understand the environment; it has to be read before `prepare_process`."""
    offline = environment.get("HF_HUB_OFFLINE") or environment.get("TRANSFORMERS_OFFLINE") or ""
    return Hub(
        endpoint=environment.get("HF_ENDPOINT") or HUB,
        token=environment.get("HF_TOKEN") or "",
        offline=_is_on(offline),
    )


def _is_on(word: str | None) -> bool:
    return (word or "").upper() in ("1", "ON", "YES", "TRUE")


def from_process() -> Settings:
    """The settings of this process's environment."""
    return from_environment(os.environ)


def from_command_line(arguments: Sequence[str]) -> Settings:
    """The settings of `app.py`: flags over the environment over the defaults."""
    base = from_process()
    parser = argparse.ArgumentParser(prog="app.py", description="Armature, a ControlNet studio.")
    add_shared_flags(parser, base)
    parser.add_argument("--outputs", type=Path, default=base.outputs, help="folder of the results")
    parser.add_argument("--profile", choices=PROFILES, default=base.profile, help="what users may do")
    parser.add_argument(
        "--safety",
        action=argparse.BooleanOptionalAction,
        default=base.safety,
        help="the safety checker sees all pictures, as it always does in the profile public",
    )
    parser.add_argument("--host", default=base.host, help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=base.port, help="the port (%(default)s)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name that this server goes by"
    )
    parser.add_argument("--share", action="store_true", help="also make a public link, with a password")
    parser.add_argument("--share-open", action="store_true", help="the public link asks for no password")
    given = parser.parse_args(arguments)
    share = given.share or given.share_open
    profile: Profile = "public" if share else given.profile
    refuse_opening(profile, os.environ)
    return Settings(
        weights=given.weights,
        outputs=given.outputs,
        model=given.model,
        device=given.device,
        memory=given.memory,
        memory_mode=given.memory_mode,
        profile=profile,
        safety=given.safety,
        host=given.host,
        port=given.port,
        hosts=(*base.hosts, given.host, *given.allow_host),
        share=share,
        share_open=given.share_open,
        space=base.space,
        hub=base.hub,
    )


def refuse_opening(profile: Profile, environment: Mapping[str, str]) -> None:
    """In public, refuse an environment in which Gradio would open more than the page."""
    found = [name for name in OPENING if environment.get(name)]
    if profile == "public" and found:
        raise NOT_ALLOWED(
            "This environment would open more than the page to everybody",
            found=", ".join(found),
            allowed="none of " + ", ".join(OPENING),
            todo="Unset it, or start with --profile local",
        )


def add_shared_flags(parser: argparse.ArgumentParser, base: Settings) -> None:
    """The flags that app and cli have in common."""
    parser.add_argument("--weights", type=Path, default=base.weights, help="folder of the models")
    parser.add_argument(
        "--model",
        default=base.model,
        help=f"auto, {', '.join(FAMILIES)}, or a base of your own by its name or path (%(default)s)",
    )
    parser.add_argument("--device", default=base.device, help="auto, cpu, cuda, cuda:1, mps (%(default)s)")
    parser.add_argument(
        "--memory",
        type=_bytes,
        default=base.memory,
        metavar="BYTES",
        help="how much of the device to fill at most, such as 6GB (auto: what is free)",
    )
    parser.add_argument(
        "--memory-mode",
        choices=(AUTO, *MODES),
        default=base.memory_mode,
        help="auto, or on a GPU "
        + "; ".join(f"{mode.name}: {mode.help}" for mode in MODES.values())
        + " (%(default)s)",
    )


def prepare_process(cache: Path) -> None:
    """Set what other libraries read from the environment at import: quiet, offline, inside our folders.

    It must run before gradio or torch is imported. What the user has set already stays. Offline is meant for
    the libraries, so that none fetches by itself: our own client goes by what the user has set.
    """
    wanted = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(cache / "gradio"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_HOME": str(cache / "huggingface"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        # OpenMP's waiting threads spin, and beside any other busy process that costs fifty times the time.
        "GOMP_SPINCOUNT": "0",
    }
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _bytes(text: str) -> int | None:
    try:
        return parse_bytes(text)
    except ArmatureError as error:
        raise argparse.ArgumentTypeError(error.message) from None


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port
