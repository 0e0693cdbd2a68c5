"""What to look at when an attention module is called, and what its columns stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from attnscope.capture.aside import aside
from attnscope.capture.over_pixels import SelfSighting
from attnscope.capture.over_tokens import CrossSighting, ImageSighting
from attnscope.capture.recompute import recompute
from attnscope.capture.recording import Recording, Token
from attnscope.capture.sightings import Columns, Sighting, Sightings
from attnscope.capture.tokens import Text, choose_columns, label_positions
from attnscope.errors import CaptureError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from attnscope.capture.options import Options
    from attnscope.capture.run import Run

__all__ = ["Looking", "kinds_of_call"]


class Looking:
    """Decides what is seen of a call: text, pixels, image prompts, or two of them in one softmax.

    Parameters
    ----------
    recording
        Its texts are those of the first call.
    options
        What to keep.
    """

    run: Run

    def __init__(self, recording: Recording, options: Options) -> None:
        self._recording, self._options = recording, options
        self._columns: Columns | None = None
        self._fitted: WeakSet[nn.Module] = WeakSet()
        #: The text of every row; empty before the first call.
        self.texts: list[Text] = []

    def at(
        self, module: nn.Module, hidden: Tensor, text: Any, rows: list[int], heads: int
    ) -> tuple[Sightings | None, dict[str, str]]:
        """Prepare for a call of a module.

        Parameters
        ----------
        module
            A diffusers ``Attention``.
        hidden
            ``(batch, pixel, channel)``, or ``(batch, channel, row, column)``.
        text
            ``(batch, position, channel)``; with image prompts a tuple of that and a list with one
            ``(batch, picture, position, channel)`` for each adapter; None for self-attention.
        rows
            Rows of the batch to keep.
        heads
            Of the module.

        Returns
        -------
        sightings : Sightings or None
            None where nothing of it is to be kept.
        refused : dict
            Why, by kind of attention.
        """
        kinds, batch = self._options.kinds, hidden.shape[0]
        pixels = hidden.shape[1] if hidden.ndim == 3 else hidden.shape[2] * hidden.shape[3]
        text, adapters = text if isinstance(text, tuple) else (text, [])
        present = kinds_of_call(module, text, bool(adapters))
        if not set(present) & set(kinds):
            return None, {present[0]: _not_asked(present[0])}
        if text is None:
            return Sightings([SelfSighting(pixels, rows, batch, heads)]), {}
        length, joint = text.shape[1], "self" in present
        columns = self._choose_columns(length, rest=joint)
        if length != columns.length:
            if module in self._fitted:
                msg = (
                    f"This capture holds maps over {columns.length} text positions, and this call has {length}. "
                    "Use a `with attnscope.capture(...)` block for each."
                )
                raise CaptureError(msg)
            return None, {"cross": f"it looks at {length} positions, and other layers at {columns.length}"}
        self._fitted.add(module)
        cross = CrossSighting(length + pixels if joint else length, rows, batch, heads, columns)
        parts: list[Sighting] = []
        if adapters and "image" in kinds:
            # Told first of every event, so that the text's own is over before it begins to look.
            parts.append(ImageSighting(self._image_columns(module, adapters), rows, batch, heads, cross))
        parts.append(cross)
        if joint and "self" in kinds:
            parts.append(SelfSighting(pixels, rows, batch, heads, ahead=length))
        return Sightings(parts), {kind: _not_asked(kind) for kind in present if kind not in kinds}

    def again(
        self, module: nn.Module, sightings: Sightings, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> bool:
        """Recompute what was not seen, where that gives what the module gave; whether it was done."""
        unseen = [part for part in sightings.parts if not part.complete and part.refused is None]
        if not unseen:
            return False
        names = ("hidden_states", "encoder_hidden_states", "attention_mask")
        given = dict(zip(names, args, strict=False)) | dict(kwargs)
        try:
            call = recompute(module, *(given.get(name) for name in names), output)  # type: ignore[arg-type]
            if not isinstance(call, str):
                with aside(output.device):
                    unseen[0].restart()
                    unseen[0].fused(call)
                    return unseen[0].complete
            why = call
        except Exception as error:  # the run has what it needs: this must not end it
            why = f"computing it again failed: {type(error).__name__}: {error}"
        for part in unseen:
            part.not_again = why
        return False

    def _choose_columns(self, length: int, *, rest: bool) -> Columns:
        if self._columns is None:
            self.texts = [self._text(index, length) for index in range(len(self._recording.rows))]
            texts, summed = choose_columns(self.texts, self._options.tokens)
            single = [token.position for token in texts[0]]
            if rest:
                pixels = Token(length, "(picture)", "(picture)", -1, "self")
                texts = [[*tokens, pixels] for tokens in texts]
            self._recording.texts["cross"] = texts
            self._columns = Columns(single[:-1] if summed else single, summed, rest=rest)
        return self._columns

    def _text(self, row: int, length: int) -> Text:
        labels = self._options.labels
        known = self.run.text(self._recording.rows[row], length) if labels is None else None
        return label_positions(length, labels) if known is None else known

    def _image_columns(self, module: Any, adapters: list[Tensor]) -> list[tuple[int, bool]]:
        scales = getattr(module.processor, "scale", [1.0] * len(adapters))
        if "image" not in self._recording.texts:
            tokens: list[Token] = []
            pictures = 0
            for embeds in adapters:
                count = embeds.shape[1] if embeds.ndim == 4 else 1
                for picture in range(pictures, pictures + count):
                    word = f"image {picture}"
                    tokens += [
                        Token(len(tokens) + i, f"{word}.{i}", word, picture, "image") for i in range(embeds.shape[-2])
                    ]
                pictures += count
            self._recording.texts["image"] = [tokens] * len(self._recording.rows)
        return [
            (embeds.shape[1:-1].numel(), not any(scale) if isinstance(scale, (list, tuple)) else scale == 0)
            for embeds, scale in zip(adapters, scales, strict=True)
        ]


def kinds_of_call(module: Any, text: Any, images: bool) -> tuple[str, ...]:
    """Tell which kinds of attention a call of a module has; plans ask as captures do.

    Parameters
    ----------
    module
        A diffusers ``Attention``.
    text
        What it is called with; None for self-attention.
    images
        Whether there are image prompts beside the text.
    """
    if text is None:
        return ("self",)
    # Added keys (unCLIP, Kandinsky 2.1, DeepFloyd IF): one softmax over the text and the pixels behind it.
    joint = getattr(module, "add_k_proj", None) is not None and not module.only_cross_attention
    return ("cross", *(["self"] if joint else []), *(["image"] if images else []))


def _not_asked(kind: str) -> str:
    return f"{kind}-attention was not asked for by kinds="
