"""Imported networks against the packages' own way of joining inputs: side by side, before one convolution."""

from __future__ import annotations

import json

import torch
import torch.nn.functional as F
from test_space_import import convolution, tensorflow

from cells.network import Network
from space.import_json import Wishes, import_json
from space.parse import parse_architecture

STEPS = 7


def test_inputs_side_by_side_are_convolved_as_one() -> None:
    """`IT` feeds back to `V2`, at the same size, and `V1` skips to `IT`; each node convolves what it joins."""
    description = tensorflow()
    first, second, third, _ = description["nodes"]
    first["pre_memory"] = [convolution(4, activation="elu")]
    second["memory"] = {"function": "memory"}
    third["post_memory"] = []
    description["edges"] += [{"from": "IT", "to": "V2"}, {"from": "V1", "to": "IT"}]
    wishes = Wishes(steps=STEPS)
    _, graph = parse_architecture(import_json(json.dumps(description), "net.json", "net", wishes), "net.yaml")
    network = Network(graph, seed=0).double()
    weights = {name: value.detach() for name, value in network.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    images_NCHW = torch.rand(2, 3, 16, 16, generator=generator, dtype=torch.float64)

    def joined(area: str, inputs: list[torch.Tensor], kernels: list[str]) -> torch.Tensor:
        kernel = torch.cat([weights[name] for name in kernels], dim=1)
        return F.conv2d(torch.cat(inputs, dim=1), kernel, weights[f"areas.{area}.drive.0.bias"], padding=1)

    out = {name: torch.zeros(2, channels, 8, 8, dtype=torch.float64) for name, channels in (("V1", 4), ("V2", 6))}
    out["IT"] = torch.zeros(2, 8, 8, 8, dtype=torch.float64)
    for _ in range(STEPS):
        last = out["IT"]
        own = ["areas.V1.drive.0.weight"]
        below = ["areas.V2.drive.0.weight", "edges.IT>V2.0.weight"]
        above = ["areas.IT.drive.0.weight", "edges.V1>IT.0.weight"]
        out = {
            "V1": F.max_pool2d(F.elu(joined("V1", [images_NCHW], own)), 2),
            "V2": joined("V2", [out["V1"], out["IT"]], below),
            "IT": F.relu(joined("IT", [out["V2"], out["V1"]], above)),
        }
    logits = F.linear(last.mean(dim=(2, 3)), weights["readout.weight"], weights["readout.bias"])
    torch.testing.assert_close(network(images_NCHW), logits, rtol=1e-9, atol=1e-9)
