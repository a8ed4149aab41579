"""`striate train`: train one architecture."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli.options import DataDirOption, output
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
    from trainers.loop import EpochResult
    from trainers.loop import train as train_network

    architecture, graph = parse_architecture(*find(file))
    data = registry.load(architecture.train.data, data_dir)
    data.check_fits(architecture.input)
    split = DeviceSplit.of(final_split(data) if final else search_split(data), default_device())
    torch.set_num_threads(threads)
    console = output()
    console.print(f"{graph.name}: {graph.parameter_count:,} parameters, split {split.name} of {data.name}")

    def report(result: EpochResult) -> None:
        numbers = (result.train_loss, result.loss, result.top1, result.top5)
        console.print(
            f"epoch {result.epoch}  "
            + "  ".join(
                f"{name} {value:.4f}"
                for name, value in zip(("train loss", "loss", "top-1", "top-5"), numbers, strict=True)
            )
            + f"  ({result.seconds:.1f} s)"
        )

    network = Network(graph, architecture.train.seed).to(split.device)
    train_network(network, architecture.train, split, report)
