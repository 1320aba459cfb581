"""Times avec beside TransformerLens, transformers and CTranslate2, turn by turn. See README.md."""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

SHAPES = {"gpt2": (12, 768, 12), "gpt2-xl": (48, 1600, 25)}
VOCAB, END = 50257, 50256
HERE = Path(__file__).parent
PROMPT = 7


def make_model(folder, layers, width, heads):
    """A checkpoint of random weights, with a tokenizer of single characters."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    g = torch.Generator().manual_seed(0)
    normal = lambda *shape, std: torch.randn(*shape, generator=g) * std
    state = {"wte.weight": normal(VOCAB, width, std=0.1), "wpe.weight": normal(1024, width, std=0.02)}
    for i in range(layers):
        for n in ("ln_1", "ln_2"):
            state[f"h.{i}.{n}.weight"] = 1 + normal(width, std=0.1)
            state[f"h.{i}.{n}.bias"] = normal(width, std=0.1)
        for n, a, b in (
            ("attn.c_attn", width, 3 * width), ("attn.c_proj", width, width),
            ("mlp.c_fc", width, 4 * width), ("mlp.c_proj", 4 * width, width),
        ):
            state[f"h.{i}.{n}.weight"] = normal(a, b, std=0.05)
            state[f"h.{i}.{n}.bias"] = normal(b, std=0.02)
    state["ln_f.weight"] = 1 + normal(width, std=0.1)
    state["ln_f.bias"] = normal(width, std=0.1)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": layers, "n_embd": width,
        "n_head": heads, "n_positions": 1024, "vocab_size": VOCAB, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5, "bos_token_id": END, "eos_token_id": END,
    }
    (folder / "config.json").write_text(json.dumps(config))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {c: i for i, c in enumerate(alphabet)} | {f"<unused{i}>": i for i in range(len(alphabet), END)}
    vocab["<|endoftext|>"] = END
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "done").touch()


# ------------------------------------------------------------------ the peers; each is made once and then asked for jobs


class TransformerLensPeer:
    name = "TransformerLens"

    def __init__(self, folder):
        import torch
        from transformer_lens import HookedTransformer, HookedTransformerConfig
        from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
        from transformers import GPT2LMHeadModel

        torch.set_grad_enabled(False)
        hf = GPT2LMHeadModel.from_pretrained(folder)
        c = hf.config
        cfg = HookedTransformerConfig(
            n_layers=c.n_layer, d_model=c.n_embd, n_ctx=1024, d_head=c.n_embd // c.n_head, n_heads=c.n_head,
            d_mlp=4 * c.n_embd, d_vocab=VOCAB, act_fn="gelu_new", eps=1e-5, normalization_type="LN",
            original_architecture="GPT2LMHeadModel", seed=0,
        )
        self.model = HookedTransformer(cfg)
        self.model.load_and_process_state_dict(
            convert_gpt2_weights(hf, cfg), fold_ln=True, center_writing_weights=True, center_unembed=True,
            fold_value_biases=True,
        )
        del hf
        self.torch = torch
        self.layer = c.n_layer // 2

    def tokens(self, rows, length):
        return self.torch.tensor([[END] + [5] * (length - 1)] * rows)

    def generate(self, rows, new, vector=None):
        from transformer_lens import HookedTransformerKeyValueCache, utils

        tokens = self.tokens(rows, PROMPT)
        cache = HookedTransformerKeyValueCache.init_cache(self.model.cfg, "cpu", rows)

        def add(act, hook):
            if act.shape[1] > 1:
                act[:, : vector.shape[1]] += vector
            return act

        hooks = [] if vector is None else [(f"blocks.{self.layer}.hook_resid_pre", add)]
        current = tokens
        for _ in range(new):
            mask = self.torch.ones_like(current)
            logits = self.model.run_with_hooks(
                current, fwd_hooks=hooks, past_kv_cache=cache, attention_mask=mask
            )[:, -1]
            current = utils.sample_logits(logits, temperature=1.0, top_p=0.3, freq_penalty=1.0, tokens=tokens)[:, None]
            tokens = self.torch.cat([tokens, current], 1)

    def compare(self, rows, new):
        name = f"blocks.{self.layer}.hook_resid_pre"
        _, one = self.model.run_with_cache(self.tokens(1, 2), names_filter=name)
        _, two = self.model.run_with_cache(self.tokens(1, 2), names_filter=name)
        self.generate(rows, new)
        self.generate(rows, new, 5 * one[name] - 5 * two[name])

    def one(self, rows, new):
        self.generate(1, new)

    def prefill(self, length):
        self.model(self.tokens(1, length))


class TransformersPeer:
    name = "transformers"

    def __init__(self, folder):
        import torch
        from transformers import GPT2LMHeadModel

        torch.set_grad_enabled(False)
        self.model = GPT2LMHeadModel.from_pretrained(folder).eval()
        self.torch = torch

    def generate(self, rows, new):
        tokens = self.torch.tensor([[END] + [5] * (PROMPT - 1)] * rows)
        self.model.generate(
            tokens, attention_mask=self.torch.ones_like(tokens), do_sample=True, top_p=0.3, top_k=0,
            repetition_penalty=1.1, min_new_tokens=new, max_new_tokens=new, pad_token_id=END,
        )

    def compare(self, rows, new):
        self.generate(rows, new)
        self.generate(rows, new)

    def one(self, rows, new):
        self.generate(1, new)

    def prefill(self, length):
        self.model(self.torch.tensor([[END] + [5] * (length - 1)]))


class CTranslate2Peer:
    def __init__(self, folder, kind):
        import ctranslate2

        self.name = f"CTranslate2 {kind}"
        out = folder / f"ct2-{kind}"
        if not out.exists():
            self.convert(folder, out, kind)
        self.model = ctranslate2.Generator(str(out), device="cpu", compute_type=kind, intra_threads=THREADS)
        self.vocabulary = [f"t{i}" for i in range(VOCAB)]

    @staticmethod
    def convert(folder, out, kind):
        """Writes the model by hand: the converter wants GPT-2's own tokenizer files."""
        import ctranslate2
        from ctranslate2.converters.transformers import GPT2Loader
        from transformers import GPT2LMHeadModel

        loader = GPT2Loader()
        spec = loader.get_model_spec(GPT2LMHeadModel.from_pretrained(folder))
        spec.register_vocabulary([f"t{i}" for i in range(VOCAB)])
        spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = f"t{END}"
        spec.validate()
        spec.optimize(quantization=kind)
        out.mkdir()
        spec.save(str(out))

    def generate(self, rows, new):
        start = [f"t{END}"] + ["t5"] * (PROMPT - 1)
        self.model.generate_batch(
            [start] * rows, max_length=new, min_length=new, sampling_topk=0, sampling_topp=0.3,
            repetition_penalty=1.1, include_prompt_in_result=False, max_batch_size=rows,
        )

    def compare(self, rows, new):
        self.generate(2 * rows, new)

    def one(self, rows, new):
        self.generate(1, new)

    def prefill(self, length):
        self.model.forward_batch([[f"t{END}"] + ["t5"] * (length - 1)])


class Avec:
    name = "avec"

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def seconds(self, job, rows, new, tokens):
        """One timed round in a process of its own, after a warm-up in it."""
        command = [
            self.binary, "-q", "--threads", str(THREADS), str(HERE / "job.rhai"), "-p", f"model={self.folder}",
            "-p", f"job={job}", "-p", f"rows={rows}", "-p", f"new={new}", "-p", f"tokens={tokens}",
        ]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]


def timed(peer, job, rows, new, tokens):
    if isinstance(peer, Avec):
        return peer.seconds(job, rows, new, tokens)
    start = time.perf_counter()
    if job == "prefill":
        peer.prefill(tokens)
    else:
        getattr(peer, job)(rows, new)
    return time.perf_counter() - start


JOBS = [
    ("1 row, 40 tokens", "one", 1, 40, PROMPT),
    ("compare 5 + 5, 40 tokens", "compare", 5, 40, PROMPT),
    ("compare 15 + 15, 40 tokens", "compare", 15, 40, PROMPT),
    ("prefill 512, all logits", "prefill", 1, 0, 512),
]
XL_JOBS = [("gpt2-xl, compare 5 + 5, 5 tokens", "compare", 5, 5, PROMPT)]


def main():
    global THREADS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where models are made; 2 GB, 16 GB with --xl")
    parser.add_argument("--avec", default=str(HERE.parent.parent / "target/release/avec"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--xl", action="store_true", help="gpt2-xl instead of gpt2, beside TransformerLens alone")
    parser.add_argument("--only", default="", help="peers whose names hold one of these words, separated by commas")
    parser.add_argument("--job", default="", help="only the jobs whose titles hold this")
    args = parser.parse_args()
    THREADS = args.threads
    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    import torch

    torch.set_num_threads(THREADS)
    size = "gpt2-xl" if args.xl else "gpt2"
    folder = args.cache / size
    make_model(folder, *SHAPES[size])
    wanted = args.only.split(",")
    makers = [lambda: TransformerLensPeer(folder)]
    names = ["TransformerLens"]
    if not args.xl:
        makers += [
            lambda: TransformersPeer(folder), lambda: CTranslate2Peer(folder, "float32"), lambda: CTranslate2Peer(folder, "int8"),
        ]
        names += ["transformers", "CTranslate2 float32", "CTranslate2 int8"]
    peers = [Avec(args.avec, folder)]
    for name, maker in zip(names, makers):
        if any(word in name for word in wanted):
            try:
                peers.append(maker())
            except Exception as error:  # a peer that can't be had is no reason not to measure the others
                print(f"without {name}: {error}", file=sys.stderr)
    results = {}
    for title, job, rows, new, tokens in XL_JOBS if args.xl else JOBS:
        if args.job not in title:
            continue
        times = {peer.name: [] for peer in peers}
        for round in range(args.rounds + 1):
            for peer in peers:
                seconds = timed(peer, job, rows, new, tokens)
                if round > 0:  # the first warms up
                    times[peer.name].append(seconds)
        results[title] = times
        own = statistics.median(times["avec"])
        print(f"{title}: avec {own:.2f} s", flush=True)
        for name, seconds in times.items():
            if name != "avec":
                ratios = [theirs / ours for theirs, ours in zip(seconds, times["avec"])]
                print(f"  {name:22} {statistics.median(seconds):7.2f} s   {statistics.median(ratios):5.1f} x", flush=True)
    versions = {}
    for package in ("transformer_lens", "transformers", "ctranslate2", "torch"):
        try:
            versions[package] = __import__("importlib.metadata").metadata.version(package)
        except Exception:
            versions[package] = None
    cpu = next((l.split(": ")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    print(json.dumps({"cpu": cpu, "threads": THREADS, "versions": versions, "seconds": results}))


if __name__ == "__main__":
    main()
