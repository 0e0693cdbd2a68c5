"""Judge the demo model on held-out captions: `python -m attnscope.demo.judge`.

None of the 200 captions names a scene the model was trained on: each has a pair of colour and
kind, or a pairing of two things, that was held out.
"""

# diffusers exports lazily and types its modules loosely; pyright cannot follow it there.
# pyright: reportAttributeAccessIssue=false
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from attnscope.demo.book import Scene, held_out_pairs, held_out_scenes
from attnscope.demo.card import write_card
from attnscope.demo.verdict import VISIBLE_NOISE, Verdict, judge
from attnscope.demo.weights import read_weights

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from numpy.typing import NDArray

Figures = dict[str, float]


def paint(
    pipe: StableDiffusionPipeline,
    captions: list[str],
    *,
    steps: int = 20,
    guidance: float = 7.5,
    batch: int = 10,
    side: int | None = None,
) -> NDArray[np.uint8]:
    """Generate one picture for each caption, (picture, height, width, rgb).

    The noise of a picture depends on its place in the list alone.
    """
    import torch

    pipe.set_progress_bar_config(disable=True)
    pictures = []
    for start in range(0, len(captions), batch):
        chosen = captions[start : start + batch]
        seeds = range(start, start + len(chosen))
        pictures += pipe(
            chosen,
            height=side,
            width=side,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        ).images
    return np.stack([np.asarray(picture) for picture in pictures])


def summarise(scenes: list[Scene], verdicts: list[Verdict]) -> Figures:
    """Return the shares of what is right, and the noise.

    Parameters
    ----------
    scenes, verdicts
        What the captions name and what was found, in the same order.

    Returns
    -------
    dict
        Shares from 0 to 1: `things` present in their colour (and of those with a held-out pair
        of colour and kind), `shapes` recognised, `relations` right, `grounds` right, `pictures`
        with everything right, `noisy` pictures; `noise` in grey levels, the median.
    """
    pairs = held_out_pairs()
    things = [
        (found, shaped, (thing.colour, thing.kind) in pairs)
        for scene, verdict in zip(scenes, verdicts, strict=True)
        for thing, found, shaped in zip(scene.things, verdict.present, verdict.shaped, strict=True)
    ]
    noises = np.array([verdict.noise for verdict in verdicts])
    return {
        "captions": len(scenes),
        "things": _share([found for found, _, _ in things]),
        "shapes": _share([shaped for _, shaped, _ in things]),
        "things_of_held_out_pairs": _share([found for found, _, held in things if held]),
        "shapes_of_held_out_pairs": _share([shaped for _, shaped, held in things if held]),
        "relations": _share([v.relation for v in verdicts if v.relation is not None]),
        "grounds": _share([verdict.ground for verdict in verdicts]),
        "pictures": _share([all(v.shaped) and v.relation is not False and v.ground for v in verdicts]),
        "noisy": _share(list(noises > VISIBLE_NOISE)),
        "noise": round(float(np.median(noises)), 2),
    }


def _share(answers: list[bool]) -> float:
    """Return the share of yes, to three digits; nan of nothing."""
    return round(float(np.mean(answers)), 3) if answers else float("nan")


def contact_sheet(pictures: NDArray[np.uint8], columns: int = 8) -> Image.Image:
    """Put pictures side by side, row by row, for a look at them all."""
    rows = -(-len(pictures) // columns)
    missing = rows * columns - len(pictures)
    filled = np.pad(pictures, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=255)
    grid = filled.reshape(rows, columns, *pictures.shape[1:]).swapaxes(1, 2)
    height, width = pictures.shape[1:3]
    return Image.fromarray(grid.reshape(rows * height, columns * width, 3))


def main() -> None:
    """Read the command line, paint, judge and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights")
    parser.add_argument("--count", type=int, default=200, help="captions, of the fixed 200")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--side", type=int, help="side of the pictures in pixels")
    parser.add_argument("--sheet", type=Path, help="write all pictures to this file")
    parser.add_argument("--write", action="store_true", help="write figures and model card")
    options = parser.parse_args()
    scenes = held_out_scenes()
    # Fewer captions are a fair sample of all, not the easier ones.
    scenes = random.Random(0).sample(scenes, options.count)
    pictures = paint(
        read_weights(options.weights),
        [scene.caption for scene in scenes],
        steps=options.steps,
        guidance=options.guidance,
        side=options.side,
    )
    verdicts = [judge(picture, scene) for picture, scene in zip(pictures, scenes, strict=True)]
    # What a picture would be granted that was painted for another caption.
    others = scenes[1:] + scenes[:1]
    strange = [judge(picture, scene) for picture, scene in zip(pictures, others, strict=True)]
    chance = summarise(others, strange)["things"]
    figures = {
        **summarise(scenes, verdicts),
        "things_by_chance": chance,
        "steps": options.steps,
        "guidance": options.guidance,
    }
    print(json.dumps(figures, indent=2))
    if options.sheet:
        contact_sheet(pictures).save(options.sheet)
    if options.write:
        (options.weights / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
        write_card(options.weights, figures)


if __name__ == "__main__":
    main()
