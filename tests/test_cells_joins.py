"""Several edges that enter at one port."""

import pytest
import torch
import torch.nn.functional as F

from cells.network import Network
from space.parse import parse_architecture


def parsed(join, edges, port="input"):
    text = f"""
striate: 1
name: joined
input: {{channels: 1, size: 6, classes: 2}}
time: {{steps: 3}}
areas:
  V1: {{drive: [conv: {{kernel: 1, channels: 3}}], joins: {{{port}: {join}}}}}
edges:
  forward: [{{from: image, to: V1}}]
  lateral:
{edges}
train: {{data: digits, learning_rate: 0.1}}
"""
    return parse_architecture(text, "joined.yaml")[1]


def lateral(channels, more=""):
    return f"    - {{from: V1, to: V1, via: [conv: {{kernel: 3, channels: {channels}}}]{more}}}\n"


@pytest.mark.parametrize(
    ("join", "channels", "joined"),
    [
        ("sum", (3, 3), torch.add),
        ("multiply", (3, 3), torch.mul),
        ("concat", (1, 2), lambda *parts: torch.cat(parts, dim=1)),
    ],
)
def test_edges_are_joined_at_a_port(join, channels, joined):
    network = Network(parsed(join, "".join(map(lateral, channels))), 0).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1
    of = dict(network.named_parameters())
    image = torch.randn(2, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    drive = F.conv2d(image, of["areas.V1.drive.0.weight"], of["areas.V1.drive.0.bias"])
    h = torch.zeros(2, 3, 6, 6, dtype=torch.float64)
    for _ in range(2):  # the read-out of step 2 reads step 1
        brought = [
            F.conv2d(h, of[f"edges.{edge}.0.weight"], of[f"edges.{edge}.0.bias"], padding=1)
            for edge in ("V1>V1", "V1>V1#2")
        ]
        h = drive + joined(*brought)
    wanted = F.linear(h.mean(dim=(2, 3)), of["readout.weight"], of["readout.bias"])
    torch.testing.assert_close(network(image), wanted)
