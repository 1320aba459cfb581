"""Two tiny GPT-NeoX models, one like Pythia and one with sequential blocks, and what TransformerLens computes with them."""

import json
from dataclasses import dataclass

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, normalizers, processors
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_neox_weights
from transformers import AutoTokenizer, GPTNeoXConfig, GPTNeoXForCausalLM

from .bpe import END, train
from .fixtures import Fixtures, hook_values, tokenisation
from .inputs import changed, input_values, listed_changes
from .steering import PLAIN, generate, steered_forward, x_vector

L, D, CTX = 3, 32, 48
TEXTS = ["Love and Hate, my 7", "I hate you because you never", "Love 42" + END + " naïve wedding"]


@dataclass
class Shape:
    folder: str
    heads: int
    intermediate: int
    rotary_pct: float
    rotary_base: int
    eps: float
    parallel: bool
    # Rows of the embeddings that no token has, as in Pythia.
    unused: int
    # Buffers that older checkpoints hold beside the weights.
    buffers: bool
    seed: int


SHAPES = [
    Shape("tiny_neox", 4, 96, 0.5, 10000, 1e-5, True, 7, True, 20),
    # A base and an epsilon of its own, so that values written into the code would show.
    Shape("tiny_neox_sequential", 2, 80, 1.0, 1000, 1e-2, False, 0, False, 23),
]


# ------------------------------------------------------------------ the checkpoints


def make_tokenizer(folder):
    """As Pythia's: end-of-text is 0, text is NFC, and runs of spaces are tokens of their own at the end."""
    tokenizer = train(330, [END, "<|padding|>"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=True)
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in (4, 3, 2)])
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(
        folder / "tokenizer_config.json",
        {
            "add_prefix_space": False, "bos_token": END, "eos_token": END, "tokenizer_class": "GPTNeoXTokenizer",
            "unk_token": END,
        },
    )
    return tokenizer


def write(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def make_weights(shape, vocab):
    g = torch.Generator().manual_seed(shape.seed)

    def normal(*size, std):
        return torch.randn(*size, generator=g) * std

    m = shape.intermediate
    state = {"gpt_neox.embed_in.weight": normal(vocab, D, std=0.7)}
    for i in range(L):
        layer = f"gpt_neox.layers.{i}"
        for n in ("input_layernorm", "post_attention_layernorm"):
            state[f"{layer}.{n}.weight"] = 1 + normal(D, std=0.3)
            state[f"{layer}.{n}.bias"] = normal(D, std=0.2)
        for n, outputs, inputs, std in (
            ("attention.query_key_value", 3 * D, D, 0.3),
            ("attention.dense", D, D, 0.3),
            ("mlp.dense_h_to_4h", m, D, 0.2),
            ("mlp.dense_4h_to_h", D, m, 0.2),
        ):
            state[f"{layer}.{n}.weight"] = normal(outputs, inputs, std=std)
            state[f"{layer}.{n}.bias"] = normal(outputs, std=0.2)
    state["gpt_neox.final_layer_norm.weight"] = 1 + normal(D, std=0.3)
    state["gpt_neox.final_layer_norm.bias"] = normal(D, std=0.3)
    state["embed_out.weight"] = normal(vocab, D, std=0.5)
    if shape.unused > 0:
        # Rarely drawn, as after training.
        state["embed_out.weight"][-shape.unused :] *= 0.1
    # End-of-text must be drawn sometimes, so that stopping is seen.
    state["gpt_neox.final_layer_norm.bias"] += 0.4 * state["embed_out.weight"][0]
    return state


def old_buffers(shape):
    """What checkpoints of older transformers hold besides: causal masks and rotary frequencies."""
    rotary = int(shape.rotary_pct * D / shape.heads)
    buffers = {}
    for i in range(L):
        attention = f"gpt_neox.layers.{i}.attention"
        buffers[f"{attention}.bias"] = torch.ones(1, 1, CTX, CTX, dtype=torch.bool).tril()
        buffers[f"{attention}.masked_bias"] = torch.tensor(-1e9)
        buffers[f"{attention}.rotary_emb.inv_freq"] = shape.rotary_base ** -(torch.arange(0, rotary, 2) / rotary)
    return buffers


def make_model(here, shape):
    """Writes the checkpoint; gives back the model of transformers, and TransformerLens' for both processings."""
    folder = here / shape.folder
    vocab = make_tokenizer(folder).get_vocab_size() + shape.unused
    write(
        folder / "config.json",
        {
            "architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "gelu",
            "hidden_size": D, "initializer_range": 0.02, "intermediate_size": shape.intermediate,
            "layer_norm_eps": shape.eps, "max_position_embeddings": CTX, "model_type": "gpt_neox",
            "num_attention_heads": shape.heads, "num_hidden_layers": L, "rotary_emb_base": shape.rotary_base,
            "rotary_pct": shape.rotary_pct, "tie_word_embeddings": False, "torch_dtype": "float32", "use_cache": True,
            "use_parallel_residual": shape.parallel, "vocab_size": vocab,
        },
    )
    state = make_weights(shape, vocab)
    save_file(state | (old_buffers(shape) if shape.buffers else {}), folder / "model.safetensors", {"format": "pt"})
    hf = GPTNeoXForCausalLM(GPTNeoXConfig.from_pretrained(folder)).eval()
    hf.load_state_dict(state, strict=True)
    # The folder as a user would load it.
    again = GPTNeoXForCausalLM.from_pretrained(folder).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in hf.state_dict().items())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = END

    def lens(processed):
        # What TransformerLens' loader makes of such a checkpoint, but for two things that it does not read:
        # it takes every GPT-NeoX for parallel, and every rotary base for 10000.
        d_head = D // shape.heads
        cfg = HookedTransformerConfig(
            n_layers=L, d_model=D, n_ctx=CTX, d_head=d_head, n_heads=shape.heads, d_mlp=shape.intermediate,
            d_vocab=vocab, act_fn="gelu", eps=shape.eps, normalization_type="LN", use_attn_result=True,
            positional_embedding_type="rotary", rotary_dim=round(shape.rotary_pct * d_head),
            rotary_adjacent_pairs=False, rotary_base=shape.rotary_base, parallel_attn_mlp=shape.parallel,
            original_architecture="GPTNeoXForCausalLM", seed=0, tokenizer_name=shape.folder,
        )
        model = HookedTransformer(cfg, tokenizer=tokenizer)
        model.load_and_process_state_dict(
            convert_neox_weights(hf, cfg),
            fold_ln=processed, center_writing_weights=processed, center_unembed=processed,
            fold_value_biases=processed,
        )
        return model.eval()

    return hf, lens(True), lens(False)


# ------------------------------------------------------------------ what is computed with them


def check_against_transformers(hf, default, raw):
    """Logits of the raw weights are transformers' to 1e-4, log-probabilities of the processed ones too."""
    for text in TEXTS:
        tokens = raw.to_tokens(text)
        theirs = hf(tokens).logits
        difference = (theirs - raw(text)).abs().max().item()
        shifted = (theirs.log_softmax(-1) - default(text).log_softmax(-1)).abs().max().item()
        print(f"transformers differs by {difference:.1e}, with processed weights by {shifted:.1e}, of {theirs.abs().max():.1f}")
        assert difference < 1e-4 and shifted < 1e-4


def steering_cases(model, parallel):
    text = "I hate my dog and you"
    love = x_vector(model, "Love", "Hate", 3, 1, "tokens_right")
    listed = [
        ("front", love, "front", None),
        ("layers", love + x_vector(model, " wedding", " ", 4, 2), "front", None),
        ("embed", x_vector(model, "Love", "Hate", 2, "hook_embed"), "mid", None),
        ("attn_out", x_vector(model, "I love", "You hate", 2, "blocks.1.hook_attn_out"), "back", [3, 17]),
    ]
    if not parallel:
        listed.append(("resid_mid", x_vector(model, "Love", "Hate", 2, "blocks.1.hook_resid_mid"), "front", None))
    return text, listed


def generation_cases(model):
    love = x_vector(model, "Love", "Hate", 4, 1, "tokens_right")
    early = x_vector(model, "I love you", "Hate", 2, 0)
    both = love + x_vector(model, " wedding", " ", 3, 2)
    greedy = {"temperature": 0.0}
    return [
        ("greedy", 1, [], greedy, 0, True),
        ("greedy_steered", 2, love, greedy, 0, True),
        ("greedy_steered_early", 1, early, greedy, 0, True),
        ("greedy_steered_layers", 1, both, greedy, 0, True),
        ("nucleus_steered", 3, love, {"top_p": 0.9, "freq_penalty": 1.0}, 0, True),
        ("plain", 2, [], {}, 42, False),
    ]


def generation(out, model, hf, tokenizer_size):
    prompt, new = "I hate you because", 12
    out.cases["generation"] = []
    for name, rows, additions, changed_options, seed, stop in generation_cases(model):
        options = PLAIN | changed_options
        steps = []
        tokens = generate(
            model, prompt, rows, additions, new, seed, stop, keep_logits=lambda _, logits: steps.append(logits), **options
        )
        if options["temperature"] == 0.0:
            # The next best token is so far away that no order of additions decides.
            best = torch.stack(steps).topk(2, dim=-1).values
            assert (best[..., 0] - best[..., 1]).min() > 0.01, (name, (best[..., 0] - best[..., 1]).min())
        if name == "greedy":
            start = model.to_tokens(prompt)
            own = hf.generate(
                start, attention_mask=torch.ones_like(start), do_sample=False, max_new_tokens=new, pad_token_id=0
            )
            assert torch.equal(own, tokens), (own, tokens)
        assert tokens.max() < tokenizer_size, name
        out.cases["generation"].append(
            {
                "name": name, "prompt": prompt, "rows": rows, "additions": additions, "seed": seed,
                "stop_at_eos": stop, "new": new, "tokens": tokens.tolist(), **options,
            }
        )


def make(here):
    for shape in SHAPES:
        hf, default, raw = make_model(here, shape)
        check_against_transformers(hf, default, raw)
        out = Fixtures()
        out.cases["folder"] = shape.folder
        _, cache = default.run_with_cache(TEXTS[0])
        out.cases["hook_names"] = list(cache)
        tokenisation(
            out,
            default,
            [
                "", " ", "  ", "     a", "Love", " wedding", "I hate you because", "line\nbreak\n\n", "tab\there",
                "naïve cafe\u0301", "日本語", "👩‍👩‍👧 family", "a" + END + "b", "it's they'll I'm", "1234 5", "\u00a0x",
            ],
        )
        for name, model in (("default", default), ("none", raw)):
            hook_values(out, model, name, TEXTS, cached=1)
            input_values(out, model, name, TEXTS[0])
            kept = ("q_input", "attn_in", "mlp_in", "together")
            changed(out, model, name, TEXTS[0], [case for case in listed_changes(D) if case[0] in kept])
            text, listed = steering_cases(model, shape.parallel)
            out.cases["steered_forward"] = steered_forward(out, model, text, listed, name)
        size = len(default.tokenizer)
        generation(out, raw, hf, size)
        unprocessed = out.cases.pop("generation")
        generation(out, default, hf, size)
        assert out.cases["generation"] == unprocessed
        out.save(here / f"{shape.folder}.safetensors", here / f"{shape.folder}.json")
