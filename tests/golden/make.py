"""Makes the reference fixtures from the original: TransformerLens with torch on the CPU.

Writes a tiny random GPT-2 as an ordinary Hugging Face folder (tiny/), and beside it what
TransformerLens and torch compute with it (tensors.safetensors, cases.json). See README.md.
"""

import json
import math
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformer_lens
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformer_lens import HookedTransformer, HookedTransformerConfig, HookedTransformerKeyValueCache
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

HERE = Path(__file__).parent
TINY = HERE / "tiny"
END = "<|endoftext|>"
L, D, H, CTX = 3, 32, 4, 64
torch.set_grad_enabled(False)
torch.set_num_threads(1)

tensors: dict[str, torch.Tensor] = {}
cases: dict = {}


# ------------------------------------------------------------------ the tiny model


def make_tokenizer():
    lines = [
        "I hate you because you never listen. I love you because you always do.",
        "Love and Hate are words. Love, Hate, Love, Hate. A wedding is a wedding party.",
        "The cat sat on the mat and looked at the moon. Yesterday, my dog died.",
        "I went up to my friend and said that the wedding is on Saturday.",
        "I think you're a wonderful person, and I think that you know it.",
    ]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(lines, trainer)
    # Last, as GPT-2 has it: TransformerLens' generate takes tokens of id 0 for padding otherwise.
    tokenizer.add_special_tokens([END])
    TINY.mkdir(exist_ok=True)
    tokenizer.save(str(TINY / "tokenizer.json"))
    tokenizer.model.save(str(TINY))
    vocab = sorted(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1])
    (TINY / "vocab.json").write_text(json.dumps(dict(vocab), ensure_ascii=False) + "\n")
    return tokenizer


def make_weights(vocab):
    g = torch.Generator().manual_seed(1234)

    def normal(*shape, std):
        return torch.randn(*shape, generator=g) * std

    state = {"wte.weight": normal(vocab, D, std=0.7), "wpe.weight": normal(CTX, D, std=0.3)}
    for i in range(L):
        for n in ("ln_1", "ln_2"):
            state[f"h.{i}.{n}.weight"] = 1 + normal(D, std=0.3)
            state[f"h.{i}.{n}.bias"] = normal(D, std=0.2)
        for n, a, b, std in (
            ("attn.c_attn", D, 3 * D, 0.3),
            ("attn.c_proj", D, D, 0.2),
            ("mlp.c_fc", D, 4 * D, 0.2),
            ("mlp.c_proj", 4 * D, D, 0.15),
        ):
            state[f"h.{i}.{n}.weight"] = normal(a, b, std=std)
            state[f"h.{i}.{n}.bias"] = normal(b, std=0.2)
    state["ln_f.weight"] = 1 + normal(D, std=0.3)
    state["ln_f.bias"] = normal(D, std=0.3)
    # End-of-text must be drawn sometimes, so that stopping is seen.
    state["ln_f.bias"] += 0.25 * state["wte.weight"][-1]
    return state


def make_model():
    tokenizer = make_tokenizer()
    vocab = tokenizer.get_vocab_size()
    end = tokenizer.token_to_id(END)
    config = GPT2Config(
        vocab_size=vocab, n_positions=CTX, n_embd=D, n_layer=L, n_head=H,
        bos_token_id=end, eos_token_id=end,
    )
    state = make_weights(vocab)
    save_file(state, TINY / "model.safetensors")
    (TINY / "config.json").write_text(
        json.dumps(
            {
                "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": L,
                "n_embd": D, "n_head": H, "n_positions": CTX, "vocab_size": vocab,
                "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
                "bos_token_id": end, "eos_token_id": end,
            },
            indent=2,
        )
        + "\n"
    )
    hf = GPT2LMHeadModel(config).eval()
    hf.load_state_dict({f"transformer.{k}": v for k, v in state.items()} | {"lm_head.weight": state["wte.weight"]}, strict=True)
    wrapped = PreTrainedTokenizerFast.from_pretrained(
        str(TINY), bos_token=END, eos_token=END, pad_token=END
    )

    def lens(processed):
        cfg = HookedTransformerConfig(
            n_layers=L, d_model=D, n_ctx=CTX, d_head=D // H, n_heads=H, d_mlp=4 * D,
            d_vocab=vocab, act_fn="gelu_new", eps=1e-5, normalization_type="LN",
            use_attn_result=True, original_architecture="GPT2LMHeadModel", seed=0,
            tokenizer_name="tiny",
        )
        model = HookedTransformer(cfg, tokenizer=wrapped)
        model.load_and_process_state_dict(
            convert_gpt2_weights(hf, cfg),
            fold_ln=processed, center_writing_weights=processed, center_unembed=processed,
            fold_value_biases=processed,
        )
        return model.eval()

    return hf, lens(True), lens(False)


# ------------------------------------------------------------------ what is written


def put(key, tensor):
    tensors[key] = tensor.detach().clone().contiguous().to(torch.float32)


TEXTS = ["I hate you because you never listen.", "Yesterday, my dog died."]


def hook_values(model, name):
    for i, text in enumerate(TEXTS):
        tokens = model.to_tokens(text)
        logits, cache = model.run_with_cache(tokens)
        for key, value in cache.items():
            put(f"{name}/{i}/{key}", value)
        put(f"{name}/{i}/logits", logits)
        put(f"{name}/{i}/loss_per_token", model(tokens, return_type="loss", loss_per_token=True))
        if name == "default":
            put(f"{name}/{i}/accumulated_resid", cache.accumulated_resid(layer=-1, incl_mid=True))
            put(f"{name}/{i}/decompose_resid", cache.decompose_resid(layer=-1))
            put(f"{name}/{i}/stack_head_results", cache.stack_head_results(layer=-1))
            stack = cache.decompose_resid(layer=-1)
            put(f"{name}/{i}/apply_ln_to_stack", cache.apply_ln_to_stack(stack, layer=-1))
            put(f"{name}/{i}/logit_attrs", cache.logit_attrs(stack, tokens=5))
    cases[f"{name}_texts"] = [
        {
            "text": text,
            "tokens": model.to_tokens(text)[0].tolist(),
            "loss": model(text, return_type="loss").item(),
        }
        for text in TEXTS
    ]


def tokenisation(model):
    texts = [
        "", " ", "  ", "   a", "Love", "Hate", " wedding", "I hate you", "line\nbreak\n\n", "tab\there",
        "naïve café", "日本語", "👩‍👩‍👧 family", "a" + END + "b", "it's they'll I'm", "1234 5", "\u00a0x", "don't  stop",
    ]
    cases["tokenisation"] = [
        {
            "text": text,
            "tokens": model.to_tokens(text)[0].tolist(),
            "str_tokens": model.to_str_tokens(text),
        }
        for text in texts
    ]


# ------------------------------------------------------------------ steering, as the original does it


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
    dims = slice(0, D) if res_slice is None else slice(*res_slice)
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


def steered_forward(model):
    text = "I think you're a wonderful person"
    love = x_vector(model, "Love", "Hate", 3, 1, "tokens_right")
    uneven = x_vector(model, "I love you", "Hate", 2.5, 1)
    listed = [
        ("front", love, "front", None),
        ("mid", love, "mid", None),
        ("back", love, "back", None),
        ("slice", love, "front", [3, 17]),
        ("slice_back", uneven, "back", [0, 9]),
        ("empty_slice", love, "front", [5, 5]),
        ("uneven_mid", uneven, "mid", None),
        ("right_default", x_vector(model, "I love you", "Hate", 2, 2, "tokens_right"), "front", None),
        ("right_custom", x_vector(model, "I love you", "Hate", 2, 2, "tokens_right", 7), "front", None),
        ("left", x_vector(model, "I love you", "Hate", 2, 2, "tokens_left", 7), "front", None),
        ("layers", love + x_vector(model, " wedding", " ", 4, 2), "front", None),
        ("same_layer", love + x_vector(model, " wedding", " ", 4, 1), "back", None),
        ("lone", [{"prompt": "Love", "coeff": 0.5, "act_name": 0}], "front", None),
    ]
    for site in ("hook_embed", "hook_pos_embed"):
        listed.append((site, x_vector(model, "Love", "Hate", 2, site), "front", None))
    for site in ("hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out"):
        listed.append((site, x_vector(model, "I love", "You hate", 2, f"blocks.1.{site}"), "mid", None))
    cases["steered_forward"] = []
    for name, additions, location, res_slice in listed:
        hooks = steering_hooks(model, additions, location, res_slice)
        logits = model.run_with_hooks(text, fwd_hooks=hooks)
        put(f"steered/{name}", logits)
        for i, addition in enumerate(additions):
            put(f"vectors/{name}/{i}", vector(model, addition))
        cases["steered_forward"].append(
            {"name": name, "text": text, "additions": additions, "location": location, "res_stream_slice": res_slice}
        )


# ------------------------------------------------------------------ generation


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
            put(f"{keep_logits}/{step}", logits)
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


def generation(model):
    prompt = "I hate you because"
    love = x_vector(model, "Love", "Hate", 4, 1, "tokens_right")
    plain = {"temperature": 1.0, "top_k": None, "top_p": None, "freq_penalty": 0.0}
    listed = [
        ("greedy", 1, [], {"temperature": 0.0}, 0, True),
        ("greedy_steered", 2, love, {"temperature": 0.0, "freq_penalty": 3.0}, 0, True),
        ("plain", 3, [], {}, 0, False),
        ("plain_stop", 5, [], {}, 42, True),
        ("hot", 3, [], {"temperature": 1.7}, 42, True),
        ("cold_penalty", 3, [], {"temperature": 0.4, "freq_penalty": 1.0}, 7, True),
        ("nucleus", 5, [], {"top_p": 0.3, "freq_penalty": 1.0}, 0, True),
        ("nucleus_steered", 5, love, {"top_p": 0.3, "freq_penalty": 1.0}, 0, True),
        ("nucleus_wide", 3, love, {"top_p": 0.9, "temperature": 1.3}, 2147483653, False),
        ("nucleus_all", 2, [], {"top_p": 1.0}, 3, False),
        ("top_k", 3, [], {"top_k": 5, "freq_penalty": 0.5}, 1, True),
        ("top_k_before_top_p", 3, love, {"top_k": 40, "top_p": 0.01}, 1, False),
        ("top_k_all", 2, [], {"top_k": 300}, 9, False),
        ("seed_top_bits", 2, [], {}, 4294967297, False),
    ]
    cases["generation"] = []
    for name, rows, additions, changed, seed, stop in listed:
        options = plain | changed
        tokens = generate(model, prompt, rows, additions, 24, seed, stop, **options)
        cases["generation"].append(
            {
                "name": name, "prompt": prompt, "rows": rows, "additions": additions, "seed": seed,
                "stop_at_eos": stop, "new": 24, "tokens": tokens.tolist(), **options,
            }
        )
    generate(model, prompt, 2, love, 8, 0, False, keep_logits="steps", **plain)
    cases["steps"] = {"prompt": prompt, "rows": 2, "additions": love, "new": 8, "seed": 0}
    # The same loop as TransformerLens' own, where both can do it.
    for seed, options in ((0, {"temperature": 1.0}), (3, {"temperature": 0.8, "freq_penalty": 1.0}), (5, {"top_k": 6})):
        torch.manual_seed(seed)
        own = model.generate(
            model.to_tokens([prompt] * 3), max_new_tokens=12, stop_at_eos=True, verbose=False, return_type="tokens",
            **options,
        )
        mine = generate(model, prompt, 3, [], 12, seed, True, **(plain | options))
        assert torch.equal(own, mine), (seed, own, mine)


def losses(model):
    love = x_vector(model, "Love", "Hate", 4, 1, "tokens_right")
    cases["losses"] = []
    for location in ("front", "mid", "back"):
        tokens = generate(model, "I hate you because", 2, love, 12, 0, False, location=location, temperature=1.0, top_k=None, top_p=0.5, freq_penalty=1.0)
        # As the original does: the finished text once more under the same hooks.
        hooks = steering_hooks(model, love, location)
        steered = model.run_with_hooks(tokens, return_type="loss", loss_per_token=True, fwd_hooks=hooks)
        clean = model(tokens, return_type="loss", loss_per_token=True)
        cases["losses"].append({
            "prompt": "I hate you because", "rows": 2, "additions": love, "new": 12, "seed": 0, "top_p": 0.5,
            "freq_penalty": 1.0, "location": location, "tokens": tokens.tolist(),
            "loss": steered.mean(1).tolist(), "clean_loss": clean.mean(1).tolist(),
        })


def magnitudes(model):
    love = x_vector(model, "I love you", "Hate", 4, 1)
    a, b = (vector(model, x) for x in love)
    total = a.clone()
    total[:, : b.shape[1]] += b
    norms = total[0].norm(dim=-1)
    prompt = "Yesterday, my dog died."
    _, cache = model.run_with_cache(prompt)
    own = cache["blocks.1.hook_resid_pre"][0].norm(dim=-1)
    n = min(len(own), len(norms))
    cases["magnitudes"] = {
        "additions": love, "prompt": prompt, "steering": norms.tolist(), "own": own.tolist(),
        "relative": (norms[:n] / own[:n]).tolist(),
    }


# ------------------------------------------------------------------ torch's stream


class MersenneTwister:
    def __init__(self, seed):
        self.state = [seed & 0xFFFFFFFF]
        for i in range(1, 624):
            previous = self.state[-1]
            self.state.append((1812433253 * (previous ^ (previous >> 30)) + i) & 0xFFFFFFFF)
        self.at = 624

    def next(self):
        if self.at == 624:
            s = self.state
            for i in range(624):
                y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7FFFFFFF)
                s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
            self.at = 0
        y = self.state[self.at]
        self.at += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return (y ^ (y >> 18)) & 0xFFFFFFFF


def stream():
    cases["exponentials"] = []
    for seed in (0, 42, 2**31 + 5):
        torch.manual_seed(seed)
        drawn = torch.empty(1, 64).exponential_(1)[0]
        mt = MersenneTwister(seed)
        mine = []
        for _ in range(64):
            word = (mt.next() << 32) | mt.next()
            u = (word & ((1 << 53) - 1)) / (1 << 53)
            mine.append(torch.tensor(-math.log1p(-u), dtype=torch.float64).to(torch.float32))
        mine = torch.stack(mine)
        print("exponentials differ at seed", seed, "by", (drawn - mine).abs().max().item(), "relative", ((drawn - mine) / drawn).abs().max().item())
        cases["exponentials"].append({"seed": seed, "bits": [int(x.view(torch.int32)) for x in drawn]})
    # The way torch draws: the largest p / e. Large matrices too.
    for rows, v in ((1, 400), (5, 400), (3, 50257)):
        for seed in range(12):
            p = torch.softmax(3 * torch.randn(rows, v, generator=torch.Generator().manual_seed(seed)), -1)
            torch.manual_seed(seed)
            drawn = torch.multinomial(p, 1)[:, 0]
            mt = MersenneTwister(seed)
            e = torch.tensor([-math.log1p(-(((mt.next() << 32 | mt.next()) & ((1 << 53) - 1)) / (1 << 53))) for _ in range(rows * v)], dtype=torch.float64).to(torch.float32).view(rows, v)
            if not torch.equal((p / e).argmax(-1), drawn):
                print("multinomial differs", rows, v, seed)


def main():
    hf, default, raw = make_model()
    text = TEXTS[0]
    assert torch.allclose(hf(raw.to_tokens(text)).logits, raw(text), atol=1e-4)
    hook_values(default, "default")
    hook_values(raw, "none")
    tokenisation(default)
    steered_forward(default)
    generation(default)
    losses(default)
    magnitudes(default)
    stream()
    cases["versions"] = {"transformer_lens": "2.18.0", "torch": torch.__version__}
    save_file(tensors, HERE / "tensors.safetensors")
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")
    print(len(tensors), "tensors", (HERE / "tensors.safetensors").stat().st_size, "bytes")


main()
