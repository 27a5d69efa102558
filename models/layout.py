"""The files of which a model in diffusers' layout consists. No torch, and nothing of ours."""

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
