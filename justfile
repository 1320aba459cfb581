# What is run often. `just ci` is all of CI.

default:
    @just --list

ci:
    .ci/run

test:
    cargo test

format:
    cargo fmt --all

lint:
    cargo clippy --all-targets --features internals -- -D warnings

doc:
    cargo doc --no-deps --open

# Writes docs/reference.md and docs/avec.d.rhai anew, from the functions themselves.
reference:
    AVEC_WRITE_DOCS=1 cargo test --test docs reference_and_definitions_are_fresh

# The kernels, the sampler, a decoding step, hooks, start-up.
bench:
    cargo bench --features internals

# avec beside TransformerLens, transformers and CTranslate2; needs Python and the network.
bench-peers *ARGS:
    python3 -m venv target/peers && target/peers/bin/pip install --quiet -r benches/peers/requirements.txt
    cargo build --release
    target/peers/bin/python benches/peers/run.py --cache target/peers-models {{ARGS}}

# Trains the demo model anew; about half an hour on two cores.
demo:
    cargo run --release --example train_demo

# Makes the reference fixtures anew from TransformerLens; needs Python and the network.
golden:
    python3 -m venv target/golden && target/golden/bin/pip install --quiet -r tests/golden/requirements.txt
    target/golden/bin/python tests/golden/make.py

# Changes the code in small ways and looks whether a test notices; hours on two cores. `just mutants
# --shard 0/20` tries a part. Needs cargo-mutants.
mutants *ARGS:
    cargo mutants {{ARGS}}
