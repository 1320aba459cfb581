"""The tiny GPT-2 and what TransformerLens computes with it."""

import json

import torch
from safetensors.torch import save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from . import torch_stream
from .bpe import END, train
from .fixtures import Fixtures, hook_values, tokenisation
from .steering import PLAIN, generate, steered_forward, steering_hooks, vector, x_vector

L, D, H, CTX = 3, 32, 4, 64
TEXTS = ["I hate you because you never listen.", "Yesterday, my dog died."]


def make_tokenizer(folder):
    tokenizer = train(400)
    # Last, as GPT-2 has it: TransformerLens' generate takes tokens of id 0 for padding otherwise.
    tokenizer.add_special_tokens([END])
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.model.save(str(folder))
    vocab = sorted(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1])
    (folder / "vocab.json").write_text(json.dumps(dict(vocab), ensure_ascii=False) + "\n")
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


def make_model(folder):
    """Writes the checkpoint; gives back the model of transformers, and TransformerLens' for both processings."""
    tokenizer = make_tokenizer(folder)
    vocab = tokenizer.get_vocab_size()
    end = tokenizer.token_to_id(END)
    config = GPT2Config(
        vocab_size=vocab, n_positions=CTX, n_embd=D, n_layer=L, n_head=H,
        bos_token_id=end, eos_token_id=end,
    )
    state = make_weights(vocab)
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(
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
        str(folder), bos_token=END, eos_token=END, pad_token=END
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


def steering(out, model):
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
    out.cases["steered_forward"] = steered_forward(out, model, text, listed)


def generation(out, model):
    prompt = "I hate you because"
    love = x_vector(model, "Love", "Hate", 4, 1, "tokens_right")
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
    out.cases["generation"] = []
    for name, rows, additions, changed, seed, stop in listed:
        options = PLAIN | changed
        tokens = generate(model, prompt, rows, additions, 24, seed, stop, **options)
        out.cases["generation"].append(
            {
                "name": name, "prompt": prompt, "rows": rows, "additions": additions, "seed": seed,
                "stop_at_eos": stop, "new": 24, "tokens": tokens.tolist(), **options,
            }
        )
    generate(model, prompt, 2, love, 8, 0, False, keep_logits=lambda step, logits: out.put(f"steps/{step}", logits), **PLAIN)
    out.cases["steps"] = {"prompt": prompt, "rows": 2, "additions": love, "new": 8, "seed": 0}
    # The same loop as TransformerLens' own, where both can do it.
    for seed, options in ((0, {"temperature": 1.0}), (3, {"temperature": 0.8, "freq_penalty": 1.0}), (5, {"top_k": 6})):
        torch.manual_seed(seed)
        own = model.generate(
            model.to_tokens([prompt] * 3), max_new_tokens=12, stop_at_eos=True, verbose=False, return_type="tokens",
            **options,
        )
        mine = generate(model, prompt, 3, [], 12, seed, True, **(PLAIN | options))
        assert torch.equal(own, mine), (seed, own, mine)


def losses(out, model):
    love = x_vector(model, "Love", "Hate", 4, 1, "tokens_right")
    out.cases["losses"] = []
    for location in ("front", "mid", "back"):
        tokens = generate(model, "I hate you because", 2, love, 12, 0, False, location=location, temperature=1.0, top_k=None, top_p=0.5, freq_penalty=1.0)
        # As the original does: the finished text once more under the same hooks.
        hooks = steering_hooks(model, love, location)
        steered = model.run_with_hooks(tokens, return_type="loss", loss_per_token=True, fwd_hooks=hooks)
        clean = model(tokens, return_type="loss", loss_per_token=True)
        out.cases["losses"].append({
            "prompt": "I hate you because", "rows": 2, "additions": love, "new": 12, "seed": 0, "top_p": 0.5,
            "freq_penalty": 1.0, "location": location, "tokens": tokens.tolist(),
            "loss": steered.mean(1).tolist(), "clean_loss": clean.mean(1).tolist(),
        })


def magnitudes(out, model):
    love = x_vector(model, "I love you", "Hate", 4, 1)
    a, b = (vector(model, x) for x in love)
    total = a.clone()
    total[:, : b.shape[1]] += b
    norms = total[0].norm(dim=-1)
    prompt = "Yesterday, my dog died."
    _, cache = model.run_with_cache(prompt)
    own = cache["blocks.1.hook_resid_pre"][0].norm(dim=-1)
    n = min(len(own), len(norms))
    out.cases["magnitudes"] = {
        "additions": love, "prompt": prompt, "steering": norms.tolist(), "own": own.tolist(),
        "relative": (norms[:n] / own[:n]).tolist(),
    }


def make(here):
    hf, default, raw = make_model(here / "tiny")
    text = TEXTS[0]
    assert torch.allclose(hf(raw.to_tokens(text)).logits, raw(text), atol=1e-4)
    out = Fixtures()
    hook_values(out, default, "default", TEXTS)
    hook_values(out, raw, "none", TEXTS)
    tokenisation(
        out,
        default,
        [
            "", " ", "  ", "   a", "Love", "Hate", " wedding", "I hate you", "line\nbreak\n\n", "tab\there",
            "naïve café", "日本語", "👩‍👩‍👧 family", "a" + END + "b", "it's they'll I'm", "1234 5", "\u00a0x", "don't  stop",
        ],
    )
    steering(out, default)
    generation(out, default)
    losses(out, default)
    magnitudes(out, default)
    torch_stream.stream(out)
    out.save(here / "tensors.safetensors", here / "cases.json")
