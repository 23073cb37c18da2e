"""How a network is trained: the numbers of a recipe, and what follows from them for every step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How to train: epochs over the data, images per step, the optimisers' numbers, and the decay of the EMA.

    ``learning_rate`` is Adam's, ``muon_learning_rate`` that of Muon on the convolutions between the first and the last
    (``ddpm.training.optimizers``); 0 leaves all to Adam. Both are peaks: they rise linearly over ``warmup_steps``
    steps and fall linearly to almost 0 over the last ``cooldown`` share of the training. 0 turns either off.

    ``adam_beta_2`` is below Adam's 0.999: a run of 2,345 steps is short, and older squared gradients mislead it.

    ``ema_decay`` 0 turns averaging off; during the first steps the decay is lower, (1 + n) / (10 + n), so that the
    average forgets the initial weights.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    muon_learning_rate: float
    warmup_steps: int
    cooldown: float
    adam_beta_2: float
    ema_decay: float

    def rate(self, step: int, steps: int) -> float:
        """The share of the peak learning rates at one step of 1..steps: warm-up, constant, cool-down to almost 0."""
        up = step / self.warmup_steps if self.warmup_steps else 1.0
        down = (steps - step + 1) / (self.cooldown * steps) if self.cooldown else 1.0
        return min(up, 1.0, down)

    def decay(self, step: int) -> float:
        """The decay of the average of the weights at one step of 1, 2, ..."""
        return min(self.ema_decay, (1 + step) / (10 + step))
