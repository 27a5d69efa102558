"""Armature in the browser. The composition root: Settings -> Engine -> Studio -> launch. No logic."""

import hmac
import logging
import secrets
import socket
import sys
from collections.abc import Sequence
from functools import partial

import settings
from errors import HUB_UNREACHABLE, PORT_BUSY, ArmatureError
from settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Serve until interrupted; a refusal is one sentence and exit code 1."""
    try:
        serve(settings.from_command_line(arguments))
    except ArmatureError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def serve(chosen: Settings) -> None:
    """Build the page, open it, and only then let the engine load its models behind it."""
    settings.prepare_process(chosen.cache)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if not chosen.space:
        refuse_busy_port(chosen.host, chosen.port)
    # gradio reads its environment when it is imported, so the page comes after the settings
    from gate import LIMITS
    from models.store import Store
    from pipelines import home, results
    from pipelines.pictures import PictureStore
    from pipelines.request.intake import Desk
    from ui.studio import Studio
    from ui.theme import STYLE, theme

    store = Store(chosen.weights)
    family = home.default_family(chosen.model, store)
    pictures = PictureStore(chosen.outputs / "pictures")
    engine = home.in_process(store, partial(results.todays, chosen.outputs), pictures, chosen.device, family)
    studio = Studio(
        engine,
        Desk(pictures, LIMITS[chosen.profile]),
        partial(home.lacking, store),
        family,
    )
    page = studio.page()
    page.queue(max_size=256, default_concurrency_limit=None)
    password = secrets.token_urlsafe(12) if chosen.share and not chosen.share_open else None
    _, _, link = page.launch(
        server_name=chosen.host,
        server_port=chosen.port,
        share=chosen.share,
        auth=None if password is None else lambda _, given: is_same(given, password),
        theme=theme(),
        css_paths=[STYLE],
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        max_threads=256,
        max_file_size=LIMITS[chosen.profile].file_bytes,
        allowed_paths=[],
        enable_monitoring=False,
        mcp_server=False,
        run_history=False,
        ssr_mode=False,
        footer_links=["api"],
    )
    engine.start()
    announce(chosen, link, password)
    page.block_thread()


def is_same(given: str, password: str) -> bool:
    """Whether two texts are the same, in a time that tells nothing about how far they agree."""
    return hmac.compare_digest(given.encode(), password.encode())


def refuse_busy_port(host: str, port: int) -> None:
    """One clear sentence instead of a hunt for another port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PORT_BUSY(
                f"Armature can't listen on {host}:{port}",
                found=error.strerror or "the port is taken",
                todo=f'Stop what runs there, or choose another: make run ARGS="--port {port + 1}"',
            ) from error


def announce(chosen: Settings, link: str | None, password: str | None) -> None:
    """The ready line, and where a link was asked for, the link with its password, once."""
    print(f"Armature is ready at http://{chosen.host}:{chosen.port}", flush=True)
    if not chosen.share:
        return
    if link is None:
        raise HUB_UNREACHABLE(
            "No public link could be made", todo="Check the connection, or leave out --share"
        )
    print(f"Public link, for one week: {link}", flush=True)
    if password is not None:
        print(f"User: any name. Password, shown only now: {password}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
