"""How models lie on the disk: the files of diffusers' layout, or one file. No torch, and nothing of ours."""

from pathlib import Path

# What tells that a folder is in diffusers' layout: of a whole base, and of one network.
CONFIGURED = ("model_index.json", "config.json")
# What must be there: of each tuple one file.
BASE_FILES: tuple[tuple[str, ...], ...] = (
    ("scheduler/scheduler_config.json",),
    ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
    ("text_encoder/config.json",),
    ("text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors"),
    ("unet/config.json",),
    ("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"),
    ("vae/config.json",),
    ("vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors"),
)
CONTROL_FILES: tuple[tuple[str, ...], ...] = (
    ("config.json",),
    ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"),
)


def files_in(folder: Path) -> list[Path]:
    """The model files in a folder, without hidden ones, such as some systems put beside each file."""
    return [path for path in sorted(folder.glob("*.safetensors")) if not path.name.startswith(".")]


def model_at(path: Path) -> Path:
    """The file or folder that is the model at a path: one file in a folder without configurations is it."""
    if not path.is_dir() or any((path / name).is_file() for name in CONFIGURED):
        return path
    files = files_in(path)
    return files[0] if len(files) == 1 else path
