"""Makes the reference fixtures from the original: TransformerLens with torch on the CPU.

Writes tiny random models as ordinary Hugging Face folders, and beside them what TransformerLens and
torch compute with them. `make.py` makes all, `make.py neox` one part of them. See README.md.
"""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch

from reference import gpt2, inputs, neox, side_files

PARTS = {"gpt2": gpt2.make, "inputs": inputs.make, "neox": neox.make, "side_files": side_files.make}


def main():
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        sys.exit(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    for part in wanted:
        PARTS[part](Path(__file__).parent)


main()
