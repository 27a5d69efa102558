"""Segmentation by OneFormer (Jain et al. 2023) on Swin large: one network that is told its task in words."""

from pathlib import Path
from typing import Any

from annotators import ade20k
from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.networks import imagenet, plane_through
from models.catalogue import Weight

TASK = "the task is semantic"
TASK_TOKENS = 77


def load(files: tuple[Path, ...]) -> Network:
    """The network in the folder of its files, with its task as token ids (1, 77), zero after the end."""
    from models.checkpoints import building, pretrained

    with building():
        import torch
        from transformers import CLIPTokenizer, OneFormerForUniversalSegmentation

        folder = files[0].parent
        network = pretrained(OneFormerForUniversalSegmentation, folder)
        words = CLIPTokenizer.from_pretrained(folder, local_files_only=True)(TASK, return_tensors="pt")
        task = torch.zeros((1, TASK_TOKENS), dtype=torch.int64)
        task[:, : words.input_ids.shape[1]] = words.input_ids
        network.register_buffer("task", task, persistent=False)
        return network


def run(picture: Pixels, network: Network) -> Annotation:
    """The class of each pixel of an RGB uint8 (H, W, 3) picture, in ADE20K's colours."""
    from torch import einsum
    from torch.nn.functional import interpolate

    def surest(x: Any) -> Any:
        """Every query is a mask and a guess at its class; the last class is "nothing"."""
        answer = network(pixel_values=x, task_inputs=network.task)
        kinds = answer.class_queries_logits.softmax(dim=-1)[..., :-1]
        places = answer.masks_queries_logits.sigmoid()
        scores = einsum("nqc,nqhw->nchw", kinds, places)
        return interpolate(scores, size=x.shape[-2:], mode="bilinear").argmax(dim=1, keepdim=True)

    classes = plane_through(network, imagenet(picture), stride=32, forward=surest).astype(int)
    return Annotation(map=ade20k.coloured(classes), data=ade20k.found(classes))


SEG_ONEFORMER = Annotator(
    name="seg_oneformer",
    label="Segmentation, OneFormer",
    help="Which of 150 kinds of things is where, with the surest outlines, from a large network.",
    weights=tuple(
        Weight(repo="shi-labs/oneformer_ade20k_swin_large", file=file, licence="MIT", size=size)
        for file, size in (
            ("config.json", 0),
            ("pytorch_model.bin", 875_000_000),
            ("vocab.json", 0),
            ("merges.txt", 0),
        )
    ),
    load=load,
    run=run,
    resample="nearest",
)
