"""One plain training loop that can stop after any step and go on with the same bits."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from gossamer.analyze.flow.gradient import mean_gradient
from gossamer.analyze.training_flops import Segment
from gossamer.bench.data import Augment, batches, seeded
from gossamer.bench.optim import build_optimizer, build_scheduler
from gossamer.bench.samples import Samples, as_input, autocast, steps_per_epoch
from gossamer.bench.settings import TrainSettings
from gossamer.bench.trace import Trace
from gossamer.bench.tracer import Save, Tracer, fixed_images
from gossamer.core.errors import SettingError, StateError
from gossamer.core.initialize import INITIALIZERS
from gossamer.core.method import Method
from gossamer.core.named import Where, select
from gossamer.core.sparsifier import Sparsifier


class Training:
    """A network, its optimizer and its sparsifier, moved step by step.

    Every random choice is a function of (seed, epoch) or (seed, step), so that a state restored after any step
    continues with the same bits; only dropout draws from torch's own generator, whose state is kept too.

    Args:
        model: the network, taking images in [0, 1], on its device.
        samples: what it trains on, on the same device.
        settings: how.
        method: what makes it sparse; None is dense.
        seed: of the run.
        augment: of a batch.
        where: which weights may be zero.
        first_step: the step to start from, when a ticket is rewound.
        optimizer_state: of that step.
        fresh: weights are as initialised, so that ``settings.initial`` may redraw them.
        attack: ``attack(model, images, labels, generator=...)`` of each batch before it is learned; None is none.
        weights_seed: of redrawn initial weights; None is the run's.
        trace: what is measured along the way; None is nothing.
        save: where its snapshots are kept.
    """

    def __init__(
        self,
        model: nn.Module,
        samples: Samples,
        settings: TrainSettings,
        method: Method | None,
        *,
        seed: int,
        augment: Augment,
        where: Where = None,
        first_step: int = 0,
        optimizer_state: Mapping[str, Any] | None = None,
        fresh: bool = True,
        attack: Callable[..., Tensor] | None = None,
        weights_seed: int | None = None,
        trace: Trace | None = None,
        save: Save = lambda name, tensors: None,
    ) -> None:
        self.model, self.samples, self.settings, self.seed, self.augment = model, samples, settings, seed, augment
        self.attack = attack
        self.step = first_step
        self.device = samples.labels.device
        # a last batch of one image has no batch statistics, so it is left out
        self.drop_last = len(samples) % settings.batch_size == 1 and len(samples) > 1
        self.steps_per_epoch = steps_per_epoch(len(samples), settings)
        self.total_steps = settings.epochs * self.steps_per_epoch
        self.loss = torch.zeros((), device=self.device)
        self.seen = 0
        if settings.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        self.optimizer = build_optimizer(model, settings)
        if optimizer_state is not None:
            self.optimizer.load_state_dict(dict(optimizer_state))
        self.scheduler = build_scheduler(self.optimizer, settings, self.steps_per_epoch, first_step)
        self.sparsifier = None if method is None else Sparsifier(method, model, self.optimizer, seed=seed, where=where)
        self.segments = [Segment(steps=0, live=self._live())]
        if fresh and settings.initial != "model":
            drawn = seed if weights_seed is None else weights_seed
            redraw(model, self.sparsifier.masks if self.sparsifier else None, settings, drawn)
        self.tracer = None if trace is None else Tracer(trace, model, samples, settings, self.sparsifier, save)
        self.forward = torch.compile(model) if settings.compile else model

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return self.step // self.steps_per_epoch

    def run_epoch(self, after_step: Callable[[], None], stop: int | None = None) -> dict[str, Any] | None:
        """Train to the end of the current epoch.

        Args:
            after_step: called after every step, when the state is whole.
            stop: step to stop before, also in the middle of the epoch.

        Returns:
            The epoch's numbers; None if it was stopped in the middle.

        Raises:
            StateError: the loss is not finite any more.
        """
        self.model.train()
        epoch, start = divmod(self.step, self.steps_per_epoch)
        if start == 0:
            self.loss.zero_()
            self.seen = 0
        settings = self.settings
        drawn = batches(
            len(self.samples), settings.batch_size, seed=self.seed, epoch=epoch, drop_last=self.drop_last, start=start
        )
        for indices in drawn:
            if stop is not None and self.step >= stop:
                return None
            self._train_on(indices.to(self.device))
            after_step()
        return {"epoch": epoch + 1, "step": self.step, "loss": self._mean_loss(epoch + 1), **self._sparsity()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how it goes on."""
        return {
            "step": self.step,
            "loss": self.loss,
            "seen": self.seen,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "sparsifier": None if self.sparsifier is None else self.sparsifier.state_dict(),
            "segments": [
                (s.steps, None if s.live is None else dict(s.live), s.dense_gradient_steps) for s in self.segments
            ],
            "random": _random_state(self.device),
            "trace": None if self.tracer is None else self.tracer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same training.

        Raises:
            StateError: it is another model's or another method's.
        """
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise StateError(f"expected a checkpoint of this model, got another's; name its model. {error}") from None
        if (state["sparsifier"] is None) != (self.sparsifier is None):
            raise StateError("expected a checkpoint of this method, got one of another; name its method")
        if self.sparsifier is not None:
            self.sparsifier.load_state_dict(state["sparsifier"])
        self.scheduler.load_state_dict(state["scheduler"])
        if self.tracer is not None:
            self.tracer.load_state_dict(state["trace"])
        self.step, self.seen = state["step"], state["seen"]
        self.loss.copy_(state["loss"])
        self.segments = [Segment(steps=n, live=live, dense_gradient_steps=d) for n, live, d in state["segments"]]
        torch.set_rng_state(state["random"][0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random"][-1], self.device)

    def _train_on(self, indices: Tensor) -> None:
        """One step of the optimizer."""
        if self.tracer is not None:
            self.tracer.record(self.step)
        images = as_input(self.samples.images[indices], self.settings)
        if self.augment.steps:  # a generator a step costs 0.2 ms, so none is made for nothing
            images = self.augment(images, seeded(self.seed, self.step, 1))
        labels = self.samples.labels[indices]
        if self.attack is not None:
            with autocast(self.device, self.settings):
                images = self.attack(self.model, images, labels, generator=seeded(self.seed, self.step, 4))
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, self.settings):
            loss = cross_entropy(self._outputs(images), labels, label_smoothing=self.settings.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        rewired = self.sparsifier is not None and self._sparsify(self.sparsifier)
        if self.settings.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.loss += loss.detach() * len(labels)
        self.seen += len(labels)
        self.step += 1
        self._log_wiring(rewired)

    def _sparsify(self, sparsifier: Sparsifier) -> bool:
        """The sparsifier's step, with what it grows by and what is measured around it."""
        growth = None
        if sparsifier.due and self.settings.growth_images is not None:
            growth = self._growth(self.settings.growth_images)
        with nullcontext() if self.tracer is None else self.tracer.update(self.step):
            return sparsifier.step(growth)

    def _growth(self, images: int) -> dict[str, Tensor]:
        """The dense gradient of fixed training images."""
        found = mean_gradient(self.model, cross_entropy, fixed_images(self.samples, images, self.settings, 6))
        return found.coordinates.scatter(found.vector)

    def _outputs(self, images: Tensor) -> Tensor:
        try:
            outputs: Tensor = self.forward(images)
            return outputs
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise SettingError(
                f"expected batches of at least 2 images for batch normalisation, got {len(images)}; raise batch_size "
                f"(now {self.settings.batch_size}) or train on more than {len(self.samples)} images"
            ) from None

    def _log_wiring(self, rewired: bool) -> None:
        """Count this step in the stretch of constant layer sizes it belongs to; its own forward had the old masks."""
        last = self.segments[-1]
        dense = int(rewired and getattr(self.sparsifier.method, "dense_gradient", True)) if self.sparsifier else 0
        counted = Segment(steps=last.steps + 1, live=last.live, dense_gradient_steps=last.dense_gradient_steps + dense)
        self.segments[-1] = counted
        if rewired and (live := self._live()) != last.live:
            self.segments.append(Segment(steps=0, live=live))

    def _live(self) -> dict[str, int] | None:
        return None if self.sparsifier is None else {n: int(m.sum()) for n, m in self.sparsifier.masks.items()}

    def _sparsity(self) -> dict[str, float]:
        return {} if self.sparsifier is None else {"sparsity": self.sparsifier.sparsity}

    def check_loss(self) -> None:
        """Stop a training whose loss is not finite, also in the middle of a long epoch.

        Raises:
            StateError: it is not.
        """
        self._mean_loss(self.epoch + 1)

    def _mean_loss(self, epoch: int) -> float:
        loss = float(self.loss) / max(self.seen, 1)
        if not loss < float("inf"):
            raise StateError(
                f"expected a finite loss, got {loss} in epoch {epoch}; lower lr (now {self.settings.lr:g}) or set "
                "clip_norm=1; earlier checkpoints and all finished runs are kept"
            )
        return loss


def redraw(model: nn.Module, masks: Mapping[str, Tensor] | None, settings: TrainSettings, seed: int) -> None:
    """Draw a network's weights anew, under its masks (P3).

    Args:
        model: the network, changed in place.
        masks: who lives; None is everyone.
        settings: how they are drawn.
        seed: of the run.
    """
    weights = select(model, None if masks is None else list(masks))
    alive = masks or {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    draw, fan, law = INITIALIZERS[settings.initial], settings.initial_fan, settings.initial_law
    draw(weights, alive, seeded(seed, 2), scale=settings.initial_scale, fan=fan, law=law)


def _random_state(device: torch.device) -> list[Tensor]:
    """Where dropout draws from: torch's generator, and the device's own."""
    own = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *own]
