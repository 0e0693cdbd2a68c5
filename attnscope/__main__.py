"""``python -m attnscope``: paint a picture with the demo pipeline and write its scope as one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Make the demo."""
    parser = argparse.ArgumentParser(prog="python -m attnscope", description=__doc__)
    parser.add_argument("prompt", nargs="?", default="a red circle above a blue square")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps (20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the picture (0)")
    parser.add_argument("--out", type=Path, default=Path("demo.html"), help="file to write (demo.html)")
    arguments = parser.parse_args()

    import torch

    import attnscope

    pipe = attnscope.demo.pipeline()
    generator = torch.Generator().manual_seed(arguments.seed)
    with attnscope.capture(pipe) as cap:
        pipe(arguments.prompt, num_inference_steps=arguments.steps, generator=generator)
    print(cap)
    path = attnscope.Scope(cap).to_html(arguments.out)
    print(f"Open this file in a browser: {path.resolve().as_uri()}")


if __name__ == "__main__":
    main()
