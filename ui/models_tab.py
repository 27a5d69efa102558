"""The Models tab: fetch, pause, throw away, unload. The page draws itself anew while somebody looks at it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

from errors import ArmatureError
from pipelines.engine import Engine, Job
from pipelines.request.fetching import FetchRequest, Shelf
from pipelines.request.unloading import UnloadRequest
from ui.border import answers
from ui.fetching import KIND, refuse_visitors
from ui.stock import Scene, View, page
from ui.visitors import visitor

SCRIPT = Path(__file__).with_name("models.js").read_text("utf-8")
UNLOAD = "unload"

Act: TypeAlias = Callable[[View, str], None]


class ModelsTab:
    """The tab's one component and its handlers; made inside its `gr.Tab`.

    What it shows is read from the disk, the jobs and the engine at each look. A page keeps only its `View`.
    """

    def __init__(self, engine: Engine, shelf: Shelf) -> None:
        self._engine = engine
        self._shelf = shelf
        self._acts: Mapping[str, Act] = {
            "refresh": lambda view, name: None,
            "leave": self._leave,
            "offer": self._offer,
            "fetch": self._fetch,
            "resume": self._fetch,
            "again": self._fetch,
            "pause": self._pause,
            "cancel": self._discard,
            "remove": self._remove,
            "removed": self._discard,
            "unload": self._unload,
        }
        self.html = gr.HTML("", html_template="<div></div>", js_on_load=SCRIPT, elem_id="models")
        self.view = gr.State(View())
        quiet: dict[str, Any] = {
            "inputs": [self.view],
            "outputs": [self.html],
            "queue": False,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        self.html.press(answers(self.pressed), trigger_mode="multiple", **quiet)
        self.html.look(answers(self.looked), **quiet)

    @property
    def news(self) -> Callable[..., Any]:
        """The event of the page when what is here has changed: other tabs may want to look again."""
        listener: Callable[..., Any] = self.html.news
        return listener

    def looked(self, view: View, event: gr.EventData) -> Any:
        """The tab as it is now, or nothing where the page has that already."""
        drawn = self.draw(view)
        return gr.skip() if f'data-mark="{_text(event, "mark")}"' in drawn else drawn

    def pressed(self, view: View, event: gr.EventData) -> str:
        """A button was pressed: what it does, and the tab as it is then. A refusal stands in its row."""
        do, name = _text(event, "do"), _text(event, "name")
        view.asked += 1
        view.refused.clear()
        if act := self._acts.get(do):
            try:
                act(view, name)
            except ArmatureError as error:
                view.refused[name] = error.message
        return self.draw(view)

    def draw(self, view: View) -> str:
        """The tab as it is now, for one page."""
        unloading = view.unloading
        scene = Scene(
            stock=self._shelf.stock(),
            engine=self._engine.state,
            jobs=self._engine.known(KIND),
            open=self._shelf.open,
            unloading=self._engine.look(unloading) if unloading else None,
        )
        return page(scene, view)

    def _leave(self, view: View, name: str) -> None:
        view.offer, view.removing = None, ""

    def _offer(self, view: View, name: str) -> None:
        """What fetching it would cost: only this asks the Hub."""
        refuse_visitors(self._shelf)
        view.offer, view.removing = self._shelf.offer((name,)), ""

    def _fetch(self, view: View, name: str) -> None:
        """It comes, or goes on where it was."""
        refuse_visitors(self._shelf)
        view.offer = None
        self._engine.submit(KIND, FetchRequest(names=(name,)), owner=visitor())

    def _pause(self, view: View, name: str) -> None:
        """What brings it ends; what has come stays."""
        refuse_visitors(self._shelf)
        for job in self._going(name):
            self._engine.cancel(job.id)

    def _remove(self, view: View, name: str) -> None:
        refuse_visitors(self._shelf)
        view.offer, view.removing = None, name

    def _discard(self, view: View, name: str) -> None:
        """What brings it ends, and what has come goes. In this order nobody takes it for a pause."""
        refuse_visitors(self._shelf)
        self._leave(view, name)
        going = self._going(name)
        self._engine.submit(KIND, FetchRequest(names=(name,), discard=True), owner=visitor())
        for job in going:
            self._engine.cancel(job.id)

    def _unload(self, view: View, name: str) -> None:
        refuse_visitors(self._shelf)
        request = UnloadRequest(names=(name,) if name else ())
        view.unloading = self._engine.submit(UNLOAD, request, owner=visitor())

    def _going(self, name: str) -> list[Job]:
        jobs = (job for job in self._engine.known(KIND) if not job.over and not job.payload.discard)
        return [job for job in jobs if name in job.payload.names]


def _text(event: gr.EventData, name: str) -> str:
    """A text that the page's script sends along; anything else counts as none."""
    data = event._data
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""
