"""Weights from the page: what a tab lacks, what it would cost to get, and bars while it comes.

One box serves all tabs, in the panel that they share, and shows all that is being fetched, whoever asked.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import gradio as gr
from gradio.components import Component

from errors import NOT_ALLOWED
from pipelines.engine import Engine, Job
from pipelines.request.fetching import FetchRequest, Shelf, in_words
from ui import fragments
from ui.visitors import visitor
from ui.watching import watch

KIND = "fetch"
PAUSED = "note offer"  # as an offer: a button stands below it
Updates: TypeAlias = dict[Any, Any]  # by component: what a handler changes on the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The components of the box; `names` are the bundles of the offer that it shows.

    The buttons are always there, and the style shows them while the words above call for them: one that
    Gradio shows and hides in quick succession may stay.
    """

    told: gr.HTML
    fetch: gr.Button
    leave: gr.Button
    bars: gr.HTML
    pause: gr.Button
    names: gr.State

    @property
    def outputs(self) -> list[Component]:
        """All that a fetch changes."""
        return [self.told, self.fetch, self.bars, self.names]


def box() -> Box:
    """Lay the box out, with nothing in it."""
    told = gr.HTML(elem_id="weights-told", elem_classes="told")
    with gr.Row(elem_id="weights-choice"):
        fetch = gr.Button("Fetch", variant="primary", elem_id="weights-fetch")
        leave = gr.Button("Not now", elem_id="weights-leave")
    bars = gr.HTML(elem_id="weights-bars", elem_classes="bars")
    pause = gr.Button("Pause the download", elem_id="weights-pause")
    return Box(told=told, fetch=fetch, leave=leave, bars=bars, pause=pause, names=gr.State(()))


class Fetches:
    """The handlers of the box. Each asks the profile first: an event that is hidden can still be fired."""

    def __init__(self, engine: Engine, shelf: Shelf, parts: Box) -> None:
        self._engine = engine
        self._shelf = shelf
        self._box = parts

    def offered(self, names: tuple[str, ...]) -> Updates:
        """What getting some bundles would cost, and a button that gets them. Only this asks the Hub."""
        refuse_visitors(self._shelf)
        offer = self._shelf.offer(names)
        return {
            self._box.told: fragments.offer(offer),
            self._box.fetch: f"Fetch {in_words(offer.size - offer.here)}",
            self._box.names: names,
        }

    def refused(self, words: str) -> Updates:
        """Why there is no offer."""
        return {self._box.told: fragments.notes([words], "refusal"), self._box.names: ()}

    def left(self) -> Updates:
        """The offer is not taken."""
        return {self._box.told: "", self._box.names: ()}

    async def fetched(self, names: tuple[str, ...]) -> AsyncIterator[Updates]:
        """The bundles of the offer come; all of it can be followed, and found again after a reload."""
        refuse_visitors(self._shelf)
        if not names:  # a second click on the same offer
            return
        job_id = self._engine.submit(KIND, FetchRequest(names=tuple(names)), owner=visitor())
        yield self.left()
        async for updates in self._followed(job_id):
            yield updates

    async def resumed(self) -> AsyncIterator[Updates]:
        """After a reload: what is being fetched now."""
        for job in self._going()[-1:] if self._shelf.open else ():
            async for updates in self._followed(job.id):
                yield updates

    def paused(self) -> Updates:
        """End what is being fetched now; what has come of it stays for the next time."""
        refuse_visitors(self._shelf)
        for job in self._going()[:1]:
            self._engine.cancel(job.id)
        return self._bars()

    async def _followed(self, job_id: str) -> AsyncIterator[Updates]:
        """Bars until a job is over, and then what came of it and of all that went on with it.

        Two that end in the same moment are followed by two streams, and the last one must not hide the other.
        """
        oldest = min(job.seq for job in (*self._going(), self._engine.look(job_id)))
        async for _ in watch(self._engine, job_id):
            yield self._bars()
        over = [job for job in fetches(self._engine) if job.over and job.seq >= oldest]
        told = {self._box.told: "".join(_result(job, self._dropped(job)) for job in over)}
        yield self._bars() | told | self._resumable(over)

    def _resumable(self, over: list[Job]) -> Updates:
        """The button goes on with what was paused last."""
        for job in reversed(over):
            if job.state == "cancelled" and not self._dropped(job):
                return {self._box.fetch: "Resume", self._box.names: job.payload.names}
        return {}

    def _dropped(self, job: Job) -> bool:
        """Whether what had come of a job was thrown away."""
        later = (other.payload for other in self._engine.known(KIND) if other.seq > job.seq)
        return any(payload.discard and set(payload.names) & set(job.payload.names) for payload in later)

    def _going(self) -> tuple[Job, ...]:
        """What waits or comes now, the one that comes first."""
        return tuple(job for job in fetches(self._engine) if not job.over)

    def _bars(self) -> Updates:
        return {self._box.bars: fragments.fetching(self._going())}


def fetches(engine: Engine) -> tuple[Job, ...]:
    """The downloads that wait, run, or were over lately, oldest first."""
    return tuple(job for job in engine.known(KIND) if not job.payload.discard)


def refuse_visitors(shelf: Shelf) -> None:
    """Refuse what only the owner of this machine may do."""
    if not shelf.open:
        raise NOT_ALLOWED(
            "Visitors of this server can't change which models are here", todo="Ask whoever runs it"
        )


def _result(job: Job, dropped: bool) -> str:
    """What came of a fetch, in words."""
    if job.state == "cancelled" and dropped:
        return fragments.notes(["Cancelled. What had come of it is thrown away."])
    if job.state == "cancelled":
        return fragments.notes(["Paused. What has come of it stays, and it goes on from there."], PAUSED)
    if job.error is not None:
        return fragments.notes([job.error.message], "refusal")
    return fragments.notes([f"{title} is here now." for title in job.outcome.titles])
