"""Armature in the browser. The composition root: Settings -> Engine -> Studio -> launch. No logic."""

import hmac
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

import logs
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
    return 0


def serve(chosen: Settings) -> None:
    """Build the page, open it, and only then let the engine load its models behind it; until told to end."""
    settings.prepare_process(chosen.cache)
    if not chosen.space:
        refuse_busy_port(chosen.host, chosen.port)
    # gradio reads its environment when it is imported, so the page comes after the settings
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware

    from models import bases, extras, own
    from pipelines import home, own_files
    from pipelines.fetching import Fetching
    from pipelines.pictures import PICTURES, PictureStore
    from pipelines.request.intake import Desk
    from pipelines.shelf import WeightsShelf
    from pipelines.worker import Worker
    from ui.http import Door, Guard
    from ui.studio import Studio
    from ui.theme import STYLE, theme
    from ui.visitors import visitor

    limits = chosen.limits
    store = home.open_store(chosen.weights, chosen.model)
    family = home.default_model(chosen.model, store)
    worker = Worker(
        weights=chosen.weights,
        outputs=chosen.outputs,
        device=chosen.device,
        family=family,
        bases=store.bases,
        memory=chosen.memory,
        memory_mode=chosen.memory_mode,
        safety=limits.safety,
    )
    fetching = Fetching(weights=chosen.weights, hub=chosen.hub)
    engine = home.lasting_engine(worker, limits, in_process=chosen.space, fetching=fetching)
    logs.configure(chosen.outputs / "logs", chosen.profile)  # the folder is ours from here on
    door = Door(
        profile=chosen.profile,
        limits=limits,
        engine=engine,
        outputs=chosen.outputs,
        framed=chosen.space,
    )
    door.hosts.update(chosen.hosts)
    desk = Desk(
        PictureStore(chosen.outputs / PICTURES),
        limits,
        far=lambda request: engine.outcome(engine.submit("annotate", request, owner=visitor())),
        lack=partial(home.annotator_lack, store),
        bases=partial(bases.models, store),
        own_files=partial(own_files.require, store),
        vaes=partial(extras.names, store, extras.VAE),
        require_safety=store.require_safety,
    )
    shelf = WeightsShelf(fetching=fetching, open=limits.fetches, safety=limits.safety)
    missing = partial(home.lack, store, safety=limits.safety)
    own_controls = partial(own.controls, store)
    page = Studio(engine, desk, missing, own_controls, family, shelf).page()
    page.queue(max_size=256, default_concurrency_limit=None)
    password = secrets.token_urlsafe(12) if chosen.share and not chosen.share_open else None
    leaving = listen_for_the_end()
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
        max_threads=64,
        max_file_size=limits.file_bytes,
        allowed_paths=[],
        enable_monitoring=False,
        mcp_server=False,
        run_history=False,
        ssr_mode=False,
        footer_links=["api"],
        # the page is 1.4 MB of text, which is much over a link that is shared
        app_kwargs={
            "middleware": [Middleware(Guard, door=door), Middleware(GZipMiddleware, compresslevel=4)]
        },
    )
    if link:
        door.hosts.add(urlsplit(link).netloc)
    engine.start()
    announce(chosen, link, password)
    leaving.wait()
    engine.close()
    page.close(verbose=False)


def listen_for_the_end() -> threading.Event:
    """Set by the first SIGTERM or Ctrl-C; a second one leaves at once, and what is on the disk is whole."""
    leaving = threading.Event()

    def leave(*_: object) -> None:
        if leaving.is_set():
            os._exit(0)
        leaving.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, leave)
    return leaving


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
    code = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    # a worker thread that is deep inside torch would abort an ordinary exit
    os._exit(code)
