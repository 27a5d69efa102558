"""What a model file or folder is, said from its header alone, and what follows from that. No torch.

    headers.py     the header of a safetensors file, measured and checked before anybody uses it
    forms.py       what else a file may be, by its first bytes: pickled, a web page, an archive, ...
    kinds.py       KINDS: checkpoint, ControlNet, LoRA, VAE, ... each by names that only it has
    nets.py        the outline of a network, and whose it is: Stable Diffusion 1.5, 2, XL, ...
    folders.py     the same for folders in diffusers' layout
    finding.py     all of it as one finding

    found = inspect.look(path)        # or a refusal in words: MODEL_CORRUPT, MODEL_UNSAFE, MODEL_DTYPE, ...
    inspect.require_control(found, net, "Stable Diffusion 1.5")

A header is a few hundred kilobytes, so looking at a file of any size costs milliseconds and no memory.
"""

from models.inspect.finding import Finding, look, require_control, require_kind
from models.inspect.folders import config_of
from models.inspect.forms import is_pickled
from models.inspect.kinds import FOLDER_BASE, KINDS, UNKNOWN, Kind
from models.inspect.nets import SHARED, Net, of_config

__all__ = [
    "FOLDER_BASE",
    "KINDS",
    "SHARED",
    "UNKNOWN",
    "Finding",
    "Kind",
    "Net",
    "config_of",
    "is_pickled",
    "look",
    "of_config",
    "require_control",
    "require_kind",
]
