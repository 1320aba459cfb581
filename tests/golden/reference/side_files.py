"""What transformers makes of folders whose side files decide tokens: the tiny models with some files changed.

Nothing but the changes and the results is kept: the test makes the same folders of the same changes.
"""

import copy
import json
import math
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from .bpe import END

TEXT = f"I hate you{END}x <|startoftext|> y<|im_end|>  [PAD]  naïve e\u0301<s>"
LOSS_TEXT = "I hate you because you never"
START, IM, PAD = "<|startoftext|>", "<|im_end|>", "[PAD]"
END_ONLY = {"bos_token": END, "eos_token": END, "unk_token": END}


def token(content, **over):
    return dict(content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) | over


def listed(first, *tokens):
    """`added_tokens` of a tokenizer.json behind those that are there."""
    return [dict(id=first + i, **(t if isinstance(t, dict) else token(t))) for i, t in enumerate(tokens)]


def cases(base, size, rows):
    """`size` tokens are there, the embedding has `rows`."""
    class_ = "GPTNeoXTokenizer" if base == "tiny_neox" else "GPT2Tokenizer"
    config = lambda **over: {"tokenizer_class": class_, **over}
    plain = config(**END_ONLY)
    decoder = lambda *tokens: {str(size + i): t for i, t in enumerate(tokens)}
    return {
        "nothing": {},
        "plain": {"files": {"tokenizer_config.json": plain}},
        "bos_in_both": {"add": [START, PAD], "rows": size + 2, "files": {
            "tokenizer_config.json": config(bos_token=START, eos_token=END, unk_token=END, pad_token=PAD),
            "special_tokens_map.json": {**END_ONLY, "bos_token": START, "pad_token": PAD}}},
        "bos_in_map_only": {"add": [START], "rows": size + 1, "files": {
            "special_tokens_map.json": {**END_ONLY, "bos_token": START}}},
        "map_wins_without_decoder": {"add": [START, IM], "rows": size + 2, "files": {
            "tokenizer_config.json": config(bos_token=START), "special_tokens_map.json": {"bos_token": IM}}},
        "decoder_wins_over_map": {"add": [START, IM], "rows": size + 2, "files": {
            "tokenizer_config.json": config(bos_token=START, added_tokens_decoder=decoder(token(START), token(IM))),
            "special_tokens_map.json": {"bos_token": IM}, "added_tokens.json": {PAD: size + 2}}},
        "decoder_adds": {"rows": size + 2, "files": {
            "tokenizer_config.json": config(**END_ONLY | {"bos_token": START},
                                            added_tokens_decoder=decoder(token(IM), token(START)))}},
        "decoder_changes_flags": {"add": [START, IM], "rows": size + 2, "files": {
            "tokenizer_config.json": config(**END_ONLY, added_tokens_decoder=decoder(
                token(START, lstrip=True, rstrip=True), token(IM, normalized=True, special=False)))}},
        "objects_in_map": {"rows": size + 2, "files": {
            "special_tokens_map.json": {"bos_token": {**token(START, rstrip=True), "special": False},
                                        "eos_token": token(IM, lstrip=True)}}},
        "objects_in_config": {"rows": size + 1, "files": {
            "tokenizer_config.json": config(bos_token={"__type": "AddedToken", **token(START, lstrip=True)})}},
        "partial_objects": {"rows": size + 1, "files": {
            "special_tokens_map.json": {"bos_token": {"content": START, "lstrip": True}}}},
        "additional": {"rows": size + 3, "files": {
            "tokenizer_config.json": config(additional_special_tokens=[IM, START]),
            "special_tokens_map.json": {"additional_special_tokens": [START, token(PAD, rstrip=True)]}}},
        "additional_wins_over_listed": {"add": [token(IM, rstrip=True)], "rows": size + 1, "files": {
            "special_tokens_map.json": {"additional_special_tokens": [token(IM, lstrip=True)]}}},
        "listed_wins_over_role": {"add": [token(IM, rstrip=True)], "rows": size + 1, "files": {
            "special_tokens_map.json": {"sep_token": token(IM, lstrip=True)}}},
        "decoder_wins_over_role": {"rows": size + 1, "files": {"tokenizer_config.json": config(
            sep_token={"__type": "AddedToken", **token(IM, lstrip=True)},
            added_tokens_decoder=decoder(token(IM, rstrip=True)))}},
        "eos_null": {"drop": ["bos_token_id"], "files": {"tokenizer_config.json": config(unk_token=None)}},
        "extra": {"rows": size + 1, "files": {
            "tokenizer_config.json": config(extra_special_tokens={"image_token": IM})}},
        "named_not_added": {"files": {"tokenizer_config.json": config(bos_token=START, eos_token=IM, pad_token=PAD)},
                            "rows": size + 3},
        "roles_in_order": {"rows": size + 4, "files": {
            "tokenizer_config.json": config(mask_token="<s>", cls_token=PAD, sep_token=IM, bos_token=START)}},
        "end_not_added": {"unlisted": True, "files": {"tokenizer_config.json": plain}},
        "end_not_added_nothing_named": {"unlisted": True},
        "added_tokens_beside_json": {"rows": size + 2, "files": {
            "added_tokens.json": {IM: size + 1, START: size}, "special_tokens_map.json": {"bos_token": START}}},
        "added_not_special": {"add": [token(IM, special=False, normalized=True)], "rows": size + 1},
        "added_single_word": {"add": [token("you", single_word=True, special=False), token("ve", single_word=True)],
                              "rows": size + 2},
        "added_id_with_a_gap": {"added": listed(size + 5, START, IM), "rows": size + 7},
        "prefix_space_set": {"files": {"tokenizer_config.json": {**plain, "add_prefix_space": True}}},
        "prefix_space_unset": {"tokenizer": {"pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
            "files": {"tokenizer_config.json": {**plain, "add_prefix_space": False}}},
        "prefix_space_absent": {"tokenizer": {"pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}}},
        "prefix_space_null": {"tokenizer": {"pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
            "files": {"tokenizer_config.json": {**plain, "add_prefix_space": None}}},
        "prefix_space_in_a_sequence": {"tokenizer": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}]}},
            "files": {"tokenizer_config.json": plain}},
        "no_regex": {"tokenizer": {"pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}}},
        "nfc": {"tokenizer": {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]}}},
        "no_normalizer": {"tokenizer": {"normalizer": None}},
        "ignore_merges": {"model": {"ignore_merges": True}},
        "split_special_tokens": {"files": {"tokenizer_config.json": {**plain, "split_special_tokens": True}}},
        "padding_names_a_pad": {"add": [PAD], "rows": size + 1, "tokenizer": {"padding": {
            "strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": size,
            "pad_type_id": 0, "pad_token": PAD}}},
        "pad_beyond_the_embedding": {"files": {"tokenizer_config.json": {**plain, "pad_token": PAD}}, "rows": size},
        "bos_null": {"add": [IM], "rows": size + 1, "files": {
            "tokenizer_config.json": config(bos_token=None, eos_token=IM)}, "drop": ["bos_token_id"]},
        "other_class": {"add": [START, IM], "rows": size + 2, "files": {"tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": START, "eos_token": IM}}},
        "class_of_config": {"add": [IM], "rows": size + 1, "drop": ["bos_token_id"], "files": {
            "special_tokens_map.json": {"eos_token": IM}}, "config": {"tokenizer_class": "PreTrainedTokenizerFast"}},
        "eos_in_all": {"add": [START, IM, PAD], "rows": size + 3, "config": {"eos_token_id": [size, 3]}, "files": {
            "tokenizer_config.json": {**plain, "eos_token": IM}, "generation_config.json": {"eos_token_id": [7, size + 2]}}},
        "eos_of_generation": {"files": {"generation_config.json": {"eos_token_id": 9}}},
        "ids_beyond": {"config": {"bos_token_id": 50256, "eos_token_id": 50256}},
        "no_ids": {"drop": ["bos_token_id", "eos_token_id"], "files": {"tokenizer_config.json": plain}},
        "odd_numbers": {"config": {"summary_first_dropout": math.nan, "x": math.inf, "y": -math.inf}},
        "more_tokens_than_rows": {"add": [START, IM, PAD], "rows": size, "files": {"tokenizer_config.json": plain}},
    } | ({} if base == "tiny_neox" else {
        "older_layout": {"older": True, "files": {"tokenizer_config.json": plain}},
        "older_layout_alone": {"older": True},
        "older_added": {"older": True, "rows": size + 2, "config": {"bos_token_id": size}, "files": {
            "added_tokens.json": {PAD: size + 1, START: size},
            "special_tokens_map.json": {**END_ONLY, "bos_token": START, "pad_token": PAD}}},
        "older_decoder": {"older": True, "rows": size + 2, "files": {"tokenizer_config.json": config(
            **END_ONLY, added_tokens_decoder=decoder(token(IM, lstrip=True), token(START)))}},
        "older_prefix_space": {"older": True, "files": {"tokenizer_config.json": {**plain, "add_prefix_space": True}}},
        "inverse_layer_idx": {"config": {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True}},
        "tied_by_default": {"drop": ["tie_word_embeddings"]},
    })


def build(folder, golden, base, case):
    """The folder of a case: `tests/side_files.rs` does the same."""
    source = golden / base
    config = json.loads((source / "config.json").read_text())
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    config |= case.get("config", {})
    for name in case.get("drop", []):
        config.pop(name, None)
    weights = load_file(str(source / "model.safetensors"))
    rows = case.get("rows", config["vocab_size"])
    for name in ("wte.weight", "gpt_neox.embed_in.weight", "embed_out.weight"):
        if name in weights:
            old = weights[name]
            more = -old[: max(rows - len(old), 0)]
            weights[name] = torch.cat([old, more])[:rows].contiguous()
    config["vocab_size"] = rows
    if case.get("unlisted"):
        tokenizer["model"]["vocab"] |= {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
        tokenizer["added_tokens"] = []
    if "add" in case:
        first = max(t["id"] for t in tokenizer["added_tokens"]) + 1
        case["added"] = listed(first, *case.pop("add"))
    tokenizer["added_tokens"] += case.get("added", [])
    tokenizer |= case.get("tokenizer", {})
    tokenizer["model"] |= case.get("model", {})
    (folder / "config.json").write_text(json.dumps(config))
    if case.get("older"):
        for name in ("vocab.json", "merges.txt"):
            (folder / name).write_bytes((source / name).read_bytes())
    else:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    for name, contents in case.get("files", {}).items():
        (folder / name).write_text(json.dumps(contents))
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    return config, rows


def ends(folder, config, tokenizer, rows):
    """Where the two differ, a text ends at all of them."""
    ids = [tokenizer.eos_token_id]
    of = [config.get("eos_token_id")]
    if (folder / "generation_config.json").exists():
        of.append(GenerationConfig.from_pretrained(folder).eos_token_id)
    for one in of:
        ids += one if isinstance(one, list) else [one]
    known = set(tokenizer.get_vocab().values())
    return sorted({i for i in ids if i is not None and i < rows and i in known})


def result(folder, config, rows):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    eos = tokenizer.eos_token_id
    # As TransformerLens fills in what is not named.
    bos = eos if tokenizer.bos_token is None else tokenizer.bos_token_id
    pad = eos if tokenizer.pad_token is None else tokenizer.pad_token_id
    # Other implementations of attention leave out `scale_attn_by_inverse_layer_idx`.
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    tokens = torch.tensor([[bos] + tokenizer(LOSS_TEXT, add_special_tokens=False)["input_ids"]])
    return {
        "bos": bos, "pad": pad, "ends": ends(folder, config, tokenizer, rows), "ids": ids,
        "loss": model(tokens, labels=tokens).loss.item(),
    }


def make(golden):
    found = []
    for base, size, rows in [("tiny", 387, 387), ("tiny_neox", 333, 340)]:
        for name, case in cases(base, size, rows).items():
            with tempfile.TemporaryDirectory() as folder:
                case = copy.deepcopy(case)
                made = build(Path(folder), golden, base, case)
                # JSON has no words for these; the test puts them back.
                case = json.loads(json.dumps(case), parse_constant=lambda word: f"<{word}>")
                found.append({"name": name, "base": base, **case, "expected": result(Path(folder), *made)})
    text = json.dumps({"text": TEXT, "loss_text": LOSS_TEXT, "cases": found}, indent=1, ensure_ascii=False)
    (golden / "side_files.json").write_text(text + "\n")
