"""The artist's own files that a request names: what does not fit is refused before it waits. No torch."""

from errors import MODEL_TOO_LARGE, PARAM_RANGE
from models import extras, inspect
from models.extras import EMBEDDING, LORA, VAE
from models.inspect.forms import header
from models.store import Store, title
from pipelines.request import GenerateRequest
from pipelines.request.controls import CLIP_SKIP

MOST_ROWS = 75  # tokens that the text encoder reads at once


def require(store: Store, request: GenerateRequest) -> None:
    """Refuse a request for files that are not there, are something else, or were made for another base."""
    for name, _ in request.loras:
        extras.require(store, LORA, name, request.model)
    if request.vae:
        extras.require(store, VAE, request.vae, request.model)
    for found in extras.words(store).named(f"{request.prompt}\n{request.negative_prompt}"):
        path = extras.require(store, EMBEDDING, found.stem, request.model)
        rows = max(one.side(0) if len(one.shape) > 1 else 1 for one in header(path).tensors.values())
        if rows > MOST_ROWS:
            raise MODEL_TOO_LARGE(
                f"The textual inversion {path.stem} stands for more tokens than can be read at once",
                found=f"{rows} tokens",
                allowed=f"at most {MOST_ROWS}",
                todo="Choose another one",
            )
    if request.clip_skip:
        _require_layers(store, request)


def _require_layers(store: Store, request: GenerateRequest) -> None:
    """Refuse to leave out more layers of the text encoder than all but one."""
    config = inspect.config_of(store.configs(request.model) / "text_encoder" / "config.json")
    layers = config.get("num_hidden_layers", 0)
    if request.clip_skip >= layers:
        raise PARAM_RANGE(
            f"The text encoder of {title(request.model)} has not so many layers",
            found=f"{request.clip_skip} of {layers} layers to leave out",
            allowed=f"at most {layers - 1}",
            todo=f"Change {CLIP_SKIP.name}",
        )
