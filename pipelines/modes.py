"""How a control and the prompt share a picture, one table: factors by depth, and under which prompt it acts.

A ControlNet adds to each skip of the U-Net, from the shallowest to the deepest, and last to its middle.
Listing this imports nothing.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Falloff: TypeAlias = Literal["flat", "powers", "logarithmic"]
AUTO = "auto"  # whichever suits the model
FALL, DEPTH = 0.825, 12  # from the middle, 12 layers up in Stable Diffusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One way to share.

    `falloff` is how the factors grow smaller from the middle to the shallowest layer. A control that is not
    `on_both` acts under the prompt only, so that guidance raises all that it adds.
    """

    name: str
    label: str
    falloff: Falloff
    on_both: bool

    def factors(self, layers: int) -> tuple[float, ...]:
        """The factor of each of so many layers, the shallowest first; the middle has 1.

        A smaller U-Net goes through the same factors in fewer layers.
        """
        depths = [index / (layers - 1) for index in range(layers)]  # 0 at the shallowest, 1 at the middle
        match self.falloff:
            case "flat":
                return (1.0,) * layers
            case "powers":
                return tuple(FALL ** (DEPTH * (1 - depth)) for depth in depths)
            case "logarithmic":
                return tuple(10 ** (depth - 1) for depth in depths)


MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode(name="balanced", label="Balanced", falloff="flat", on_both=True),
        Mode(name="prompt", label="The prompt matters more", falloff="powers", on_both=True),
        Mode(name="control", label="The control matters more", falloff="powers", on_both=False),
        Mode(name="strict", label="Strictly the control", falloff="flat", on_both=False),
        Mode(name="guess", label="Guess, with or without a prompt", falloff="logarithmic", on_both=False),
    )
}
