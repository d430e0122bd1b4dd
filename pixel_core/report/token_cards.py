"""Trajectories token by token: shown, trained or masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pixel_core.config import DialogueConfig
from pixel_core.records import Query
from pixel_core.report.episodes.gallery import Gallery
from pixel_core.report.html.wording import plain
from pixel_core.report.material import Material
from pixel_core.report.trajectory_cards import by_kind, seed_of
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.replay import replay_marked
from pixel_core.rollout.vocabulary import Vocabulary

#: Tokens of a trajectory that are drawn; the rest are counted.
MAX_TOKENS = 3000


class TokenRole(StrEnum):
    """Who wrote a token, and whether it carries loss."""

    SHOWN = "shown"  #: prompt, question, an operation's return: never trained
    PICTURE = "picture"  #: a picture's placeholders, in one piece
    TRAINED = "trained"
    MASKED = "masked"  #: the assistant's, but a designated mistake


@dataclass(frozen=True)
class Piece:
    """``text`` of ``tokens`` tokens; the assistant's pieces have one token each."""

    text: str
    part: TokenRole
    tokens: int


@dataclass(frozen=True)
class TokenCard:
    kind: str
    pieces: list[Piece]
    trained: int
    masked: int
    shown: int
    #: Tokens that are not drawn.
    left_out: int


def token_cards(
    material: Material, gallery: Gallery, dialogue: DialogueConfig, vocabulary: Vocabulary
) -> list[TokenCard]:
    """The trajectories of the trajectory cards, tokenized as for training."""
    prompts = Renderer(dialogue, vocabulary)
    cards = []
    for trajectory in (group[0] for group in by_kind(material)):
        seed = seed_of(material, trajectory)
        images = [gallery.load(picture) for picture in seed.pictures]
        opening = RenderedPrompt.of(Query.from_seed(seed), images, prompts)
        replayed = replay_marked(trajectory, opening, prompts)
        transcript = replayed.transcript
        spoken = {at for turn in replayed.turns for at in turn}
        parts = [
            _part(token == vocabulary.image, at in spoken, weight > 0)
            for at, (token, weight) in enumerate(
                zip(transcript.tokens, transcript.weights, strict=True)
            )
        ]
        drawn = list(_pieces(transcript.tokens[:MAX_TOKENS], parts, vocabulary))
        trained, masked = parts.count(TokenRole.TRAINED), parts.count(TokenRole.MASKED)
        cards.append(
            TokenCard(
                kind=plain(trajectory.kind) + (", video" if seed.is_video else ""),
                pieces=drawn,
                trained=trained,
                masked=masked,
                shown=len(parts) - trained - masked,
                left_out=max(0, len(parts) - MAX_TOKENS),
            )
        )
    return cards


def _part(picture: bool, spoken: bool, trained: bool) -> TokenRole:
    if picture:
        return TokenRole.PICTURE
    if not spoken:
        return TokenRole.SHOWN
    return TokenRole.TRAINED if trained else TokenRole.MASKED


def _pieces(
    tokens: list[int], parts: list[TokenRole], vocabulary: Vocabulary
) -> Iterator[Piece]:
    """The assistant's tokens one by one, all others in runs."""
    run: list[int] = []
    for at, token in enumerate(tokens):
        part = parts[at]
        run.append(token)
        last = at + 1 == len(tokens) or parts[at + 1] is not part
        if part is TokenRole.PICTURE:
            if last:
                yield Piece("", part, len(run))
                run = []
            continue
        if part is TokenRole.SHOWN and not last:
            continue
        text = vocabulary.decode(run)
        # A character of several tokens is complete only with the last of them.
        whole = not text.endswith("\ufffd")
        if last or whole:
            yield Piece(text, part, len(run))
            run = []
