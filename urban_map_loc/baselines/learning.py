# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The training loop of the baselines that learn: that of `training/`, for any network with a loss.

AdamW on a cosine schedule over minutes or steps, gradients clipped, the moving average of the weights as the result, resumable.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from urban_map_loc.baselines.system import Budget, Progress
from urban_map_loc.config import TrainingConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.training import state as kept
from urban_map_loc.training.averaging import WeightAverage
from urban_map_loc.training.interruption import Interruption
from urban_map_loc.training.schedule import learning_rate
from urban_map_loc.training.trainer import Step

# Writing the state takes at most this share of the time.
STATE_SHARE = 0.02


class Learner:
    """One training of a network: `step` until `fraction` is 1, then `finish`."""

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[int], Tensor],
        peak: float,
        training: TrainingConfig,
        budget: Budget,
        seed: int,
        identity: str,
    ) -> None:
        """What is trained and how.

        Args:
            network: of which all parameters are trained, those of the loss among them.
            loss: of a step's number; what it looks at depends on that number alone.
            peak: of the learning rate.
            training: warm-up, weight decay, clipping, averaging.
            budget: minutes or steps.
            seed: of dropout.
            identity: of area, settings and seed: a state of another one is refused.
        """
        self.network, self.loss, self.peak, self.training, self.budget = network, loss, peak, training, budget
        self.seed, self.identity = seed, identity
        self.average = WeightAverage(network, training.average_decay)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=peak, weight_decay=training.weight_decay, fused=True)
        self.steps, self.seconds = 0, 0.0

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return self.budget.share(self.steps, self.seconds)

    def step(self) -> Step:
        """One optimizer step, with the loss before it.

        Raises:
            ModelError: the loss or its gradient is not finite.
        """
        began = time.perf_counter()
        rate = learning_rate(self.peak, self.training.warmup_steps, self.steps, self.fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(int(np.random.default_rng((self.seed, self.steps)).integers(2**63)))  # a resumed training drops out the same
        self.network.train()
        loss = self.loss(self.steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.training.gradient_clip))
        value = float(loss.detach())
        if not math.isfinite(value + norm):
            raise ModelError(f"the loss is {value} and its gradient {norm} at step {self.steps}; train again with a smaller learning rate")
        self.optimizer.step()
        self.steps += 1
        self.average.update(self.network, self.steps)
        self.seconds += time.perf_counter() - began
        return Step(value, norm, rate)

    def finish(self) -> None:
        """Leave the averaged weights in the network, in evaluation mode."""
        self.network.load_state_dict(self.average.network.state_dict())
        self.network.eval()

    @property
    def _modules(self) -> dict[str, nn.Module]:
        return {"network": self.network, "average": self.average.network}

    def save_state(self, path: Path) -> None:
        """Everything that `load_state` needs to go on."""
        metadata = {"identity": self.identity, "steps": str(self.steps), "seconds": str(self.seconds)}
        kept.save_state(path, self._modules, self.optimizer, metadata)

    def load_state(self, path: Path) -> None:
        """Go on where `save_state` left off.

        Raises:
            ModelError: the file is missing, damaged, or of another area or other settings.
        """
        metadata = kept.load_state(path, self._modules, self.optimizer, self.identity)
        self.steps, self.seconds = int(metadata["steps"]), float(metadata["seconds"])


class Training(Protocol):
    """A `Learner`, or MapNet's own `Trainer`."""

    steps: int

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        ...

    def step(self) -> Step:
        """One optimizer step."""
        ...

    def save_state(self, path: Path) -> None:
        """Everything that `load_state` needs to go on."""
        ...

    def load_state(self, path: Path) -> None:
        """Go on where `save_state` left off."""
        ...


def learn(training: Training, state: Path, checkpoint_seconds: float, progress: Progress) -> None:
    """Train to the end of the budget, from `state` on if there is one; the state of a finished training is deleted.

    Raises:
        ModelError, OutputError: in one line each.
        KeyboardInterrupt: after the state was saved.
    """
    if state.exists():
        training.load_state(state)
    saved, pause_s = time.monotonic(), checkpoint_seconds
    with Interruption() as interruption:
        while training.fraction < 1.0:
            step = training.step()
            progress(training.fraction, f"step {training.steps}, loss {step.loss:.3f}")
            if interruption.requested or time.monotonic() - saved > pause_s:
                began = time.monotonic()
                training.save_state(state)
                saved = time.monotonic()
                pause_s = max(checkpoint_seconds, (saved - began) / STATE_SHARE)
            if interruption.requested:
                raise KeyboardInterrupt(f"after {training.steps} steps; the same command goes on from there")
    state.unlink(missing_ok=True)
