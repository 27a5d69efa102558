"""An example for every tab: a drawn picture and a prompt, so that one click shows what the tab does.

The pictures lie in `ui/examples/`, and are drawn by `python -m scripts.examples`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gradio.components import Component

from annotators import Annotator
from ui.condition_tab import ConditionTab
from ui.uploads import served, uploaded

FOLDER = Path(__file__).with_name("examples")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What a tab is tried with; without a `seed` it starts from a `text`, and not from a picture."""

    name: str
    prompt: str
    seed: int | None = None
    text: str = ""

    @property
    def picture(self) -> Path | None:
        """The file of its picture, RGB, 256 pixels square."""
        return None if self.seed is None else FOLDER / f"{self.name}.webp"


# Seeds count from the first that the built-in family never learnt; prompts are in the words that it knows.
EXAMPLES: Mapping[str, Example] = MappingProxyType(
    {
        example.name: example
        for example in (
            Example(
                name="canny",
                seed=5061,
                prompt="a flat illustration of a white stone castle with red roofs on a hill, at sunset",
            ),
            Example(
                name="softedge",
                seed=5089,
                prompt="a flat illustration of an elephant on dry grass, by night, under the stars",
            ),
            Example(
                name="mlsd",
                seed=5032,
                prompt="a flat illustration of a yellow house with a red roof, at sunset",
            ),
            Example(
                name="scribble",
                seed=5097,
                prompt="a flat illustration of a red windmill with three trees, by night, clear sky",
            ),
            Example(
                name="lineart",
                seed=5353,
                prompt="a flat illustration of a lighthouse and a sailing boat on the coast, by day, sunny",
            ),
            Example(
                name="lineart_anime",
                seed=5671,
                prompt="two friends outdoors in summer, blue sky, anime style",
            ),
            Example(
                name="openpose",
                seed=5041,
                prompt="a flat illustration of a man in a red shirt cheering on a beach, at sunset",
            ),
            Example(
                name="depth",
                seed=5156,
                prompt="a flat illustration of a red tent in the mountains, at sunset",
            ),
            Example(
                name="normal",
                seed=5290,
                prompt="a flat illustration of a yellow teapot on a wooden table",
            ),
            Example(
                name="seg",
                seed=5386,
                prompt="a flat illustration of a red house with pines by a lake, at sunset",
            ),
            Example(
                name="shuffle",
                seed=5102,
                prompt="a castle on a hill",
            ),
            Example(name="ip2p", seed=5028, prompt="make it night"),
            Example(
                name="inpaint",
                seed=5281,
                prompt="a flat illustration of a wooden house with a red roof, at midday, sunny",
            ),
            Example(
                name="tile",
                seed=5676,
                prompt="a flat illustration of a white stone castle with red roofs on a hill",
            ),
            Example(
                name="qr",
                text="Keep the structure, paint the rest.",
                prompt="a garden with flowers and stone paths, from above",
            ),
        )
    }
)


def tried(tab: ConditionTab, begun: Annotator, prompt: Component) -> dict[Any, Any]:
    """The example on its tab, as the tab begins. Its map follows, since the picture or the text changes."""
    example = EXAMPLES[tab.condition.name]
    shown: dict[Any, Any] = {
        tab.picture: None if example.picture is None else served(example.picture),
        tab.typed: example.text,
        prompt: example.prompt,
    }
    if tab.condition.making:
        shown |= {tab.annotator: begun.name, tab.own.switch: False}
    return shown


def is_example(condition: str, payload: Any) -> bool:
    """Whether the raw picture of a tab is its example: that has its map at once, even from a network."""
    picture = EXAMPLES[condition].picture
    if not payload or picture is None:
        return False
    return uploaded(payload).read_bytes() == picture.read_bytes()
