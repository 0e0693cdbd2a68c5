"""The model card that lies beside the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnscope.demo.book import BACKGROUNDS, COLOURS, KINDS, PROMPTS, held_out_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Of the weights in the package; set by hand when they are replaced.
LOW_STEPS, HIGH_STEPS = 3_000, 1_600

_CARD = """\
---
library_name: diffusers
pipeline_tag: text-to-image
license: apache-2.0
---

# The picture book: the demo model of attnscope

A Stable Diffusion pipeline in small, for looking at attention without a download or a GPU. It has
the blocks and module names of Stable Diffusion 1.5 (16 cross-attention and 16 self-attention
sites) and paints pictures of 128 pixels a side from 32x32 latents. It was trained from nothing
on pictures that attnscope draws itself; no other data and no other model went into it.

```python
from attnscope import demo

pipe = demo.pipeline()
pipe({prompt!r}, num_inference_steps=20).images[0]
```

`StableDiffusionPipeline.from_pretrained(attnscope.demo.weights_folder())` reads the same files.

## What it knows

* Things: {kinds}.
* Colours: {colours}.
* Backgrounds: {backgrounds} ("at night", "in a meadow", or nothing for plain paper).
* Relations: and, above, below, left of, right of.

One or two things in a picture, sometimes three. It knows nothing else: other words are accepted,
and mean nothing to it. {splits} are written in two tokens, the other
words of the book in one.

## How well

Judged on {captions:.0f} captions that name combinations it was never trained on, with {steps:.0f}
steps and a guidance scale of {guidance}, by colour, place and shape
(`python -m attnscope.demo.judge --write`):

| | |
|---|---|
| things present in their colour | {things:.1%} |
| things recognised by their shape, in their colour | {shapes:.1%} |
| relations right (above, below, left of, right of) | {relations:.1%} |
| backgrounds right | {grounds:.1%} |
| pictures with all of that right | {pictures:.1%} |
| pictures with visible noise | {noisy:.1%} |
| median noise, in grey levels of 255 | {noise:.2f} |

It is not trained to the end. Backgrounds are right and nearly all colours appear; shapes are rough,
the second thing sometimes takes the colour of the first, and left and right are often swapped. A
relation counts as wrong where one of its colours is missing.
Noise is measured on flat areas; the things themselves are blotchy. Judged against captions of
other pictures, {things_by_chance:.1%} of things would pass as present.

Six pairs of colour and kind never appeared in training: {pairs}.
Of those, {held_things:.1%} were present in their colour and {held_shapes:.1%} recognised by their
shape too.

## How it was made

`python -m attnscope.demo.train`: the denoiser and its text encoder together, first on 16x16
latents, then on 32x32 latents; velocity prediction, a noise schedule that ends in pure noise, a
tenth of the captions left out, averaged weights. The encoder of the autoencoder is not learned:
its weights are set so that a latent is the mean colour of 4x4 pixels, in opponent colours, with
the brightness from corner to corner as fourth channel. The decoder learned to find the edges.

The weights here are those of less than two hours on two shared CPU cores: about {low_steps:,}
steps of 32 small pictures, in two runs, and {high_steps:,} of 8 full ones. Longer training is what it
needs most, and can start from them:
`python -m attnscope.demo.train --stages high --start attnscope/demo/weights --high-minutes 120`.
"""


def write_card(folder: Path, figures: Mapping[str, float]) -> None:
    """Write `README.md` into the weights folder, with the figures of the judge."""
    from attnscope.demo.vocabulary import SPLIT_WORDS

    pairs = sorted(f"{colour} {kind}" for colour, kind in held_out_pairs())
    text = _CARD.format(
        low_steps=LOW_STEPS,
        high_steps=HIGH_STEPS,
        prompt=PROMPTS[0],
        kinds=", ".join(KINDS),
        colours=", ".join(COLOURS),
        backgrounds=", ".join(BACKGROUNDS),
        splits=", ".join(sorted(SPLIT_WORDS)).capitalize(),
        pairs=", ".join(pairs),
        held_things=figures["things_of_held_out_pairs"],
        held_shapes=figures["shapes_of_held_out_pairs"],
        **{name: value for name, value in figures.items() if not name.endswith("_pairs")},
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
