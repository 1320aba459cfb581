"""Steering and generation as the original does them, over any HookedTransformer."""

import math

import torch
from transformer_lens import HookedTransformerKeyValueCache

PLAIN = {"temperature": 1.0, "top_k": None, "top_p": None, "freq_penalty": 0.0}


def full_name(act_name):
    return f"blocks.{act_name}.hook_resid_pre" if isinstance(act_name, int) else act_name


def vector(model, addition):
    tokens = addition.get("tokens")
    tokens = model.to_tokens(addition["prompt"]) if tokens is None else torch.tensor([tokens])
    _, cache = model.run_with_cache(tokens)
    return addition["coeff"] * cache[full_name(addition["act_name"])]


def x_vector(model, prompt1, prompt2, coeff, act_name, pad_method=None, pad_id=None):
    if pad_method is None:
        return [
            {"prompt": prompt1, "coeff": coeff, "act_name": act_name},
            {"prompt": prompt2, "coeff": -coeff, "act_name": act_name},
        ]
    rows = [model.to_tokens(p)[0].tolist() for p in (prompt1, prompt2)]
    length = max(map(len, rows))
    pad = model.tokenizer.pad_token_id if pad_id is None else pad_id
    if pad_method == "tokens_right":
        rows = [r + [pad] * (length - len(r)) for r in rows]
    else:
        rows = [r[:1] + [pad] * (length - len(r)) + r[1:] for r in rows]
    return [
        {"tokens": rows[0], "coeff": coeff, "act_name": act_name},
        {"tokens": rows[1], "coeff": -coeff, "act_name": act_name},
    ]


def span(location, p, a):
    return {
        "front": slice(0, a),
        "back": slice(p - a, p),
        "mid": slice(p // 2 - a // 2, p // 2 + (a - a // 2)),
    }[location]


def steering_hooks(model, additions, location="front", res_slice=None):
    dims = slice(0, model.cfg.d_model) if res_slice is None else slice(*res_slice)
    hooks = []
    for addition in additions:
        added = vector(model, addition)

        def hook(act, hook, added=added):
            if act.shape[1] == 1:
                return act
            act[:, span(location, act.shape[1], added.shape[1]), dims] += added[:, :, dims]
            return act

        hooks.append((full_name(addition["act_name"]), hook))
    return hooks


def sample(logits, tokens, temperature, top_k, top_p, freq_penalty):
    """One step for [row, vocab] logits; tokens [row, pos] are all of the row so far."""
    if temperature == 0:
        return logits.argmax(-1)
    logits = logits / temperature
    if freq_penalty > 0:
        for row in range(logits.shape[0]):
            logits[row] = logits[row] - freq_penalty * torch.bincount(tokens[row], minlength=logits.shape[1])
    if top_k is not None:
        kth = torch.topk(logits, top_k, dim=-1)[0][..., -1, None]
        logits = logits.masked_fill(logits < kth, -math.inf)
    elif top_p is not None:
        values, order = torch.sort(logits, descending=True)
        cumulative = values.softmax(-1).cumsum(-1)
        remove = cumulative > top_p
        remove[..., 1:] = remove[..., :-1].clone()
        remove[..., 0] = False
        logits = logits.masked_fill(remove.scatter(1, order, remove), -math.inf)
    return torch.distributions.categorical.Categorical(logits=logits).sample()


def generate(model, prompt, rows, additions, new, seed, stop_at_eos, keep_logits=None, location="front", **options):
    torch.manual_seed(seed)
    tokens = model.to_tokens([prompt] * rows)
    end = model.tokenizer.eos_token_id
    finished = torch.zeros(rows, dtype=torch.bool)
    # At the front, steering the whole text again is the same as steering the prompt and keeping its
    # keys and values. TransformerLens' cache is not used: called step by step, it takes an
    # end-of-text that was drawn for padding and hides it from later steps.
    # Elsewhere there is no way around it, so end-of-text must not be drawn.
    hooks = steering_hooks(model, additions, location)
    cache = None if location == "front" else HookedTransformerKeyValueCache.init_cache(model.cfg, "cpu", rows)
    seen = tokens
    for step in range(new):
        logits = model.run_with_hooks(seen, fwd_hooks=hooks, past_kv_cache=cache)[:, -1]
        if keep_logits is not None:
            keep_logits(step, logits)
        chosen = sample(logits, tokens, **options)
        if stop_at_eos:
            chosen[finished] = end
            finished |= chosen == end
        tokens = torch.cat([tokens, chosen[:, None]], 1)
        seen = tokens if cache is None else chosen[:, None]
        assert cache is None or end not in chosen
        if stop_at_eos and finished.all():
            break
    return tokens


def steered_forward(out, model, text, listed, processing=None):
    """The logits of `text` under each of (name, additions, location, res_stream_slice), and the vectors added."""
    under = "" if processing is None else f"{processing}/"
    cases = []
    for name, additions, location, res_slice in listed:
        hooks = steering_hooks(model, additions, location, res_slice)
        logits = model.run_with_hooks(text, fwd_hooks=hooks)
        out.put(f"steered/{under}{name}", logits)
        for i, addition in enumerate(additions):
            out.put(f"vectors/{under}{name}/{i}", vector(model, addition))
        cases.append(
            {"name": name, "text": text, "additions": additions, "location": location, "res_stream_slice": res_slice}
        )
    return cases
