"""Making the maps of the Annotate tab: what was asked for, checked, and the cards as they are made."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import annotators
import gate
from annotators import ANNOTATORS, Annotation, Annotator
from annotators.base import Pixels, Source
from errors import PARAM_RANGE, PARAM_TYPE
from gate import Picture
from params import Value
from pipelines.engine import Engine
from pipelines.request.controls import RESOLUTION, allowed_params
from pipelines.request.intake import Desk, fit, source_of
from ui.border import Told, replies
from ui.sheet import Card, filed
from ui.uploads import uploaded
from ui.visitors import visitor
from ui.watching import ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one press of the button asks for, checked: cards in their order, and what each starts from."""

    cards: tuple[Card, ...]
    picture: Pixels | None
    typed: Mapping[Source, str]
    resolution: int
    values: Mapping[str, Mapping[str, Value]]
    notices: tuple[str, ...]


@dataclass(slots=True)
class Run:
    """A run that somebody may stop, and whose maps nobody may want any more."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: bool = False


class Maker:
    """Makes maps by the same desk and engine as every tab, one after the other."""

    def __init__(self, desk: Desk, engine: Engine) -> None:
        self._desk = desk
        self._engine = engine
        (self.resolution,) = allowed_params((RESOLUTION,), desk.limits)

    def order(
        self,
        *,
        picture: Any,
        chosen: Any,
        typed: Mapping[Source, Any],
        resolution: Any,
        values: Mapping[str, Mapping[str, Any]],
    ) -> Order:
        """What was asked for, through the gate. Nothing chosen means all that start from what is given."""
        texts = {source: text if isinstance(text, str) else "" for source, text in typed.items()}
        methods = self._methods(chosen) or tuple(
            method for method in ANNOTATORS.values() if method.source == "picture" or texts[method.source]
        )
        pixels: Pixels | None = None
        notices: tuple[str, ...] = ()
        if any(method.source == "picture" for method in methods):
            pixels, notices = self._bearable(self._desk.picture(uploaded(picture)))
        return Order(
            cards=self._bounded([self._card(method, pixels) for method in methods]),
            picture=pixels,
            typed=texts,
            resolution=int(self.resolution.check(resolution)),
            values={
                method.name: gate.check_values(method.params, values.get(method.name, {}))
                for method in methods
            },
            notices=notices,
        )

    def _methods(self, chosen: Any) -> tuple[Annotator, ...]:
        """The annotators that were chosen, each once."""
        if not isinstance(chosen, list) or not all(isinstance(name, str) for name in chosen):
            raise PARAM_TYPE(
                "The annotators can't be taken", found=type(chosen).__name__, allowed="a list of names"
            )
        methods = tuple(annotators.find(name) for name in dict.fromkeys(chosen))
        if len(methods) > self._desk.limits.maps:
            raise PARAM_RANGE(
                "So many maps can't be made at once",
                found=str(len(methods)),
                allowed=f"at most {self._desk.limits.maps}",
                todo="Choose fewer",
            )
        return methods

    def _bounded(self, cards: Sequence[Card]) -> tuple[Card, ...]:
        """The cards, of which only so many will run."""
        most = self._desk.limits.maps
        over = [place for place in _quick_first(cards) if cards[place].state == "waits"][most:]
        left = f"left out: {most} at once"
        return tuple(
            replace(card, state="left", words=left) if place in over else card
            for place, card in enumerate(cards)
        )

    def _bearable(self, picture: Picture) -> tuple[Pixels, tuple[str, ...]]:
        """The pixels, with a short side no longer than any working one, and the notices of all that."""
        height, width = picture.pixels.shape[:2]
        scale = self._desk.limits.working_side / min(height, width)
        if scale >= 1:
            return picture.pixels, picture.notices
        smaller = (round(width * scale), round(height * scale))
        notice = f"The picture is brought to {smaller[0]}x{smaller[1]}, and so are its maps."
        return fit(picture.pixels, *smaller, "area"), (*picture.notices, notice)

    def _card(self, method: Annotator, pixels: Pixels | None) -> Card:
        """The card of an annotator before it runs, or one that says what it needs."""
        height, width = (1, 1) if pixels is None else pixels.shape[:2]
        card = Card(name=method.name, label=method.label, size=(width, height))
        lack = self._desk.lack(method.name)
        if lack is None:
            return card
        files = f"needs {len(lack.files)} {'file' if len(lack.files) == 1 else 'files'}"
        return replace(card, state="lacks", words=files, todo=lack.todo)

    async def grown(self, order: Order, run: Run) -> AsyncIterator[tuple[Card, ...]]:
        """The cards after each change, until all are made or the run is to stop."""
        cards = list(order.cards)
        for place in _quick_first(cards):
            if cards[place].state != "waits" or run.stop.is_set():
                continue
            cards[place] = replace(cards[place], state="runs")
            yield tuple(cards)
            made = await _unless(run.stop, self._tried(order, cards[place]))
            if made is not None:
                cards[place] = made
                yield tuple(cards)

    async def _tried(self, order: Order, card: Card) -> Card:
        """The card with its map, or with the words for why there is none; the next one is tried anyway."""
        try:
            return await replies(self._made)(order, card)
        except Told as error:
            return replace(card, state="failed", words=error.message)

    async def _made(self, order: Order, card: Card) -> Card:
        began = time.monotonic()
        found = await self._annotation(order, annotators.find(card.name))
        seconds = time.monotonic() - began
        return replace(
            card, state="done", seconds=seconds, **await asyncio.to_thread(filed, card.name, found)
        )

    async def _annotation(self, order: Order, method: Annotator) -> Annotation:
        values: dict[str, Any] = dict(order.values[method.name])
        if method.source != "picture":
            source = source_of(method, order.typed[method.source])
            return await asyncio.to_thread(annotators.annotate, method.name, source, **values)
        assert order.picture is not None, "a picture was asked for first"
        wanted = (method.name, order.picture, order.resolution, values)
        if not method.weights:
            return await asyncio.to_thread(self._desk.annotation, *wanted)
        request = await asyncio.to_thread(self._desk.asked, *wanted)
        job_id = self._engine.submit("annotate", request, owner=visitor())
        try:
            job = await ended(self._engine, job_id)
        finally:
            # Whoever has left need not be waited for; but what runs is let run: a worker that does not come
            # back from a network in time would be replaced, and the generation beside it lost.
            if self._engine.look(job_id).state == "queued":
                self._engine.cancel(job_id)
        return await asyncio.to_thread(self._desk.answered, job.outcome)


async def _unless(stop: asyncio.Event, making: Coroutine[Any, Any, Card]) -> Card | None:
    """What is being made, or nothing where that is stopped before."""
    made, stopped = asyncio.ensure_future(making), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({made, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return made.result() if made.done() else None
    finally:
        made.cancel()
        stopped.cancel()


def _quick_first(cards: Sequence[Card]) -> list[int]:
    """The places of the cards: what needs no network is there in a moment and waits for nothing."""
    return sorted(range(len(cards)), key=lambda place: bool(annotators.find(cards[place].name).weights))
