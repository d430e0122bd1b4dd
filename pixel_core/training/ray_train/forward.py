"""Our batches through transformers' own forward.

FSDP, DeepSpeed, gradient checkpointing and flash attention act through the hooks of the
model's modules, which ``models/language.py`` goes around. The loss is the same.

Legend: b transcript, t token, k trained token, p patch, n picture.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pixel_core.media.budget import MERGE, PATCH
from pixel_core.media.patches import STILL_WIDTH
from pixel_core.models.batch import Batch
from pixel_core.models.logprobs import forbid, logprobs_of
from pixel_core.models.vision_tower import both_moments

#: By name, as ``Scorer`` takes them.
Inputs = dict[str, Tensor]


def inputs_of(batch: Batch) -> Inputs:
    """The batch as ``Scorer`` takes it.

    ``pixels_pc`` are the patches of all pictures in the order their placeholders stand, and
    ``grids_n3`` their (1, rows, columns). A batch without a picture gets a blank one that no
    token shows (``blank`` is 1 then): workers that share a model must all pass through the
    vision tower, or wait for one another for ever.
    """
    patches: dict[int, tuple[Tensor, tuple[int, int, int]]] = {}
    start = 0
    for (width, height), group in batch.groups:
        grid = (1, height // PATCH, width // PATCH)
        for picture in group:
            patches[start] = (picture, grid)
            start += len(picture) // MERGE**2
    # A picture's first row in the table is met once for each time it is shown.
    shown = [patches[row] for row in batch.source_bt.flatten().tolist() if row in patches]
    blank = not shown
    if blank:
        shown = [(torch.zeros(MERGE**2, STILL_WIDTH), (1, MERGE, MERGE))]
    lengths = torch.tensor(batch.lengths)
    return {
        "tokens_bt": batch.tokens_bt,
        "weights_bt": batch.weights_bt,
        "positions_3bt": batch.positions_3bt,
        "padding_bt": torch.arange(batch.tokens_bt.shape[1]) >= lengths[:, None],
        "pixels_pc": both_moments(torch.cat([picture for picture, _ in shown])),
        "grids_n3": torch.tensor([grid for _, grid in shown]),
        "blank": torch.tensor(float(blank)),
    }


class Scorer(nn.Module):
    """A model with the loss on top, so that whatever wraps it wraps the whole computation."""

    def __init__(self, model: Any, banned: tuple[int, ...]) -> None:
        super().__init__()
        self.model = model
        self._banned = banned
        #: Causal attention over rows that are padded on the right needs no mask, and is
        #: faster without; flash attention skips what a mask says is padding.
        self._masked = model.config._attn_implementation != "sdpa"

    def forward(
        self,
        tokens_bt: Tensor,
        weights_bt: Tensor,
        positions_3bt: Tensor,
        padding_bt: Tensor,
        pixels_pc: Tensor,
        grids_n3: Tensor,
        blank: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The weighted sum of the trained tokens' losses, float32, and the weighted count of
        those that are the likeliest. Only trained tokens get logits."""
        inner = self.model.model
        pictures: dict[str, Tensor] = {}
        unseen = torch.zeros((), device=tokens_bt.device)
        if blank:
            features = inner.visual(pixels_pc, grid_thw=grids_n3).pooler_output
            unseen = 0.0 * features.float().sum()
        else:
            pictures = {"pixel_values": pixels_pc, "image_grid_thw": grids_n3}
        hidden_btd = inner(
            input_ids=tokens_bt,
            position_ids=positions_3bt,
            attention_mask=(~padding_bt).long() if self._masked else None,
            use_cache=False,
            **pictures,
        ).last_hidden_state
        chosen_bt = weights_bt[:, 1:] > 0
        logits_kv = forbid(
            self.model.lm_head(hidden_btd[:, :-1][chosen_bt]).float(), self._banned
        )
        targets_k, weights_k = tokens_bt[:, 1:][chosen_bt], weights_bt[:, 1:][chosen_bt]
        loss = -(logprobs_of(logits_kv, targets_k) * weights_k).sum() + unseen
        hits = ((logits_kv.detach().argmax(-1) == targets_k) * weights_k).sum()
        return loss, hits
