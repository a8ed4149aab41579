"""Running statistics: whose they are, and what they are means over."""

import torch
from naive_unroll import NaiveUnroll

from cells.network import Network
from space.hashes import architecture_hash
from space.parse import parse_architecture

HEAD = """
striate: 1
name: kept
input: {channels: 2, size: 4, classes: 3}
train: {data: digits, learning_rate: 0.1}
"""


def built(body):
    architecture, graph = parse_architecture(HEAD + body, "kept.yaml")
    return architecture, graph, Network(graph, 0)


def two_norms(weights):
    """A batch norm at step 0 and one at step 1, each with an affine of its own."""
    return f"""
time: {{steps: 3, unroll: sweep}}
areas:
  V0: {{drive: []}}
  V1: {{drive: [], cell: {{type: time_decay}}}}
edges:
  forward:
  - {{from: image, to: V0}}
  - {{from: image, to: V1, via: [norm: {{kind: batch, affine: step{weights}}}], active: {{first: 0, last: 0}}}}
  - from: V0
    to: V1
    via: [conv: {{kernel: 1, channels: 2, bias: false}}, norm: {{kind: batch, affine: step{weights}}}]
    active: {{first: 1, last: 1}}
"""


def test_norms_that_share_their_statistics_alone_have_another_hash():
    """Trained they give the same; but statistics that are one mean, or two, do not in evaluation."""
    hashes = {architecture_hash(built(two_norms(weights))[1]) for weights in ("", ", weights: n")}
    assert len(hashes) == 2


def test_each_occurrence_of_a_norm_counts_also_where_two_read_the_same():
    body = """
time: {steps: 1, unroll: sweep}
areas:
  V0: {drive: []}
  V1: {drive: []}
edges:
  forward:
  - {from: image, to: V0}
  - {from: image, to: V1, via: [norm: {kind: batch, weights: n}]}
  - {from: image, to: V1, via: [norm: {kind: batch, weights: n}]}
  - {from: V0, to: V1, via: [conv: {kernel: 1, channels: 2}, norm: {kind: batch, weights: n}]}
"""
    architecture, _, network = built(body)
    naive = NaiveUnroll(architecture, network)
    images = 2 * torch.randn(5, 2, 4, 4, generator=torch.Generator().manual_seed(0)) + 1
    torch.testing.assert_close(network.answers(images), naive.answers(images, training=True))
    for name, kept in network.named_buffers():
        torch.testing.assert_close(kept, naive.buffers[name])
