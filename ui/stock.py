"""The Models tab as HTML: what is here and what can be had, one's own files, the memory and the disk.

Each button has `data-do`, what it does, and `data-name`, to what (`models.js` tells the server). What is not
ours is escaped here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, TypeAlias
from zlib import crc32

from pipelines.engine import EngineState, Job
from pipelines.request.fetching import Offer, in_words
from pipelines.request.stock import Group, Item, OwnFile, Stock
from ui import fragments
from ui.usage import button, disk, memory, refusal

State: TypeAlias = Literal["here", "damaged", "absent", "waits", "comes", "paused", "goes"]
WHERE = (
    ("bases", "Checkpoints, a file or a folder each"),
    ("controls/<condition>", "ControlNets"),
    ("loras", "LoRAs"),
    ("embeddings", "Textual inversions"),
    ("vaes", "VAEs"),
)


@dataclass(slots=True)
class View:
    """What one open page has asked for: an offer, a removal to be sure of, an unloading job.

    `refused` has the words of the last refusal by the name of its row. `asked` counts its questions, so that
    every answer is drawn, even one that changes nothing else.
    """

    offer: Offer | None = None
    removing: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    unloading: str = ""
    asked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that is drawn: the stock, the engine's memory, the fetch jobs, and how unloading goes.

    `open` is whether visitors of this profile may change anything.
    """

    stock: Stock
    engine: EngineState
    jobs: Sequence[Job]
    open: bool
    unloading: Job | None = None


def page(scene: Scene, view: View) -> str:
    """The whole tab. `data-mark` changes with anything that is drawn, `data-news` with what is here."""
    stock = scene.stock
    aside = memory(scene.engine, scene.unloading, open=scene.open) + disk(stock)
    groups = "".join(_group(group, scene, view) for group in stock.groups)
    body = f'<aside>{aside}</aside><div class="main">{_head(scene, view)}{groups}{_own(stock.own)}</div>'
    news = [item.title for group in stock.groups for item in group.items if item.whole]
    news += [f"{file.place} {file.refusal}" for file in stock.own]
    marks = f'data-mark="{mark(body)}" data-news="{mark("".join(news))}" data-asked="{view.asked}"'
    return f'<div class="stock" {marks}>{body}</div>'


def mark(text: str) -> str:
    """A short sign that is another for another text."""
    return f"{crc32(text.encode()):08x}"


def _head(scene: Scene, view: View) -> str:
    items = [item for group in scene.stock.groups for item in group.items]
    here = sum(item.whole for item in items)
    refused = sum(bool(file.refusal) for file in scene.stock.own) + sum(bool(item.trouble) for item in items)
    facts = [f"{here} of {len(items)} here", f"{len(scene.stock.own)} of your own"]
    told = [scene.stock.trouble] if scene.stock.trouble else []
    if scene.stock.offline:
        told.append("HF_HUB_OFFLINE is set, so nothing is fetched.")
    if not scene.open:
        told.append("Visitors see what is here. Whoever runs this server fetches, removes and unloads.")
    line = "".join(f"<span>{escape(fact)}</span>" for fact in facts)
    line += f'<span class="bad">{refused} of no use</span>' if refused else ""
    return (
        f'<header><p class="facts">{line}</p>{button("refresh", "", "Refresh")}</header>'
        f"{fragments.notes(told)}{refusal(view.refused.get('', ''))}"
    )


# What can be had


def _group(group: Group, scene: Scene, view: View) -> str:
    rows = _built_in([item for item in group.items if not item.name])
    rows += "".join(_item(item, scene, view) for item in group.items if item.name)
    return _section(group.name, group.title, f"<p>{escape(group.help)}</p>", rows)


def _section(name: str, title: str, about: str, rows: str) -> str:
    return (
        f'<section data-group="{name}"><h3>{escape(title)}</h3><div class="help">{about}</div>'
        f'<ul class="items">{rows}</ul></section>'
    )


def _built_in(items: Sequence[Item]) -> str:
    """What comes with the program, in one row: nothing can be done with it."""
    if not items:
        return ""
    whole = all(item.whole for item in items)
    title = "Comes with the program" if whole else "Is not part of this checkout"
    names = ", ".join(item.title for item in items)
    size = in_words(sum(item.here for item in items))
    return _row("here wide" if whole else "absent wide", title, title, names, size, "", "")


def state_of(item: Item, jobs: Sequence[Job]) -> tuple[State, Job | None]:
    """How an item stands, by the disk and by the newest job about it."""
    about = [job for job in jobs if item.name in job.payload.names]
    newest = max(about, key=lambda job: job.seq, default=None)
    if newest is not None and not newest.over:
        if newest.payload.discard:
            return "goes", newest
        return ("waits" if newest.state == "queued" else "comes"), newest
    if item.trouble:
        return "damaged", newest
    if item.whole:
        return "here", newest
    return ("paused" if item.here else "absent"), newest


def _item(item: Item, scene: Scene, view: View) -> str:
    state, job = state_of(item, scene.jobs)
    acts = "" if _asked(item, state, view) else _acts(item, state, scene)
    under = _asked(item, state, view) or _under(item, state, job, view)
    about = " and ".join(f"{licence} · {repo}" for repo, licence in item.sources)
    here = in_words(item.here)
    sizes = {"here": here, "damaged": here, "absent": f"about {in_words(item.size)}"}
    return _row(state, item.name, item.title, about, sizes.get(state, ""), acts, under)


def _row(state: str, name: str, title: str, about: str, size: str, acts: str, under: str) -> str:
    small = f'<small title="{escape(about)}">{escape(about)}</small>'
    return (
        f'<li class="item {state}" data-row="{escape(name)}"><i class="dot"></i>'
        f'<div class="what"><b>{escape(title)}</b>{small}</div>'
        f'<span class="size">{size}</span><span class="acts">{acts}</span>{under}</li>'
    )


def _acts(item: Item, state: State, scene: Scene) -> str:
    """The buttons of an item, where visitors may press any."""
    if not scene.open:
        return ""
    acts: tuple[tuple[str, str], ...] = ()
    remove = (("remove", "Remove"),) if item.removable else ()
    if state == "absent":
        acts = () if scene.stock.offline else (("offer", "Get"),)
    elif state in ("waits", "comes"):
        # to cancel what mends a file would throw away the good ones beside it
        acts = (("pause", "Pause"), *(() if item.trouble else (("cancel", "Cancel"),)))
    elif state == "paused":
        acts = (("resume", "Resume"), *((("cancel", "Cancel"),) if item.removable else ()))
    elif state == "damaged":
        acts = remove if scene.stock.offline else (("again", "Fetch again"), *remove)
    elif state == "here":
        acts = remove
    return "".join(button(do, item.name, words, item.title) for do, words in acts)


def _asked(item: Item, state: State, view: View) -> str:
    """A question about an item, with its answers: whether to fetch it, or to remove it."""
    if state in ("here", "damaged") and view.removing == item.name:
        words = f"Remove {in_words(item.here)} from the disk? It can be fetched again."
        return _question(words, button("removed", item.name, "Remove"), button("leave", item.name, "Keep"))
    if state == "absent" and view.offer is not None and item.name in view.offer.names:
        size = in_words(view.offer.size - view.offer.here)
        fetch = button("fetch", item.name, f"Fetch {size}", kind="primary")
        return _question(view.offer.words, fetch, button("leave", item.name, "Not now"))
    return ""


def _under(item: Item, state: State, job: Job | None, view: View) -> str:
    """What is told below an item: a bar or what is wrong, and why something failed or was refused."""
    on_its_way = state in ("waits", "comes", "goes", "paused")
    first = _progress(item, state, job) if on_its_way else refusal(item.trouble)
    return first + refusal(view.refused.get(item.name) or _failure(job))


def _question(words: str, *buttons: str) -> str:
    return f'<div class="under ask"><p>{escape(words)}</p><span class="acts">{"".join(buttons)}</span></div>'


def _failure(job: Job | None) -> str:
    """Why the newest job about an item failed; being paused is no failure."""
    return job.error.message if job is not None and job.error and job.state == "failed" else ""


def _progress(item: Item, state: State, job: Job | None) -> str:
    """A bar with how much is here; while it comes, how fast, and how long it takes."""
    words, aside, done, total = "", "", item.here, item.size
    if state == "comes" and job is not None and job.state == "fetching":
        words, aside = f"{in_words(job.step)} of {in_words(job.total)}", fragments.speed(job)
        done, total = job.step, job.total
    words = words or {
        "waits": "Waits for the download before it",
        "goes": "Is being thrown away",
        "paused": f"Paused: {in_words(item.here)} of about {in_words(item.size)}",
    }.get(state, "Looking at what is here")
    percent = min(100, round(100 * done / total)) if total else 0
    return (
        f'<div class="under"><div class="bar" role="progressbar" aria-label="{escape(item.title)}" '
        f'aria-valuenow="{percent}" aria-valuemax="100"><i style="width:{percent}%"></i></div>'
        f'<p class="told"><span>{escape(words)}</span><span>{escape(aside)}</span></p></div>'
    )


# One's own


def _own(files: Sequence[OwnFile]) -> str:
    rows = "".join(_own_file(file) for file in files)
    where = "".join(
        f"<li><code>weights/{escape(folder)}</code> {escape(what)}</li>" for folder, what in WHERE
    )
    about = f'<p>Put them here, and press Refresh: no restart is needed.</p><ul class="where">{where}</ul>'
    return _section("own", "Your own files", about, rows)


def _own_file(file: OwnFile) -> str:
    folder, _, name = file.place.rpartition("/")
    about = f"{file.what[:1].upper()}{file.what[1:]}" if file.what else "Not known"
    state = "refused" if file.refusal else "here"
    return _row(
        state, file.place, name, f"{about} · {folder}", in_words(file.size), "", refusal(file.refusal)
    )
