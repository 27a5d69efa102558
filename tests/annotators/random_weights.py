"""Random weights for every annotator that has a network, in the layout of the real files.

Tensors have the real names and shapes where the architecture is fixed, but they overlap in memory: a file of
1.4 GB takes a few kilobytes on the disk, and is still read by the real code.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch
from torch import nn

from annotators import ANNOTATORS
from models.checkpoints import building
from models.store import Store

State: TypeAlias = dict[str, torch.Tensor]


def write(store: Store, name: str) -> None:
    """Put random files where an annotator looks for them, unless another one has put them there."""
    files = store.annotator_files(ANNOTATORS[name].weights)
    if all(file.is_file() for file in files):
        return
    files[0].parent.mkdir(parents=True, exist_ok=True)
    with building(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name in FOLDERS:
            FOLDERS[name](files[0].parent)
            return
        for file in files:
            torch.save(PICKLES[file.name](), file)


def random_state(build: Callable[[], nn.Module], gain: float = 1.0) -> State:
    """Random tensors with the names and shapes of a module that is never really built."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in build().state_dict().items()}
    return {name: _random(name, shape, gain) for name, shape in shapes.items()}


def _random(name: str, shape: torch.Size, gain: float) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        return torch.ones(shape)
    if len(shape) < 2:  # the scale of a norm, or what is added
        return torch.ones(shape) if name.endswith("weight") else torch.randn(shape) * 0.02
    strides = [1, 3, 7, 17, 31][: len(shape)][::-1]
    size = 1 + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    fan_in = math.prod(shape[1:])
    return torch.as_strided(torch.randn(size) * gain / math.sqrt(fan_in), shape, strides)


def hed() -> State:
    from controlnet_aux.hed import ControlNetHED_Apache2

    return random_state(ControlNetHED_Apache2) | {"norm": torch.full((1, 3, 1, 1), 127.0)}


def pidinet() -> Mapping[str, State]:
    from controlnet_aux.pidi.model import pidinet as network

    return {"state_dict": {f"module.{name}": tensor for name, tensor in random_state(network).items()}}


def mlsd() -> State:
    from controlnet_aux.mlsd.models.mbv2_mlsd_large import MobileV2_MLSD_Large

    return random_state(MobileV2_MLSD_Large, gain=1.4)


def lineart() -> State:
    from controlnet_aux.lineart import Generator

    return random_state(lambda: Generator(3, 1, 3))


def lineart_anime() -> State:
    import functools

    from controlnet_aux.lineart_anime import UnetGenerator

    norm = functools.partial(nn.InstanceNorm2d, affine=False, track_running_stats=False)
    state = random_state(lambda: UnetGenerator(3, 1, 8, 64, norm_layer=norm))
    return {f"module.{name}": tensor for name, tensor in state.items()}


def _without_first(state: State) -> State:
    return {name.partition(".")[2]: tensor for name, tensor in state.items()}


def body() -> State:
    from controlnet_aux.open_pose.model import bodypose_model

    return _without_first(random_state(bodypose_model))


def hand() -> State:
    from controlnet_aux.open_pose.model import handpose_model

    return _without_first(random_state(handpose_model))


def face() -> State:
    from controlnet_aux.open_pose.face import FaceNet

    return random_state(FaceNet)


def midas() -> State:
    from controlnet_aux.midas.midas.dpt_depth import DPTDepthModel

    return random_state(lambda: DPTDepthModel(path=None, backbone="vitb_rn50_384", non_negative=True))


def zoe() -> Mapping[str, State]:
    from controlnet_aux.zoe import ZoeDepth, get_config

    state = random_state(lambda: ZoeDepth.build_from_config(get_config("zoedepth", "infer")))
    # The real file was made with an older timm, which kept its tables of indices.
    old = {"core.core.pretrained.model.blocks.0.attn.relative_position_index": torch.zeros(577, 577).long()}
    bins = {
        "conditional_log_binomial.log_binomial_transform.k_idx": torch.arange(64.0).view(1, -1, 1, 1),
        "conditional_log_binomial.log_binomial_transform.K_minus_1": torch.tensor([63.0]).view(1, 1, 1, 1),
    }
    return {"model": state | old | bins}


def bae() -> Mapping[str, State]:
    from controlnet_aux.normalbae import NNET

    options = SimpleNamespace(architecture="BN", sampling_ratio=0.4, importance_ratio=0.7)
    return {"model": random_state(lambda: NNET(options))}


PICKLES: dict[str, Callable[[], Any]] = {
    "ControlNetHED.pth": hed,
    "table5_pidinet.pth": pidinet,
    "mlsd_large_512_fp32.pth": mlsd,
    "sk_model.pth": lineart,
    "sk_model2.pth": lineart,
    "netG.pth": lineart_anime,
    "body_pose_model.pth": body,
    "hand_pose_model.pth": hand,
    "facenet.pth": face,
    "dpt_hybrid-midas-501f0c75.pt": midas,
    "ZoeD_M12_N.pt": zoe,
    "scannet.pt": bae,
}


def depth_anything(folder: Path) -> None:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=518,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
    )
    DepthAnythingForDepthEstimation(config).save_pretrained(folder)


def seg_upernet(folder: Path) -> None:
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    backbone = ConvNextConfig(
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        num_labels=150,
        auxiliary_in_channels=24,
        auxiliary_channels=8,
    )
    network = UperNetForSemanticSegmentation(config)
    config.save_pretrained(folder)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")


def seg_oneformer(folder: Path) -> None:
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation, SwinConfig

    backbone = SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = OneFormerConfig(
        backbone_config=backbone,
        num_labels=150,
        num_queries=20,
        hidden_dim=32,
        conv_dim=32,
        mask_dim=32,
        encoder_feedforward_dim=32,
        dim_feedforward=32,
        encoder_layers=1,
        decoder_layers=3,
        num_attention_heads=2,
        text_encoder_width=32,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=512,
    )
    network = OneFormerForUniversalSegmentation(config)
    config.save_pretrained(folder)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def heads(folder: Path) -> None:
    """The network that the built-in annotators share; it has float tensors and the side it learnt from."""
    from safetensors.torch import save_file

    from models.heads import Heads

    save_file(Heads(64).state_dict(), folder / "heads.safetensors")


FOLDERS: dict[str, Callable[[Path], None]] = {
    "depth_anything": depth_anything,
    "seg_upernet": seg_upernet,
    "seg_oneformer": seg_oneformer,
    **dict.fromkeys(("pocket_depth", "pocket_normal", "pocket_seg", "pocket_pose"), heads),
}
