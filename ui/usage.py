"""What models fill, as HTML: the device's memory with a way to free it, and the disk."""

from collections.abc import Iterable
from html import escape

from pipelines.engine import EngineState, Held, Job
from pipelines.request.fetching import in_words
from pipelines.request.stock import Stock

COLOURS = 5  # of folders, in turn


def memory(state: EngineState, unloading: Job | None, *, open: bool) -> str:
    """The networks in memory, the latest first; where it is `open`, with buttons to let go.

    What rests in the machine's own memory takes no room on the device, and is counted apart.
    """
    used = sum(held.size for held in state.held if not held.resting)
    beside = sum(held.size for held in state.held if held.resting)
    rows = "".join(
        _line(held.name, escape(_titled(held)), held.size, open=open) for held in reversed(state.held)
    )
    facts = [in_words(used), *([f"of {in_words(state.budget)}"] if state.budget else [])]
    facts += [f"on {state.device}"] if state.device else []
    rest = f", and {in_words(beside)} at rest in the machine's memory" if beside else ""
    told = " ".join(facts) + rest if state.held else "Nothing: a job loads what it needs."
    every = button("unload", "", "Unload all") if state.held and open else ""
    share = _meter([used / state.budget]) if state.budget else ""
    return _card("memory", "In memory now", every, share, told, rows, _unloading(unloading))


def disk(stock: Stock) -> str:
    """The folders of the weights, and how much room is left."""
    rows = "".join(
        _line(name, f'<i class="key k{number % COLOURS}"></i>{escape(name)}', size)
        for number, (name, size) in enumerate(stock.folders)
    )
    room = stock.used + stock.free
    share = _meter([size / room for _, size in stock.folders]) if room else ""
    told = f"{in_words(stock.used)} of models, {in_words(stock.free)} free"
    return _card("disk", "On the disk", "", share, told, rows)


def button(do: str, name: str, words: str, about: str = "", *, kind: str = "") -> str:
    """A button of the tab; `about` is what a screen reader says besides."""
    label = f' aria-label="{escape(f"{words}: {about}")}"' if about else ""
    css = f' class="{kind}"' if kind else ""
    does = f'data-do="{do}" data-name="{escape(name)}"'
    return f'<button type="button" {does}{css}{label}>{escape(words)}</button>'


def refusal(words: str) -> str:
    """Why something can't be; nothing where there is nothing to say."""
    return f'<p class="under refusal">{escape(words)}</p>' if words else ""


def _card(name: str, title: str, acts: str, meter: str, told: str, rows: str, after: str = "") -> str:
    return (
        f'<section class="card" id="models-{name}"><header><h3>{title}</h3>{acts}</header>{meter}'
        f'<p class="help">{escape(told)}</p><ul class="lines">{rows}</ul>{after}</section>'
    )


def _titled(held: Held) -> str:
    return held.name[:1].upper() + held.name[1:] + (", at rest" if held.resting else "")


def _line(name: str, words: str, size: int, *, open: bool = False) -> str:
    act = button("unload", name, "Unload", name) if open else ""
    told = f'<span>{words}</span><span class="size">{in_words(size)}</span>'
    return f'<li data-row="{escape(name)}">{told}{act}</li>'


def _unloading(job: Job | None) -> str:
    """How the last wish of this page to free memory went."""
    if job is None:
        return ""
    if not job.over:
        return '<p class="help busy">Unloading…</p>'
    if job.error is not None:
        return refusal(job.error.message)
    words = [f"{in_words(job.outcome.size)} freed."] if job.outcome.gone else []
    if job.outcome.kept:
        words.append(f"In use by the job that runs: {', '.join(job.outcome.kept)}.")
    return f'<p class="help">{escape(" ".join(words or ["It was gone already."]))}</p>'


def _meter(shares: Iterable[float]) -> str:
    parts = "".join(
        f'<i class="k{number % COLOURS}" style="width:{100 * min(1.0, share):.2f}%"></i>'
        for number, share in enumerate(shares)
    )
    return f'<div class="meter">{parts}</div>'
