"""Which requests are checked before their pictures are shown: those that ask, or all that could need it."""

from models.catalogue import family_of, own_base
from pipelines.request import GenerateRequest


def is_exempt(model: str, *own: object) -> bool:
    """Whether a model makes nothing to check: as it ships, with nothing of anybody's own beside it."""
    return family_of(model).harmless and not own_base(model) and not any(own)


def is_checked(request: GenerateRequest, *, demanded: bool) -> bool:
    """Whether the pictures of a request are checked; `demanded` is for all that could need it."""
    own = (request.vae, request.loras, *(unit.control for unit in request.controls))
    return request.safety or (demanded and not is_exempt(request.model, *own))
