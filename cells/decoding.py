"""From the answers of several steps to one, and to a loss.

S answers, N images, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from space.nodes import Decoding


def decoded(answers_SNK: Tensor, decoding: Decoding) -> Tensor:
    """Logits `(N, K)`.

    Of the `mean` or `sum` of the answers' logits, of the `last` answer, of that with the highest probability for each
    image (`max_confidence`), or of the first with one of at least the `threshold`, else the last.
    """
    match decoding.decode:
        case "mean":
            return answers_SNK.mean(dim=0)
        case "sum":
            return answers_SNK.sum(dim=0)
        case "last":
            return answers_SNK[-1]
    confidence_SN = answers_SNK.softmax(dim=2).amax(dim=2)
    if decoding.decode == "max_confidence":
        chosen_N = confidence_SN.argmax(dim=0)
    else:
        sure_SN = confidence_SN >= decoding.threshold
        sure_SN[-1] = True
        chosen_N = sure_SN.to(torch.uint8).argmax(dim=0)
    return answers_SNK[chosen_N, torch.arange(len(chosen_N), device=chosen_N.device)]


def loss(answers_SNK: Tensor, labels_N: Tensor, decoding: Decoding) -> Tensor:
    """The mean cross-entropy of the decoded answer, or of every answer."""
    if not decoding.loss_of_every:
        return F.cross_entropy(decoded(answers_SNK, decoding), labels_N)
    return F.cross_entropy(answers_SNK.flatten(0, 1), labels_N.repeat(len(answers_SNK)))
