"""What stands in the hole before the first step of inpainting, one table. Listing it imports nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One way: in pixels by the colours around, or in latents by noise or nothing, or not at all."""

    name: str
    label: str
    from_around: bool = False
    empties: bool = False  # the latents are taken out
    adds_noise: bool = False


FILLS: dict[str, Fill] = {
    fill.name: fill
    for fill in (
        Fill(name="original", label="What is there"),
        Fill(name="around", label="The colours around it", from_around=True),
        Fill(name="noise", label="Noise", empties=True, adds_noise=True),
        Fill(name="nothing", label="Nothing", empties=True),
    )
}
