"""From `make run`, when all is set up, to the page."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.table import Row
from tests.serving import ROOT, free_port

RUNS, BOUND = 5, 5.0
HELLO = (
    "import gradio, sys\n"
    "page = gradio.Interface(lambda name: f'Hello {name}', 'text', 'text', analytics_enabled=False)\n"
    "page.launch(server_name='127.0.0.1', server_port=int(sys.argv[1]), quiet=True)\n"
)


def measure(folder: Path, weights: Path) -> list[Row]:
    """Seconds from the start of the process to the first HTTP 200; the first run of each only warms up."""
    places = f"--weights '{weights}' --outputs '{folder}'"
    ours, bare = [], []
    for _ in range(RUNS + 1):
        port = free_port()
        ours.append(_seconds(["make", "run", f"ARGS=--port {port} {places}"], port))
        port = free_port()
        bare.append(_seconds([sys.executable, "-c", HELLO, str(port)], port))
    what, beside = "make run, to the page", "Gradio's hello world, started bare"
    return [Row(what=what, unit="s", ours=ours[1:], other=bare[1:], beside=beside, bound=BOUND)]


def _seconds(command: Sequence[str], port: int) -> float:
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"}
    quiet = subprocess.DEVNULL
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        while time.monotonic() < began + 20 * BOUND:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=BOUND).raise_for_status()
                return time.monotonic() - began
            except httpx.TransportError:
                time.sleep(0.01)
        raise TimeoutError(f"no page from {command[0]}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
