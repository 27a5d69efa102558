"""One process of several that share a step: `python -m tests.training.gradients WEIGHTS OUT`.

The first process saves the gradients of a step of each stage, and all of them the weights after a few steps.
"""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import save_file

from models.store import Store
from tests.training.made import Made, settings, watched
from training import parts
from training.trainer import Trainer

STAGE_TWO = 2  # the step in which the decoder joins in


def main(weights: Path, out: Path) -> None:
    """Three steps, the last one in stage 2; each process holds two pictures at once."""
    config = settings(
        train={"batch": 4, "at_once": 2, "steps": 3}, stage2={"after": STAGE_TWO, "learning_rate": 1e-3}
    )
    accelerator = Accelerator(cpu=True)
    trainer = Trainer(config, parts.load(config.base, Store(weights), 0), Made(), accelerator)
    seen = watched(trainer)
    losses = torch.tensor([taken.loss for taken in trainer.steps()])
    final = {f"final {name}": tensor for name, tensor in trainer.learning.items()}
    save_file(
        {"losses": losses, "parts": torch.tensor(trainer.feed.parts), **seen, **final},
        out / f"{accelerator.process_index}-of-{accelerator.num_processes}.safetensors",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
