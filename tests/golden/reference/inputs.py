"""Hook points that exist on request (one input a head, the MLP's input), and hooks that change values."""

from contextlib import contextmanager

from . import gpt2
from .fixtures import Fixtures

SPLIT = ["hook_q_input", "hook_k_input", "hook_v_input"]
ON_REQUEST = ["hook_attn_in", *SPLIT, "hook_mlp_in"]


@contextmanager
def requested(model, sites):
    """While it lasts, `sites` fire. They are off outside, since a head axis then appears in ln1's hooks too."""
    model.set_use_attn_in("hook_attn_in" in sites)
    model.set_use_split_qkv_input(any(site in SPLIT for site in sites))
    model.set_use_hook_mlp_in("hook_mlp_in" in sites)
    try:
        yield
    finally:
        model.set_use_attn_in(False)
        model.set_use_split_qkv_input(False)
        model.set_use_hook_mlp_in(False)


def input_values(out, model, name, text):
    """The inputs of every layer: copies of the residual stream, one a head."""
    read = "hook_resid_pre" if model.cfg.parallel_attn_mlp else "hook_resid_mid"
    with requested(model, ON_REQUEST):
        _, cache = model.run_with_cache(text)
    names = [key for key in cache if key.split(".")[-1] in ON_REQUEST]
    for key in names:
        block, site = key.rsplit(".", 1)
        if site == "hook_mlp_in":
            assert (cache[key] == cache[f"{block}.{read}"]).all()
        else:
            assert (cache[key] == cache[f"{block}.hook_resid_pre"][:, :, None]).all()
        out.put(f"on_request/{name}/{key}", cache[key])
    out.cases["on_request"] = {"text": text, "names": names}


def change(hook, multiply=1.0, add=0.0, head=None, positions=None, dims=None):
    """value * multiply + add, at the head, the positions and the dimensions named; None is all."""
    return {"hook": hook, "head": head, "positions": positions, "dims": dims, "multiply": multiply, "add": add}


def listed_changes(d_model):
    """LayerNorm takes no notice of a whole vector's size or mean, so a part of it is changed."""
    half = d_model // 2
    q = change("blocks.1.hook_q_input", multiply=0.5, head=1, dims=[0, half])
    k = change("blocks.1.hook_k_input", add=0.7, head=0, dims=[4, half + 4])
    v = change("blocks.0.hook_v_input", multiply=-1.0, positions=[2, 5])
    mlp = change("blocks.1.hook_mlp_in", add=0.7, dims=[0, 8])
    result = change("blocks.2.attn.hook_result", multiply=0.5, add=0.3, head=1, dims=[0, half])
    return [
        ("q_input", [q]),
        ("k_input", [k]),
        ("v_input", [v]),
        ("attn_in", [change("blocks.1.hook_attn_in", multiply=0.0, head=1)]),
        ("mlp_in", [mlp]),
        ("result", [result]),
        ("together", [q, k, v, mlp, result]),
    ]


def changed(out, model, name, text, listed):
    """The logits of `text` under each of (case, changes)."""
    clean = model(text)
    for case, changes in listed:
        hooks = []
        for one in changes:

            def hook(value, hook, one=one):
                where = [slice(None), slice(*one["positions"] or [None])]
                if value.ndim == 4:
                    where.append(slice(None) if one["head"] is None else one["head"])
                where.append(slice(*one["dims"] or [None]))
                value[tuple(where)] = value[tuple(where)] * one["multiply"] + one["add"]
                return value

            hooks.append((one["hook"], hook))
        with requested(model, [one["hook"].split(".")[-1] for one in changes]):
            logits = model.run_with_hooks(text, fwd_hooks=hooks)
        # A case that changes next to nothing would prove next to nothing.
        assert (logits - clean).abs().max() > 0.05, (name, case)
        out.put(f"changed/{name}/{case}", logits)
    out.cases["changed"] = [{"name": case, "text": text, "changes": changes} for case, changes in listed]


def make(here):
    """For the tiny GPT-2, whose checkpoint is written anew."""
    _, default, raw = gpt2.make_model(here / "tiny")
    out = Fixtures()
    for name, model in (("default", default), ("none", raw)):
        input_values(out, model, name, gpt2.TEXTS[1])
        changed(out, model, name, gpt2.TEXTS[1], listed_changes(gpt2.D))
    out.save(here / "inputs.safetensors", here / "inputs.json")
