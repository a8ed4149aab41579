"""`striate train`: train one architecture."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import typer

from search.cli.options import DataDirOption, output
from search.data import fitting_data
from space.errors import StriateError
from space.parse import find, only_member, parse_space


def train(
    file: Annotated[str, typer.Argument(help="File of an architecture, or the name of a shipped one.")],
    final: Annotated[
        bool, typer.Option("--final", help="Train on all training images and score on the test images.")
    ] = False,
    threads: Annotated[
        int, typer.Option(min=1, help="CPU threads; a search's trials have one, and more change the last digits.")
    ] = 1,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="How convolutions are computed; auto is bfloat16 on a GPU, else float32."),
    ] = "auto",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Let torch.compile fuse operations: minutes at the start, for long runs.")
    ] = False,
    recompute: Annotated[
        int | None,
        typer.Option(min=1, metavar="STEPS", help="Keep the maps of so many steps at a time: less memory, more time."),
    ] = None,
    score_at: Annotated[
        list[int] | None,
        typer.Option(min=1, max=1_000, metavar="T", help="Score at this number of steps as well; may be repeated."),
    ] = None,
    per_step: Annotated[
        Literal["refuse", "clamp", "recalibrate"],
        typer.Option(
            help="What norms of each step do at steps not trained; recalibrate estimates their statistics there."
        ),
    ] = "refuse",
    data_dir: DataDirOption = None,
) -> None:
    """Train an architecture as its file says, on the split that searches use, and print each epoch's numbers.

    Example: striate train digits-rgc --score-at 6 --score-at 12
    """
    from dataclasses import replace

    import torch

    from cells.network import Network
    from cells.steps import at_steps, recalibrate
    from trainers.data.dataset import final_split, search_split
    from trainers.device import DeviceSplit, default_device
    from trainers.execution import Execution
    from trainers.loop import EpochResult, Trainer, evaluate
    from trainers.loop import train as train_network

    space = parse_space(*find(file))
    architecture, graph = only_member(space)
    settings = architecture.train
    device = default_device()
    execution = replace(Execution.of(device), compiled=compiled, recompute_steps=recompute)
    if precision != "auto":
        execution = replace(execution, bfloat16=precision == "bfloat16")
    network = Network(graph, settings.seed).to(device)
    for steps in score_at or ():  # what cannot be scored is told before a day of training
        at_steps(network, steps, per_step)
    data = fitting_data(space, architecture, data_dir)
    split = DeviceSplit.of(final_split(data) if final else search_split(data), device)
    torch.set_num_threads(threads)
    console = output()
    console.print(f"{graph.name}: {graph.parameter_count:,} parameters, split {split.name} of {data.name}")

    def report(result: EpochResult) -> None:
        scores = f"validation loss {result.loss:.4f}  top-1 {result.top1:.4f}  top-5 {result.top5:.4f}"
        console.print(f"epoch {result.epoch}  train loss {result.train_loss:.4f}  {scores}")

    if final:
        trainer = Trainer(network, settings, split, execution)
        for epoch in range(1, settings.epochs + 1):
            console.print(f"epoch {epoch}  train loss {trainer.train_epoch():.4f}")
        score = evaluate(
            network, split.score, trainer.step.answers
        )  # the test images are looked at once, when all is done
        if not math.isfinite(score.loss):
            raise StriateError("the training diverged; lower `train.learning_rate`")
        of = f"of {len(split.score):,} test images"
        console.print(f"test loss {score.loss:.4f}  top-1 {score.top1:.4f}  top-5 {score.top5:.4f}  ({of})")
    elif train_network(network, settings, split, report, execution).diverged:
        raise StriateError("the training diverged; lower `train.learning_rate`")
    for steps in score_at or ():
        other = execution.prepare(at_steps(network, steps, per_step))
        answers = execution.answers(other)
        if per_step == "recalibrate":
            order = torch.arange(len(split.train), device=device)
            recalibrate(other, answers, (images for images, _ in split.train.batches(order, settings.batch_size)))
        score = evaluate(other, split.score, answers)
        of = "test" if final else "validation"
        console.print(f"at {steps} steps  {of} loss {score.loss:.4f}  top-1 {score.top1:.4f}  top-5 {score.top5:.4f}")
