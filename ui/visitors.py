"""Who is asking: a name for fairness between visitors, never for authority."""

import hashlib
from typing import Any

from gradio.context import LocalContext


def visitor() -> str:
    """The login name or the address, with the session: everybody behind one tunnel has the same address."""
    request: Any = LocalContext.request.get(None)
    if request is None:
        return ""
    host = request.client.host if request.client else ""
    return f"{request.username or host}/{request.session_hash}"


def wish(*parts: Any) -> str:
    """The same for the same visitor and the same values: a second click within a moment is no second job."""
    return hashlib.sha256(repr((visitor(), *parts)).encode()).hexdigest()
