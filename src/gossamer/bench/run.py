"""One run from its description to its result, resumable anywhere."""

import json
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.analyze.training_flops import Segment
from gossamer.bench.checkpoint import check_own, words
from gossamer.bench.data import PRESETS, Augment
from gossamer.bench.evaluate import evaluate, logits
from gossamer.bench.harm import hard_accuracies, training_attack
from gossamer.bench.lab import RunLab, read_masks
from gossamer.bench.optim import build_optimizer
from gossamer.bench.place import Bench, environment
from gossamer.bench.recipes import Start, find
from gossamer.bench.result import summarize
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.bench.training import Training
from gossamer.core import masks as mask_ops
from gossamer.core.errors import StateError
from gossamer.core.masks import Masks


def run(spec: RunSpec, bench: Bench) -> dict[str, Any]:
    """Train and evaluate, or continue, or return at once what is done already.

    Args:
        spec: what to run.
        bench: where.

    Returns:
        The content of the run's ``result.json``.

    Raises:
        UserError: of any kind that a user can mend; whatever was finished before is kept.
    """
    folder = RunFolder(bench.out / spec.key)
    done = folder.result()
    if done is not None:
        return done
    with folder.locked():
        return folder.result() or _Run(spec, bench, folder).finish()


def logged(spec: RunSpec, bench: Bench) -> Tensor:
    """What the network of a finished run with ``log`` said of every training image after each epoch.

    Args:
        spec: the run.
        bench: where.

    Returns:
        float32 (E, N, C).
    """
    folder = RunFolder(bench.out / spec.key)
    names = sorted(path.name for path in folder.path.glob("logits-*.safetensors"))
    return torch.stack([folder.load_tensors(name)["logits"] for name in names])


class _Run:
    """A run under way: the lab its recipe works in, and its place on disk."""

    def __init__(self, spec: RunSpec, bench: Bench, folder: RunFolder) -> None:
        build_optimizer(nn.Linear(1, 1), spec.train)  # torch's first optimizer loads its compiler: not this run's time
        self.spec, self.bench, self.folder = spec, bench, folder
        self.recipe = find(spec.recipe, given_masks=spec.origin is not None)
        self.settings = self.recipe.resolve(spec.recipe, spec.settings)
        self.augment = PRESETS.get(bench.data.name, Augment()) if spec.train.augment else Augment()
        self.lines: list[str] = []
        self.past: list[Segment] = []
        self.seconds = 0.0
        self.lab = RunLab(spec, bench, self._train_other)
        self._saved_at = self._counted_at = time.monotonic()

    # the way through

    def finish(self) -> dict[str, Any]:
        """All rounds to the end, then the result, written last."""
        self.folder.clean()
        self.folder.write_json("spec.json", self.spec.resolved())
        self.folder.write_json("env.json", environment(self.bench.device))
        rounds, state = self.recipe.rounds(self.settings), self._own_state()
        first = 0 if state is None else int(state["round"])
        before = self._load_round(first - 1)
        for number in range(first, rounds):
            training, start = self._begin(number, before)
            torch.manual_seed(self.spec.seed)  # of dropout; after _begin, which may have trained the dense network
            if state is not None and state["round"] == number:
                self._restore(training, state)
                state = None
            self._train(training, number, start.first_step)
            before = {"model": training.model.state_dict(), "masks": _masks(training)}
            self.past += [*start.prior, *training.segments]
            if number < rounds - 1:
                self._save_round(number, before)
        return self._conclude(training)

    def _begin(self, number: int, before: Mapping[str, Any] | None) -> tuple[Training, Start]:
        start = self.recipe.begin(self.lab, self.settings, number, before)
        training = Training(
            start.model.to(self.bench.device),
            self.bench.train,
            self.spec.train,
            start.method,
            seed=self.spec.seed,
            augment=self.augment,
            where=start.where,
            first_step=start.first_step,
            optimizer_state=start.optimizer,
            fresh=start.fresh,
            attack=training_attack(self.spec),
            weights_seed=self.spec.weights_seed,
            trace=self.spec.trace,
            save=self.folder.save_tensors,
        )
        return training, start

    def _train_other(self, spec: RunSpec) -> dict[str, Any]:
        """The result of a run that this one starts from, whose seconds are its own."""
        self._count_seconds()
        found = run(spec, self.bench)
        self._counted_at = time.monotonic()
        return found

    def _train(self, training: Training, number: int, first_step: int) -> None:
        """One round: epochs until the end, a line and perhaps a checkpoint after each."""
        stop = training.total_steps if self.spec.stop is None else min(self.spec.stop, training.total_steps)
        self.bench.watch.start(self.spec.key, training.step - first_step, stop - first_step)

        def after_step() -> None:
            self.bench.watch.step(training.step - first_step)
            if training.step % training.steps_per_epoch:  # at its end the epoch's numbers come first
                self._save_if_due(training, number)

        begun = training.step
        while training.step < stop:
            numbers = training.run_epoch(after_step, stop)
            if numbers is not None:
                test = evaluate(training.model, self.bench.test, self.spec.train)
                numbers |= {"round": number, "test_accuracy": test["accuracy"], "test_loss": test["loss"]}
                self.lines.append(json.dumps(numbers))
                self.folder.write("metrics.jsonl", _text(self.lines))
                self.bench.watch.epoch(numbers)
                if self.spec.log:
                    self._log(training)
                self._write_trace(training)
                self._save_if_due(training, number)
        if training.step > begun:
            self._save(training, number)

    def _log(self, training: Training) -> None:
        """What the network says of every training image now, for scores over epochs."""
        outputs = logits(training.model, self.bench.train.images, self.spec.train)
        self.folder.save_tensors(f"logits-{training.epoch:04d}.safetensors", {"logits": outputs})

    def _write_trace(self, training: Training) -> None:
        """What was measured so far, a line a measurement."""
        tables = {} if training.tracer is None else training.tracer.tables()
        for name, rows in tables.items():
            self.folder.write(f"{name}.jsonl", _text([json.dumps(row) for row in rows]))

    def _conclude(self, training: Training) -> dict[str, Any]:
        """Evaluate and write everything, the result last; the checkpoint stays until that is safe."""
        test = self._tested(training)
        if not test["loss"] < float("inf"):
            raise StateError(
                f"expected a finite loss, got {test['loss']} on the test set after the last step; lower lr (now "
                f"{self.spec.train.lr:g}) or set clip_norm=1; all finished runs are kept"
            )
        if training.tracer is not None:
            training.tracer.record(training.step, always=True)  # the trained network's own gradient
        self._write_trace(training)
        result = summarize(self.spec, training, self.lab.fresh(), test, self.past, self.lab.inherited)
        result |= hard_accuracies(training.model, self.spec, self.bench)
        self._count_seconds()
        self.folder.save_tensors("model.safetensors", training.model.state_dict())
        self.folder.save_tensors("masks.safetensors", mask_ops.pack(_masks(training)))
        if training.sparsifier is not None:
            self.folder.write("report.txt", f"{training.sparsifier.report()}\n".encode())
        self.folder.write_json("timing.json", {"seconds": self.seconds})
        self.folder.write_json("result.json", result)
        if self.spec.stop is None:  # a rewinding point keeps its optimizer
            self.folder.forget_state()
        self.bench.watch.finish(self.spec.key)
        return result

    def _tested(self, training: Training) -> dict[str, float]:
        """The last epoch's numbers, or new ones where the run was stopped in the middle of an epoch."""
        last: dict[str, Any] = json.loads(self.lines[-1]) if self.lines else {"step": None}
        if last["step"] != training.step:
            return evaluate(training.model, self.bench.test, self.spec.train)
        return {"accuracy": last["test_accuracy"], "loss": last["test_loss"]}

    # the place on disk

    def _save_if_due(self, training: Training, number: int) -> None:
        if time.monotonic() - self._saved_at >= self.bench.checkpoint_seconds:
            training.check_loss()
            self._save(training, number)

    def _save(self, training: Training, number: int) -> None:
        self._count_seconds()
        past = [(part.steps, part.live, part.dense_gradient_steps) for part in self.past]
        state = {"spec": words(self.spec), "round": number, "lines": self.lines, "past": past}
        self.folder.save_state({**state, "seconds": self.seconds, "training": training.state_dict()})
        self._saved_at = time.monotonic()

    def _own_state(self) -> dict[str, Any] | None:
        state = self.folder.load_state()
        if state is not None:
            check_own(state, self.spec, self.folder.path / "state.pt")
        return state

    def _restore(self, training: Training, state: Mapping[str, Any]) -> None:
        training.load_state_dict(state["training"])
        self.lines, self.seconds = list(state["lines"]), float(state["seconds"])
        self.past = [Segment(steps=n, live=live, dense_gradient_steps=d) for n, live, d in state["past"]]
        self.folder.write("metrics.jsonl", _text(self.lines))

    def _save_round(self, number: int, before: Mapping[str, Any]) -> None:
        self.folder.save_tensors(f"round-{number}.safetensors", before["model"])
        self.folder.save_tensors(f"round-{number}-masks.safetensors", mask_ops.pack(before["masks"]))

    def _load_round(self, number: int) -> Mapping[str, Any] | None:
        if number < 0:
            return None
        model = self.folder.load_tensors(f"round-{number}.safetensors")
        return {"model": model, "masks": read_masks(self.folder, model, f"round-{number}-masks.safetensors")}

    def _count_seconds(self) -> None:
        now = time.monotonic()
        self.seconds, self._counted_at = self.seconds + now - self._counted_at, now


def beginning(spec: RunSpec, bench: Bench) -> Training:
    """The training of a run before its first step, of its last round if there are several.

    Args:
        spec: the run; rounds before its last one are finished.
        bench: where it is.

    Returns:
        The training, with weights as drawn and masked; the run's folder stays as it is.
    """
    one = _Run(spec, bench, RunFolder(bench.out / spec.key))
    last = one.recipe.rounds(one.settings) - 1
    return one._begin(last, one._load_round(last - 1))[0]


def _masks(training: Training) -> Masks:
    return {} if training.sparsifier is None else training.sparsifier.masks


def _text(lines: list[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()
