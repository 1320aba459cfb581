"""What is written: named tensors and cases, and the parts that are the same for every model."""

import json

import torch
from safetensors.torch import save_file


class Fixtures:
    """The tensors of one .safetensors file and the cases of the .json beside it."""

    def __init__(self):
        self.tensors: dict[str, torch.Tensor] = {}
        self.cases: dict = {}

    def put(self, key, tensor):
        self.tensors[key] = tensor.detach().clone().contiguous().to(torch.float32)

    def save(self, tensors, cases):
        self.cases["versions"] = {"transformer_lens": "2.18.0", "torch": torch.__version__}
        save_file(self.tensors, tensors)
        cases.write_text(json.dumps(self.cases, indent=1, ensure_ascii=False) + "\n")
        print(tensors.name, len(self.tensors), "tensors", tensors.stat().st_size, "bytes")


def put_attribution(out, key, cache):
    """How the final residual stream is made up. Parallel blocks have no middle to include."""
    incl_mid = not cache.model.cfg.parallel_attn_mlp
    out.put(f"{key}/accumulated_resid", cache.accumulated_resid(layer=-1, incl_mid=incl_mid))
    out.put(f"{key}/decompose_resid", cache.decompose_resid(layer=-1))
    out.put(f"{key}/stack_head_results", cache.stack_head_results(layer=-1))
    stack = cache.decompose_resid(layer=-1)
    out.put(f"{key}/apply_ln_to_stack", cache.apply_ln_to_stack(stack, layer=-1))
    out.put(f"{key}/logit_attrs", cache.logit_attrs(stack, tokens=5))


def hook_values(out, model, name, texts, cached=None):
    """Hook values of the first `cached` texts (all, if None), logits and losses of all texts."""
    for i, text in enumerate(texts):
        tokens = model.to_tokens(text)
        logits, cache = model.run_with_cache(tokens)
        if cached is None or i < cached:
            for key, value in cache.items():
                out.put(f"{name}/{i}/{key}", value)
        out.put(f"{name}/{i}/logits", logits)
        out.put(f"{name}/{i}/loss_per_token", model(tokens, return_type="loss", loss_per_token=True))
        if name == "default" and (cached is None or i < cached):
            put_attribution(out, f"{name}/{i}", cache)
    out.cases[f"{name}_texts"] = [
        {
            "text": text,
            "tokens": model.to_tokens(text)[0].tolist(),
            "loss": model(text, return_type="loss").item(),
        }
        for text in texts
    ]


def tokenisation(out, model, texts):
    out.cases["tokenisation"] = [
        {
            "text": text,
            "tokens": model.to_tokens(text)[0].tolist(),
            "str_tokens": model.to_str_tokens(text),
        }
        for text in texts
    ]
