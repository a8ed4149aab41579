"""`striate train`: train one architecture."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from search.cli.options import DataDirOption, output
from space.errors import StriateError
from space.parse import find, parse_architecture


def train(
    file: Annotated[str, typer.Argument(help="File of an architecture, or the name of a shipped one.")],
    final: Annotated[
        bool, typer.Option("--final", help="Train on all training images and score on the test images.")
    ] = False,
    threads: Annotated[
        int, typer.Option(min=1, help="CPU threads; a search's trials have one, and more change the last digits.")
    ] = 1,
    data_dir: DataDirOption = None,
) -> None:
    """Train an architecture as its file says, on the split that searches use, and print each epoch's numbers.

    Example: striate train digits-rgc
    """
    import torch

    from cells.network import Network
    from trainers.data import registry
    from trainers.data.dataset import final_split, search_split
    from trainers.device import DeviceSplit, default_device
    from trainers.loop import EpochResult, Trainer, evaluate
    from trainers.loop import train as train_network

    architecture, graph = parse_architecture(*find(file))
    settings = architecture.train
    data = registry.load(settings.data, data_dir)
    data.check_fits(architecture.input)
    split = DeviceSplit.of(final_split(data) if final else search_split(data), default_device())
    torch.set_num_threads(threads)
    console = output()
    console.print(f"{graph.name}: {graph.parameter_count:,} parameters, split {split.name} of {data.name}")
    network = Network(graph, settings.seed).to(split.device)

    def report(result: EpochResult) -> None:
        scores = f"validation loss {result.loss:.4f}  top-1 {result.top1:.4f}  top-5 {result.top5:.4f}"
        console.print(f"epoch {result.epoch}  train loss {result.train_loss:.4f}  {scores}")

    if not final:
        if train_network(network, settings, split, report).diverged:
            raise StriateError("the training diverged; lower `train.learning_rate`")
        return
    trainer = Trainer(network, settings, split)
    for epoch in range(1, settings.epochs + 1):
        console.print(f"epoch {epoch}  train loss {trainer.train_epoch():.4f}")
    score = evaluate(network, split.score, trainer.execution)  # the test images are looked at once, when all is done
    if not math.isfinite(score.loss):
        raise StriateError("the training diverged; lower `train.learning_rate`")
    of = f"of {len(split.score):,} test images"
    console.print(f"test loss {score.loss:.4f}  top-1 {score.top1:.4f}  top-5 {score.top5:.4f}  ({of})")
