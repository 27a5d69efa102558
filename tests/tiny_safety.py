"""A tiny random safety checker in the layout and under the names that the Hub has."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from models import torchvision_ops
from models.store import Store

SIDE = 28
NEVER, ALWAYS = 2.0, -2.0  # thresholds that no cosine reaches, and that each does


def write(store: Store, *, threshold: float = NEVER, half: bool = False) -> None:
    """Write the checker's files where the store looks for them; `threshold` is that of every concept."""
    torchvision_ops.define_missing()
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    config = CLIPConfig(
        projection_dim=16,
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": SIDE,
            "patch_size": 14,
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = StableDiffusionSafetyChecker(config)
        for name in ("concept_embeds", "special_care_embeds"):
            torch.nn.init.normal_(getattr(network, name))
    network.special_care_embeds_weights.fill_(NEVER)
    network.concept_embeds_weights.fill_(threshold)
    folder = store.safety / "safety_checker"
    config.architectures = ["StableDiffusionSafetyChecker"]
    config.save_pretrained(folder)
    tensors = {name: tensor.half() if half else tensor for name, tensor in network.state_dict().items()}
    save_as_on_the_hub(tensors, folder / ("model.fp16.safetensors" if half else "model.safetensors"))
    write_processor(store)


def save_as_on_the_hub(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """The names that transformers gave when the checker was published, with a table of places among them."""
    old = {
        f"vision_model.{name}" if name.startswith("vision_model.") else name: tensors[name]
        for name in tensors
    }
    places = (SIDE // 14) ** 2 + 1
    old["vision_model.vision_model.embeddings.position_ids"] = torch.arange(places)[None]
    save_file(old, path, metadata={"format": "pt"})


def write_processor(store: Store) -> None:
    """The settings as they were published, with sizes as plain numbers, for a smaller picture."""
    settings = {
        "crop_size": SIDE,
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": SIDE,
    }
    folder = store.safety / "feature_extractor"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
