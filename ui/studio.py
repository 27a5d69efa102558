"""The studio: one tab for each entry of CONDITIONS around one shared panel, wired to the engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeAlias

import gradio as gr

import annotators
from annotators import Annotator
from conditions import CONDITIONS
from errors import ArmatureError
from pipelines.engine import Engine, Job
from pipelines.request.composing import alone
from pipelines.request.controls import CONTROL, GUIDANCE, PROMPT, SCHEDULER, STEPS, VAE
from pipelines.request.fetching import Shelf
from pipelines.request.intake import TYPED, Desk, Draft
from ui import fragments
from ui.annotate_tab import AnnotateTab
from ui.border import Page, answers, shows, streams
from ui.compose_tab import ComposeTab
from ui.condition_tab import FAMILYS_OWN, MOVED, ConditionTab, Raw, condition_tab, still
from ui.controls import showing
from ui.endpoints import add_annotate, add_endpoint
from ui.examples import is_example, tried
from ui.fetching import Fetches
from ui.models_tab import ModelsTab
from ui.panel import Board, Panel, panel, vae_choices
from ui.presets import suited, suited_steps
from ui.shown import arranged, can_be_arranged, shown
from ui.start import Place
from ui.visitors import visitor, wish
from ui.watching import watch

SHOWN_PICTURES = 24
# The pill looks every second until the models are ready, and then now and again.
LOOK = """
const look = () => {
    trigger('look');
    setTimeout(look, element.querySelector('.ready') ? 5000 : 1000);
};
setTimeout(look, 1000);
"""
# The progress panel names its job (ui/panel.py); this tab's own job comes before the browser's last one.
RECALL = "() => [sessionStorage.getItem('armature-job') || localStorage.getItem('armature-job') || '']"
Missing: TypeAlias = Callable[..., ArmatureError | None]
Own: TypeAlias = Callable[[str, str], tuple[str, ...]]
Updates: TypeAlias = dict[Any, Any]  # by component: what a handler changes on the page


class Studio:
    """The page's handlers: each builds a request or a draft, hands it on, and shows what comes back.

    `missing(model, condition, control)` says what a tab lacks and how to get it, what speaks against it, or
    nothing; `own` answers the names of the user's own controls for a model and a condition.
    """

    def __init__(
        self, engine: Engine, desk: Desk, missing: Missing, own: Own, family: str, shelf: Shelf
    ) -> None:
        self._engine = engine
        self._shelf = shelf
        self._desk = desk
        self._missing = missing
        self._own = own
        self._family = family

    def page(self) -> gr.Blocks:
        """The whole page. Events read raw values: the gate is the first to look at them."""
        page = Page(title="Armature", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True)
        with page:
            pill = self._head()
            with gr.Column(elem_id="studio"):
                with gr.Tabs(elem_id="conditions", overflow_behavior="wrap"):
                    tabs, places = [], []
                    for condition in CONDITIONS.values():
                        masked = "masked" if condition.needs == "mask" else None
                        with gr.Tab(condition.title, id=condition.name, elem_classes=masked) as opener:
                            tabs.append(condition_tab(condition, self._desk.first(condition)))
                        places.append(_place(opener, tabs[-1]))
                    with gr.Tab("Compose", id="compose") as opener:
                        composed = ComposeTab(self._desk, self._engine, self._refuse_missing)
                    places.append(composed.place(opener))
                    with gr.Tab("Annotate", id="annotate", elem_id="tab-annotate"):
                        AnnotateTab(self._desk, self._engine)
                    with gr.Tab("Models", id="models", elem_id="tab-models"):
                        models = ModelsTab(self._engine, self._shelf)
                shared = panel(self._desk, self._family)
            for tab in tabs:
                self._wire(tab, shared)
                self._wire_sending(tab, shared, composed)
            composed.wire(shared, lambda job_id, raw: self._followed(shared, job_id, raw[shared.board]))
            self._wire_shared(page, tabs, shared, pill, models)
            shared.start.wire(places)
            for condition in CONDITIONS.values():
                add_endpoint(condition, self._desk, self._engine, self._refuse_missing, self._family)
            add_annotate(self._desk)
        page.progress_on(pill)
        return page

    def _head(self) -> gr.HTML:
        with gr.Row(elem_id="head"):
            gr.HTML("<h1>Armature</h1><p>Keep the structure, paint the rest.</p>")
            return gr.HTML(fragments.pill(self._engine.state), js_on_load=LOOK, elem_id="pill")

    def _wire(self, tab: ConditionTab, shared: Panel) -> None:
        movable: list[Any] = [tab.picture, tab.typed, tab.annotator, *tab.settings]
        looks: dict[str, Any] = {
            "inputs": tab.inputs | shared.inputs,
            "outputs": [
                *(tab.map, tab.notes, tab.typed, tab.row, tab.lack),
                *(*tab.own.parts, *tab.groups.values()),
            ],
            "preprocess": False,
            "queue": False,
            "api_visibility": "private",
        }
        refused = partial(_refused, tab)
        look = shows(partial(self._look, tab, shared), refused)
        moved = [*(part.change for part in movable), *(part.input for part in tab.own.switches)]
        for on in (partial(gr.on, moved), tab.notes.again):
            on(look, show_progress="hidden", trigger_mode="always_last", **looks)
        self._wire_example(tab, shared)
        annotate = shows(partial(self._annotate, tab, shared), refused)
        tab.annotate.click(annotate, show_progress="minimal", **looks)
        tab.generate.click(
            streams(partial(self._generate, tab, shared)),
            inputs=tab.inputs | shared.inputs | {shared.board},
            outputs=[tab.map, tab.notes, *shared.outputs],
            preprocess=False,
            show_progress="hidden",
            concurrency_limit=None,
            trigger_mode="multiple",  # pressed again while it paints: another picture, after this one
            api_visibility="private",
        )

    def _wire_example(self, tab: ConditionTab, shared: Panel) -> None:
        prompt = shared.values[PROMPT.name]
        tab.example.click(
            answers(lambda: tried(tab, self._desk.first(tab.condition), prompt)),
            outputs=[tab.picture, tab.typed, tab.annotator, tab.own.switch, prompt],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )

    def _wire_sending(self, tab: ConditionTab, shared: Panel, composed: ComposeTab) -> None:
        """Its map goes to the stack of Compose as it would be followed here."""

        def sent(raw: Raw) -> Updates:
            raw, _ = self._judged(tab, raw)
            draft = self._draft(tab, shared, raw)
            on_stack = composed.send(
                raw, draft, tab.own_picture(raw), tab.unit_values(raw), tab.painting(raw)
            )
            return on_stack | _mapped(tab, draft) | {tab.sent: fragments.notes([composed.named(raw)])}

        tab.send.click(
            shows(sent, lambda words: {tab.sent: fragments.notes([words], "refusal")}),
            tab.inputs | shared.inputs | composed.inputs,
            [tab.sent, composed.cards, tab.map, tab.notes],
            preprocess=False,
            queue=False,
            show_progress="minimal",
            api_visibility="private",
        )

    def _wire_shared(
        self, page: gr.Blocks, tabs: list[ConditionTab], shared: Panel, pill: gr.HTML, models: ModelsTab
    ) -> None:
        quiet: dict[str, Any] = {
            "queue": False,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        shared.cancel.click(answers(self._cancel), shared.board, [shared.cancel, shared.stop], **quiet)
        shared.stop.click(answers(self._stop), shared.board, shared.stop, **quiet)
        order = [shared.best_first, shared.board]
        shared.best_first.input(answers(self._arrange), order, shared.gallery, preprocess=False, **quiet)
        page.load(
            streams(partial(self._resume, shared)),
            inputs=[shared.remembered, shared.board],
            outputs=shared.outputs,
            js=RECALL,
            show_progress="hidden",
            concurrency_limit=None,
            api_visibility="private",
        )
        for moved in (shared.model, shared.values["size"]):
            moved.change(None, js=MOVED, **quiet)  # type: ignore[attr-defined]
        guidance = shared.values[GUIDANCE.name]
        shared.model.input(answers(suited), [shared.model, guidance], guidance, preprocess=False, **quiet)
        scheduler, steps = (shared.values[param.name] for param in (SCHEDULER, STEPS))
        scheduler.input(answers(suited_steps), [scheduler, steps], steps, preprocess=False, **quiet)  # type: ignore[attr-defined]
        marks: dict[str, Any] = {
            "fn": answers(partial(self._marks, tabs, shared)),
            "inputs": {shared.model}.union(*(tab.marked for tab in tabs)),
            "outputs": [shared.model, shared.values[VAE.name], *(part for tab in tabs for part in tab.marks)],
        }
        gr.on([page.load, shared.model.change], **marks, **quiet)
        models.news(**marks, **quiet)
        self._wire_weights(page, tabs, shared, marks | quiet)
        for looks in (page.load, pill.look):
            looks(lambda: fragments.pill(self._engine.state), None, pill, **quiet)

    def _judged(self, tab: ConditionTab, raw: Raw) -> tuple[Raw, Updates]:
        """The values with the switch for ready maps as it stands for this picture, and how it is shown."""
        look, name = None, ""
        if (path := tab.own_picture(raw)) is not None:
            look, name = tab.condition.kind.look(self._desk.picture(path).pixels), str(path)
        now = {**raw, **tab.own.of(raw, name, look)}
        return now, tab.own.shown(raw, now, look)

    def _wire_weights(
        self, page: gr.Blocks, tabs: list[ConditionTab], shared: Panel, marks: dict[str, Any]
    ) -> None:
        """The box that gets weights; whatever came of it, the tabs say anew what they lack."""
        box = shared.weights
        fetches = Fetches(self._engine, self._shelf, box)
        plain: dict[str, Any] = {"outputs": box.outputs, "api_visibility": "private"}
        quick = plain | {"queue": False, "preprocess": False}
        for tab in tabs:
            for button, names, asks in (
                (tab.get_method, self._lacking_of_method, [tab.annotator]),
                (tab.get_model, partial(self._lacking_of_model, tab), [shared.model]),
            ):
                offered = shows(lambda *raw, names=names: fetches.offered(names(*raw)), fetches.refused)
                button.click(offered, asks, show_progress="minimal", **quick)
        box.leave.click(answers(fetches.left), None, show_progress="hidden", **quick)
        paused = shows(fetches.paused, fetches.refused)
        box.pause.click(paused, None, show_progress="hidden", **quick)
        followed: dict[str, Any] = plain | {"show_progress": "hidden", "concurrency_limit": None}
        # a second download is asked for while the first one is still followed
        came = box.fetch.click(streams(fetches.fetched), [box.names], trigger_mode="multiple", **followed)
        came.then(**marks)
        page.load(streams(fetches.resumed), None, **followed).then(**marks)

    def _lacking_of_method(self, annotator: Any) -> tuple[str, ...]:
        return self._shelf.lacking_of_method(annotators.find(annotator).name)

    def _lacking_of_model(self, tab: ConditionTab, family: Any) -> tuple[str, ...]:
        return self._shelf.lacking_of_model(str(family), tab.condition.name)

    def _draft(self, tab: ConditionTab, shared: Panel, raw: Raw) -> Draft:
        return self._desk.draft(
            tab.condition.name,
            None if (path := tab.own_picture(raw)) is None else self._desk.picture(path),
            typed=raw[tab.typed],
            annotator=tab.method(raw),
            values=tab.annotator_values(raw),
            family=raw[shared.model],
            size=raw[shared.values["size"]],
        )

    def _annotate(self, tab: ConditionTab, shared: Panel, raw: Raw) -> Updates:
        raw, own = self._judged(tab, raw)
        return own | _mapped(tab, self._draft(tab, shared, raw)) | self._chosen(tab, tab.method(raw))

    def _look(self, tab: ConditionTab, shared: Panel, raw: Raw) -> Updates:
        """As Annotate, on every move of a control, as far as it costs nothing; from nothing, no map."""
        raw, own = self._judged(tab, raw)
        method = annotators.find(tab.method(raw))
        given = raw[tab.picture] if method.source == "picture" else raw[tab.typed]
        if not given:
            return own | {tab.map: None, tab.notes: ""} | self._chosen(tab, method.name)
        if method.weights and not self._at_once(tab, raw, method):
            later = [f"{method.label} runs a network: press Annotate to see its map.", method.caution]
            told = fragments.notes(filter(None, later))
            return own | {tab.map: None, tab.notes: told} | self._chosen(tab, method.name)
        return own | _mapped(tab, self._draft(tab, shared, raw)) | self._chosen(tab, method.name)

    def _at_once(self, tab: ConditionTab, raw: Raw, method: Annotator) -> bool:
        """Whether even a network is not waited for: it is here, and the picture is our example."""
        return self._desk.lack(method.name) is None and is_example(tab.condition.name, raw[tab.picture])

    async def _generate(self, tab: ConditionTab, shared: Panel, raw: Raw) -> AsyncIterator[Updates]:
        draft, job_id = await asyncio.to_thread(self._submit, tab, shared, raw)
        yield _mapped(tab, draft) | {shared.info: ""}
        async for updates in self._followed(shared, job_id, raw[shared.board]):
            yield updates

    def _refuse_missing(self, family: object, condition: str, control: object) -> None:
        """Say all that is lacking before anything is made; an unknown family is the desk's to refuse."""
        if lack := self._missing(str(family), condition, str(control)):
            raise lack

    def _submit(self, tab: ConditionTab, shared: Panel, raw: Raw) -> tuple[Draft, str]:
        raw, _ = self._judged(tab, raw)
        draft = self._draft(tab, shared, raw)
        self._refuse_missing(raw[shared.model], tab.condition.name, raw[tab.unit[CONTROL.name]])
        values = shared.run_values(raw) | tab.unit_values(raw)
        ground = shared.start.ground(raw, tab.own_picture(raw), tab.painting(raw))
        request = alone(self._desk, draft, family=raw[shared.model], values=values, ground=ground)
        parts = (*tab.ordered, *shared.start.ordered)
        asked = wish(tab.condition.name, raw[shared.model], values, *(raw[part] for part in parts))
        return draft, self._engine.submit("generate", request, owner=visitor(), wish=asked)

    async def _followed(self, shared: Panel, job_id: str, board: Board) -> AsyncIterator[Updates]:
        """A job on the panel, from wherever it stands to its end; while it runs, only if it is the newest."""
        board.job = job_id
        job = self._engine.look(job_id)
        yield {
            shared.cancel: showing(shared.cancel, interactive=True),
            shared.stop: showing(shared.stop, when=job.payload.count > 1, interactive=True),
        }
        async for job in watch(self._engine, job_id):
            if not job.over and board.job == job_id:
                yield {shared.progress: fragments.progress(job)}
        yield _finished(shared, job, board)

    async def _resume(self, shared: Panel, job_id: str, board: Board) -> AsyncIterator[Updates]:
        """After a reload: the job that this browser started last, if it runs or its pictures are there."""
        if not job_id or not self._engine.knows(job_id):
            return
        job = self._engine.look(job_id)
        if job.over and not (job.outcome and shown(job.id, job.outcome)):
            return
        async for updates in self._followed(shared, job_id, board):
            yield updates

    def _cancel(self, board: Board) -> Any:
        if board.job:
            self._engine.cancel(board.job)
        return gr.update(interactive=False), gr.update(interactive=False)

    def _stop(self, board: Board) -> Any:
        if board.job:
            self._engine.stop(board.job)
        return gr.update(interactive=False)

    def _arrange(self, best_first: object, board: Board) -> Any:
        board.best_first = best_first is True
        return _gallery(board)

    def _chosen(self, tab: ConditionTab, annotator: str) -> Updates:
        """The settings of the annotator that makes the map, and what it lacks."""
        method = annotators.find(annotator)
        shown: Updates = {group: gr.update(visible=name == annotator) for name, group in tab.groups.items()}
        shown[tab.row] = gr.update(visible=not method.keeps)
        shown[tab.typed] = gr.update(visible=method.source in TYPED)
        return shown | {tab.lack: self._lack(self._lacking_of_method(annotator))}

    def _lack(self, names: tuple[str, ...], *by_hand: str) -> str:
        """What is lacking of some bundles; the style shows a button below it where visitors may fetch."""
        words = self._shelf.lack(names)
        kind = "note gettable" if words and self._shelf.open else "note"
        return fragments.notes(filter(None, (words, *by_hand)), kind)

    def _marks(self, tabs: list[ConditionTab], shared: Panel, raw: Raw) -> Updates:
        """The models there are; for each tab, its button, what it and its annotator lack, its controls."""
        marks: Updates = {shared.model: gr.update(choices=list(self._desk.models))}
        marks[shared.values[VAE.name]] = gr.update(choices=vae_choices(self._desk))
        for tab in tabs:
            marks |= self._model_marks(tab, raw[shared.model], raw[tab.unit[CONTROL.name]])
            marks[tab.lack] = self._lack(self._lacking_of_method(tab.method(raw)))
        return marks

    def _missing_words(self, *what: str) -> str:
        found = self._missing(*what)
        return found.message if found else ""

    def _model_marks(self, tab: ConditionTab, family: str, chosen: object) -> Updates:
        """What a tab lacks in a family; a control of the user's own serves as well as the family's.

        The control that was `chosen` stays so for as long as it is there.
        """
        condition, names = tab.condition.name, self._own(family, tab.condition.name)
        by_hand = self._missing_words(family, condition)
        choices: list[tuple[str, Any]] = [(name, name) for name in names]
        if by_hand and names:
            by_hand = self._missing_words(family, condition, names[0])
        else:
            choices.insert(0, (FAMILYS_OWN, CONTROL.default))
        chosen = still(chosen, choices)
        label = "Generate · model missing" if by_hand else "Generate"
        return {
            tab.generate: gr.update(value=label, interactive=not by_hand),
            tab.missing: self._lack(self._lacking_of_model(tab, family) if by_hand else (), by_hand),
            tab.unit[CONTROL.name]: gr.update(choices=choices, value=chosen, visible=bool(names)),
        }


def _place(opener: gr.Tab, tab: ConditionTab) -> Place:
    """Where the start finds the picture of a tab."""
    return Place(
        tab=opener,
        inputs={tab.picture},
        changes=[tab.picture.change],
        picture=tab.own_picture,
        brush=tab.brush,
    )


def _mapped(tab: ConditionTab, draft: Draft) -> Updates:
    return {tab.map: draft.map, tab.notes: fragments.notes(draft.notices)}


def _refused(tab: ConditionTab, words: str) -> Updates:
    return {tab.map: None, tab.notes: fragments.notes([words], "refusal")}


def _finished(shared: Panel, job: Job, board: Board) -> Updates:
    """What the panel shows when a job is over: the pictures, or why there are none."""
    hidden = gr.update(visible=False)
    idle: Updates = {}
    if board.job == job.id:
        idle = {shared.cancel: hidden, shared.stop: hidden, shared.progress: ""}
    if job.error is not None:
        kind = "note" if job.state == "cancelled" else "refusal"
        return idle | {shared.info: fragments.notes([job.error.message], kind)}
    saved = job.outcome
    fresh = shown(job.id, saved)
    # a double click is followed twice, and shows its pictures once
    board.pictures = [*fresh, *(old for old in board.pictures if old not in fresh)][:SHOWN_PICTURES]
    return idle | {
        shared.gallery: _gallery(board),
        shared.best_first: gr.update(visible=can_be_arranged(board.pictures)),
        shared.info: fragments.made(saved),
    }


def _gallery(board: Board) -> Any:
    return gr.update(value=arranged(board.pictures, best_first=board.best_first), selected_index=None)
