"""torchvision's compiled operators, where its build does not fit torch's.

A torchvision built for CUDA beside a torch built for the CPU can't load its operators, and then
`import torchvision` fails with "operator torchvision::nms does not exist"; with it fail timm, controlnet_aux
and much of diffusers and transformers. All that the imports need are two schemas; nobody calls the operators.
"""

import functools
import importlib.machinery
import importlib.util

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def define_missing() -> torch.library.Library | None:
    """Define the operators where torchvision can't bring its own: before the first import of torchvision.

    This function's cache keeps the library, since the definitions live only as long as it does.
    """
    if _present() or _loads():
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library


def _present() -> bool:
    """Whether the first operator is defined already."""
    return hasattr(torch.ops.torchvision, "nms")


def _loads() -> bool:
    """Whether torchvision's own operators load. Loading them twice is one load to the dynamic linker."""
    torchvision = importlib.util.find_spec("torchvision")
    if torchvision is None or not torchvision.submodule_search_locations:
        return True  # no torchvision, nothing to repair
    suffixes = importlib.machinery.EXTENSION_SUFFIXES
    finder = importlib.machinery.FileFinder(
        torchvision.submodule_search_locations[0],
        (importlib.machinery.ExtensionFileLoader, suffixes),
    )
    extension = finder.find_spec("_C")
    if extension is None or extension.origin is None:
        return False
    try:
        torch.ops.load_library(extension.origin)
    except OSError:
        return False
    return _present()
