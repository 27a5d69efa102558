"""The studio: one tab for each entry of CONDITIONS around one shared panel, wired to the engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeAlias

import gradio as gr

import annotators
from conditions import CONDITIONS
from errors import MODEL_MISSING
from pipelines.engine import Engine, Job
from pipelines.request.intake import TYPED, Desk, Draft
from ui import fragments
from ui.border import Page, answers, shows, streams
from ui.condition_tab import ConditionTab, Raw, condition_tab
from ui.endpoints import add_annotate, add_endpoint
from ui.panel import Board, Panel, panel
from ui.shown import arranged, can_be_arranged, shown
from ui.uploads import uploaded
from ui.visitors import visitor, wish
from ui.watching import watch

SHOWN_PICTURES = 24
# The progress panel names its job (ui/panel.py); this tab's own job comes before the browser's last one.
RECALL = "() => [sessionStorage.getItem('armature-job') || localStorage.getItem('armature-job') || '']"
Missing: TypeAlias = Callable[[str, str], str]
Updates: TypeAlias = dict[Any, Any]  # by component: what a handler changes on the page


class Studio:
    """The page's handlers: each builds a request or a draft, hands it on, and shows what comes back.

    `missing(family, condition)` says in words what a tab lacks and how to get it, or nothing.
    """

    def __init__(self, engine: Engine, desk: Desk, missing: Missing, family: str) -> None:
        self._engine = engine
        self._desk = desk
        self._missing = missing
        self._family = family

    def page(self) -> gr.Blocks:
        """The whole page. Events read raw values: the gate is the first to look at them."""
        page = Page(title="Armature", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True)
        with page:
            pill = self._head()
            with gr.Column(elem_id="studio"):
                with gr.Tabs(elem_id="conditions", overflow_behavior="wrap"):
                    tabs = []
                    for condition in CONDITIONS.values():
                        with gr.Tab(condition.title, id=condition.name):
                            tabs.append(condition_tab(condition))
                shared = panel(self._desk, self._family)
            for tab in tabs:
                self._wire(tab, shared)
            self._wire_shared(page, tabs, shared, pill)
            for condition in CONDITIONS.values():
                add_endpoint(condition, self._desk, self._engine, self._refuse_missing, self._family)
            add_annotate(self._desk)
        return page

    def _head(self) -> gr.HTML:
        with gr.Row(elem_id="head"):
            gr.HTML("<h1>Armature</h1><p>Keep the structure, paint the rest.</p>")
            return gr.HTML(fragments.pill(self._engine.state), elem_id="pill")

    def _wire(self, tab: ConditionTab, shared: Panel) -> None:
        movable: list[Any] = [tab.picture, tab.typed, tab.annotator, *tab.settings]
        movable += [shared.model, shared.values["size"]]
        looks: dict[str, Any] = {
            "inputs": tab.inputs | shared.inputs,
            "outputs": [tab.map, tab.notes, tab.typed, *tab.groups.values()],
            "preprocess": False,
            "queue": False,
            "api_visibility": "private",
        }
        refused = partial(_refused, tab)
        gr.on(
            [component.change for component in movable],
            shows(partial(self._look, tab, shared), refused),
            show_progress="hidden",
            trigger_mode="always_last",
            **looks,
        )
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

    def _wire_shared(self, page: gr.Blocks, tabs: list[ConditionTab], shared: Panel, pill: gr.HTML) -> None:
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
        marks = [part for tab in tabs for part in (tab.generate, tab.missing)]
        gr.on(
            [page.load, shared.model.change],
            answers(partial(self._marks, tabs)),
            shared.model,
            marks,
            **quiet,
        )
        gr.on(
            [page.load, gr.Timer(1.0).tick], lambda: fragments.pill(self._engine.state), None, pill, **quiet
        )

    def _draft(self, tab: ConditionTab, shared: Panel, raw: Raw) -> Draft:
        return self._desk.draft(
            tab.condition.name,
            None if raw[tab.picture] is None else self._desk.picture(uploaded(raw[tab.picture])),
            typed=raw[tab.typed],
            annotator=raw[tab.annotator],
            values=tab.annotator_values(raw),
            family=raw[shared.model],
            size=raw[shared.values["size"]],
        )

    def _annotate(self, tab: ConditionTab, shared: Panel, raw: Raw) -> Updates:
        return _mapped(tab, self._draft(tab, shared, raw)) | _chosen(tab, raw[tab.annotator])

    def _look(self, tab: ConditionTab, shared: Panel, raw: Raw) -> Updates:
        """As Annotate, on every move of a control, as far as it costs nothing; from nothing, no map."""
        method = annotators.find(raw[tab.annotator])
        given = raw[tab.picture] if method.source == "picture" else raw[tab.typed]
        if not given:
            return {tab.map: None, tab.notes: ""} | _chosen(tab, method.name)
        if method.weights:
            later = [f"{method.label} runs a network: press Annotate to see its map."]
            return {tab.map: None, tab.notes: fragments.notes(later)} | _chosen(tab, method.name)
        return self._annotate(tab, shared, raw)

    async def _generate(self, tab: ConditionTab, shared: Panel, raw: Raw) -> AsyncIterator[Updates]:
        draft, job_id = await asyncio.to_thread(self._submit, tab, shared, raw)
        yield _mapped(tab, draft) | {shared.info: ""}
        async for updates in self._followed(shared, job_id, raw[shared.board]):
            yield updates

    def _refuse_missing(self, family: object, condition: str) -> None:
        """Say all that is lacking before anything is made; an unknown family is the desk's to refuse."""
        if lack := self._missing(str(family), condition):
            raise MODEL_MISSING(lack)

    def _submit(self, tab: ConditionTab, shared: Panel, raw: Raw) -> tuple[Draft, str]:
        draft = self._draft(tab, shared, raw)
        self._refuse_missing(raw[shared.model], tab.condition.name)
        values = shared.run_values(raw) | tab.unit_values(raw)
        request = self._desk.request(draft, family=raw[shared.model], values=values)
        asked = wish(tab.condition.name, *(raw[part] for part in tab.ordered), values)
        return draft, self._engine.submit("generate", request, owner=visitor(), wish=asked)

    async def _followed(self, shared: Panel, job_id: str, board: Board) -> AsyncIterator[Updates]:
        """A job on the panel, from wherever it stands to its end; while it runs, only if it is the newest."""
        board.job = job_id
        job = self._engine.look(job_id)
        yield {
            shared.cancel: gr.update(visible=True, interactive=True),
            shared.stop: gr.update(visible=job.payload.count > 1, interactive=True),
        }
        async for job in watch(self._engine, job_id):
            if not job.over and board.job == job_id:
                yield {shared.progress: fragments.progress(job)}
        yield _finished(shared, job, board)

    async def _resume(self, shared: Panel, job_id: str, board: Board) -> AsyncIterator[Updates]:
        """After a reload: the job that this browser started last, if it runs still or has a result."""
        if not job_id or not self._engine.knows(job_id):
            return
        job = self._engine.look(job_id)
        if job.over and job.outcome is None:
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

    def _marks(self, tabs: list[ConditionTab], family: str) -> list[Any]:
        """For each tab, its button and what it lacks in this family."""
        marks = []
        for tab in tabs:
            lack = self._missing(family, tab.condition.name)
            label = "Generate · model missing" if lack else "Generate"
            marks += [gr.update(value=label, interactive=not lack), fragments.notes([lack] if lack else [])]
        return marks


def _mapped(tab: ConditionTab, draft: Draft) -> Updates:
    return {tab.map: draft.map, tab.notes: fragments.notes(draft.notices)}


def _refused(tab: ConditionTab, words: str) -> Updates:
    return {tab.map: None, tab.notes: fragments.notes([words], "refusal")}


def _chosen(tab: ConditionTab, annotator: str) -> Updates:
    shown: Updates = {group: gr.update(visible=name == annotator) for name, group in tab.groups.items()}
    return shown | {tab.typed: gr.update(visible=annotators.find(annotator).source in TYPED)}


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
