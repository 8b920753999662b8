"""The one stateful driver of a method in a training loop."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError, StateError
from gossamer.core.masks import Masks
from gossamer.core.method import CLEAN, Deviations, Method, describe, promised
from gossamer.core.named import Params, Where, select, shapes
from gossamer.core.newborn import Newborn, restart_
from gossamer.core.report import Report, report
from gossamer.core.schedule import is_whole

SCHEMA = 1


class Sparsifier:
    """Drives a method in anyone's loop: one line after ``backward()``, before clipping and ``optimizer.step()``.

    Weights hold real zeros.  ``step()`` masks the gradients in place, so that the optimizer leaves dead weights at
    zero by itself; when the method is due it first takes the dense gradients to rewire.  Nothing is wrapped or hooked.

    Count one ``step()`` for every ``optimizer.step()``: with accumulation call it once per update, with
    ``GradScaler`` after ``scaler.unscale_(optimizer)``.  A rewiring that meets non-finite gradients waits for the next
    step.  Every rank of a distributed run calls it after the gradients were reduced, and gets the same masks.

    Args:
        method: a description such as ``RigL(sparsity=0.9, total_steps=10_000)``, or an object of your own.
        model: the network; its selected weights get zeros at once.
        optimizer: the one that updates them.
        seed: decides every random choice, together with the step.
        where: which weights, see ``select``.
        newborn: state of a newborn weight in the optimizer: ``"fresh"`` as at its first step, or ``"mean"``, which
            gives Adam's second moment the mean of the layer's survivors.  Adam divides by its own step count, which
            all weights of a tensor share, so with "fresh" a newborn's first update is up to 2.5 times the learning
            rate (β₁ = 0.9, β₂ = 0.999, after 1 000 steps); with "mean" it is of its neighbours' size, rather smaller.

    Raises:
        StateError: the optimizer does not hold the selected weights, or the masks do not fit them.
        SettingError: no method, or an unknown choice for ``newborn``.

    Example:
        >>> from gossamer import RigL
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Linear(20, 10)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        >>> sparsifier = Sparsifier(RigL(sparsity=0.9, total_steps=100, every=2), model, optimizer, seed=0)
        >>> for _ in range(10):
        ...     optimizer.zero_grad()
        ...     model(torch.randn(8, 20)).square().mean().backward()
        ...     rewired = sparsifier.step()
        ...     optimizer.step()
        >>> int(model.weight.count_nonzero()), sparsifier.sparsity
        (20, 0.9)
    """

    _attached: RemovableHandle | None
    _after_step: RemovableHandle | None
    _followed: Optimizer | None

    def __init__(
        self,
        method: Method,
        model: nn.Module,
        optimizer: Optimizer,
        *,
        seed: int = 0,
        where: Where = None,
        newborn: Newborn = "fresh",
    ) -> None:
        if isinstance(method, type) or not isinstance(method, Method):
            raise SettingError(
                f"expected a method such as RigL(sparsity=0.9, total_steps=10_000), got {method!r}; it needs masks(), "
                "due() and rewire()"
            )
        if newborn not in ("fresh", "mean"):
            raise SettingError(f"expected newborn='fresh' or 'mean', got {newborn!r}; 'fresh' is the papers'")
        self.method, self.seed, self.newborn = method, seed, newborn
        self._model, self._optimizer = model, optimizer
        self._params: Params = select(model, where)
        self._check_optimizer()
        self._clock = 0  # calls of step() so far
        self._watched_from = 0  # the clock when it was made or loaded
        self._due: int | None = None  # the step of a rewiring that has not been done yet
        self._removed = False
        with torch.no_grad():
            masks = method.masks(self._params, self._generator("start"))
            mask_ops.check(masks, self._params)
            self._check_promise(masks, 0)
            self._start = mask_ops.density(masks)
            self._masks: Masks = {name: torch.ones_like(mask) for name, mask in masks.items()}
            self._adopt(masks)
        self._hook(attached_to=None)

    @property
    def masks(self) -> Masks:
        """Who lives, by parameter name; the tensors are the sparsifier's own: clone before changing them."""
        return dict(self._masks)

    @property
    def sparsity(self) -> float:
        """The actual share of zeros among the selected weights."""
        return mask_ops.sparsity(self._masks)

    @property
    def clock(self) -> int:
        """How many times ``step()`` was called."""
        return self._clock

    @property
    def due(self) -> bool:
        """Whether the next ``step()`` changes the masks, unless gradients are not finite then."""
        return self._due is not None or self.method.due(self._clock)

    def step(self, growth: Mapping[str, Tensor] | None = None) -> bool:
        """Mask the gradients, after rewiring if the method is due: between ``backward()`` and ``optimizer.step()``.

        Args:
            growth: dense gradients that the rewiring looks at instead of ``.grad``, by name: of more samples than a
                batch, for instance (P3's code grows by the gradient of 1000 fixed training images). Looked at only
                where ``due``.

        Returns:
            Whether the masks changed at this step.

        Raises:
            StateError: no gradients are there, dead weights came alive outside of the masks, or it was removed.
        """
        if self._removed:
            raise StateError("expected a working sparsifier, got one after remove(); make a new Sparsifier")
        if all(weight.grad is None for weight in self._params.values()):
            raise StateError(
                "expected gradients, got none; call step() after backward() and before zero_grad() (an attached "
                "sparsifier cannot serve optimizer.step(closure), which calls backward() too late)"
            )
        with torch.no_grad():
            if (self._clock - self._watched_from).bit_count() == 1:  # steps 1, 2, 4, 8 ...: a static method never
                self._check_leak()  # rewires, and a gradient scaler may skip the first steps
            if self.method.due(self._clock):
                self._due = self._clock
            rewired = self._due is not None and self._rewire(self._due, self._dense_gradients(growth))
            if not self._deviations.dense_momentum:
                self._mask_gradients()
        if rewired and self._deviations.replace_step:
            self._optimizer.zero_grad(set_to_none=True)
        self._clock += 1
        return rewired

    def mask_weights(self) -> None:
        """Write zeros into all dead weights: after an optimizer that mixes entries, or after loading weights."""
        with torch.no_grad():
            for name, weight in self._params.items():
                weight.masked_fill_(self._dead[name], 0)

    def report(self) -> Report:
        """Asked and actual density per layer, why, and what stays dense; ``print`` it.

        Returns:
            A table; its rows are data classes.
        """
        return report(self.method, self._model, self._params, self._masks, self._start, self._clock)

    def attach(self, optimizer: Optimizer | None = None) -> RemovableHandle:
        """For loops that cannot be edited: call ``step()`` before every step of the optimizer, by itself.

        Clipping that the loop does before ``optimizer.step()`` then sees the dense gradients, whose norm is larger.

        Args:
            optimizer: the one to follow; default the sparsifier's.

        Returns:
            A handle whose ``remove()`` ends it.

        Raises:
            StateError: it is attached already.
        """
        if _is_live(self._attached):
            raise StateError("expected a sparsifier that is not attached, got one that is; remove() the handle first")
        followed = optimizer or self._optimizer
        handle = followed.register_step_pre_hook(lambda *_: self._ignore(self.step()))
        self._followed, self._attached = followed, handle
        return handle

    def remove(self) -> None:
        """End the sparse training: no hook stays, weights keep their zeros as plain numbers and may grow again."""
        for handle in (self._attached, self._after_step):
            if handle is not None:
                handle.remove()
        self._removed = True

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs, as numbers, strings and tensors (loads with ``weights_only=True``).

        Returns:
            Masks as bits, the clock, a postponed rewiring, and the method in words.
        """
        return {
            "schema": SCHEMA,
            "method": describe(self.method),
            "seed": self.seed,
            "newborn": self.newborn,
            "clock": self._clock,
            "due": self._due,
            "start": dict(self._start),
            "shapes": shapes(self._params),
            "masks": mask_ops.pack(self._masks),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict()`` was taken; load model and optimizer as well, before or after.

        Args:
            state: what ``state_dict()`` gave.

        Raises:
            StateError: it belongs to another method, model, seed or version.
        """
        own = self.state_dict()
        for key in ("schema", "method", "seed", "newborn", "shapes"):
            if state.get(key) != (value := own[key]):
                raise StateError(
                    f"expected a sparsifier state with {key} {value}, got {state.get(key)}; "
                    "build the sparsifier as it was when the state was saved"
                )
        if not is_whole(state["clock"]) or not (state["due"] is None or is_whole(state["due"])):
            raise StateError(
                f"expected whole numbers of steps, got clock={state['clock']!r}, due={state['due']!r}; this state is "
                "damaged, go back to an earlier one"
            )
        stored = mask_ops.unpack(state["masks"], shapes(self._params))
        self._masks = {name: mask.to(self._params[name].device) for name, mask in stored.items()}
        self._dead = {name: ~mask for name, mask in self._masks.items()}
        self._clock, self._due, self._start = state["clock"], state["due"], dict(state["start"])
        self._watched_from = self._clock
        self.mask_weights()

    def __getstate__(self) -> dict[str, Any]:
        """Without hooks: optimizers drop theirs when they are copied."""
        state = {**self.__dict__, "_followed": self._followed if _is_live(self._attached) else None}
        return {key: value for key, value in state.items() if key not in ("_attached", "_after_step")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, with the optimizer's copy, keeps the dead at zero and stays attached."""
        self.__dict__.update(state)
        self._hook(attached_to=state["_followed"])

    def _hook(self, attached_to: Optimizer | None) -> None:
        """Put hooks on the optimizer where they are needed: for P1's momentum, and for ``attach``."""
        self._attached, self._after_step, self._followed = None, None, attached_to
        if self._deviations.dense_momentum and not self._removed:
            self._after_step = self._optimizer.register_step_post_hook(lambda *_: self.mask_weights())
        if attached_to is not None:
            self.attach(attached_to)

    @property
    def _deviations(self) -> Deviations:
        return getattr(self.method, "deviations", CLEAN)

    @staticmethod
    def _ignore(_: bool) -> None:
        """Optimizer hooks must return None."""

    def _generator(self, moment: int | str) -> torch.Generator:
        """A generator that depends on seed and moment only: nothing to store, nothing to send between ranks."""
        digest = sha256(f"gossamer {self.seed} {moment}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)

    def _rewire(self, due: int, grads: Mapping[str, Tensor]) -> bool:
        """Carry out the rewiring that was due, unless gradients are not finite: then it stays due."""
        if not all(map(_is_finite, grads.values())):
            return False
        self._check_leak()
        own = {name: mask.clone() for name, mask in self._masks.items()}  # a method may work in place
        changed = self.method.rewire(due, own, self._params, grads, self._generator(due))
        mask_ops.check(changed, self._params)
        self._check_promise(changed, due)
        self._adopt(changed)
        self._due = None
        return True

    def _dense_gradients(self, growth: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        if growth is not None:
            odd = [name for name, w in self._params.items() if name not in growth or growth[name].shape != w.shape]
            if odd:
                raise StateError(
                    f"expected a gradient of each selected weight in growth, none fits {odd}; pass tensors of the "
                    "weights' shapes by name"
                )
            return {name: growth[name] for name in self._params}
        return {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in self._params.items()}

    def _adopt(self, masks: Masks) -> None:
        """Make these the masks: the dead become zero, the newborn start afresh, in weights and optimizer."""
        if not self._deviations.dense_momentum:
            self._restart(masks)
        self._masks = {name: mask.clone() for name, mask in masks.items()}
        self._dead = {name: ~mask for name, mask in masks.items()}
        self.mask_weights()
        mask_ops.warn_of_collapse(masks, "lower the sparsity, keep them dense (dense=...) or set a floor")

    def _restart(self, masks: Masks) -> None:
        for name, mask in masks.items():
            survivors = mask & self._masks[name]
            restart_(self._optimizer, self._params[name], born=mask & ~survivors, survivors=survivors, how=self.newborn)

    def _mask_gradients(self) -> None:
        for name, weight in self._params.items():
            if weight.grad is not None:
                weight.grad.masked_fill_(self._dead[name], 0)

    def _check_optimizer(self) -> None:
        held = {id(p) for group in self._optimizer.param_groups for p in group["params"]}
        missing = [name for name, weight in self._params.items() if id(weight) not in held]
        if missing:
            raise StateError(
                f"expected an optimizer over the model's weights, got {type(self._optimizer).__name__} without "
                f"{missing}; pass model.parameters() of this very model, after moving it to its device"
            )

    def _check_promise(self, masks: Masks, step: int) -> None:
        asked, actual = promised(self.method, step, self._params), mask_ops.live(masks)
        if asked is not None and asked != actual:
            raise StateError(
                f"{describe(self.method)} promised {asked} live weights at step {step}, its masks have {actual}; "
                "its rewire() must return what its target() says"
            )

    def _check_leak(self) -> None:
        leaked = sum(int(((w != 0) & self._dead[name]).count_nonzero()) for name, w in self._params.items())
        if leaked:
            raise StateError(
                f"{leaked} weights outside the mask became nonzero during {type(self._optimizer).__name__}.step(); "
                "this optimizer mixes entries — call sparsifier.mask_weights() after optimizer.step() "
                "(and once after loading or redrawing weights)"
            )


def _is_live(handle: RemovableHandle | None) -> bool:
    """Whether a hook is still on its optimizer."""
    return handle is not None and handle.id in (handle.hooks_dict_ref() or ())


def _is_finite(tensor: Tensor) -> bool:
    """Whether all entries are; a finite sum proves it at a twentieth of the cost of looking at each."""
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())
