//! A model of gpt2's shape: decoding, a long prompt, the cost of hooks, and loading.

#[path = "../tests/support/random.rs"]
mod random;

use avec::RunContext;
use avec::model::{HookedTransformer, Hooks, NamesFilter};
use avec::sampling::{Arm, GenerateOptions, RowKey, Sampling};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// New tokens per measurement.
const NEW: usize = 16;

fn prompt(length: usize) -> Vec<u32> {
    (0..length as u32).map(|i| 1000 + 7 * i).collect()
}

fn generate(model: &HookedTransformer, rows: usize, new: usize, hooks: Hooks) {
    let options = GenerateOptions {
        max_new_tokens: new,
        sampling: Sampling {
            top_p: Some(0.3),
            freq_penalty: 1.0,
            ..Sampling::default()
        },
        stop_at_eos: false,
        ..GenerateOptions::default()
    };
    let mut arms = [Arm {
        prompt: prompt(7),
        hooks,
        rows: (0..rows).map(|index| RowKey { run: 0, index }).collect(),
    }];
    let rows = model.generate(
        &RunContext::default(),
        &mut arms,
        &options,
        &mut |_, _, _| {},
    );
    rows.expect("the model generates");
}

fn decode(c: &mut Criterion) {
    let model = random::gpt2();
    let mut group = c.benchmark_group("decode");
    group.sample_size(10);
    for rows in [1, 10, 30] {
        group.throughput(Throughput::Elements((rows * NEW) as u64));
        group.bench_function(BenchmarkId::new("rows", rows), |b| {
            b.iter(|| generate(&model, rows, NEW, Hooks::none()));
        });
    }
    group.finish();
}

/// The same work without hooks, with a hook that changes nothing, and with all activations cached.
fn hooks(c: &mut Criterion) {
    let model = random::gpt2();
    let mut group = c.benchmark_group("hooks");
    group.sample_size(20);
    let watching = || {
        let mut hooks = Hooks::none();
        let name = model.hook_name("resid_pre6").expect("gpt2 has a layer 6");
        hooks.add(NamesFilter::Names(vec![name]), |_, _| Ok(None));
        hooks
    };
    group.bench_function("decode, no hook", |b| {
        b.iter(|| generate(&model, 10, NEW, Hooks::none()));
    });
    group.bench_function("decode, one idle hook", |b| {
        b.iter(|| generate(&model, 10, NEW, watching()));
    });
    let tokens = prompt(128);
    group.bench_function("128 tokens, no hook", |b| {
        b.iter(|| {
            model
                .logits(&RunContext::default(), &tokens, Hooks::none())
                .expect("the model runs")
        });
    });
    group.bench_function("128 tokens, run_with_cache of everything", |b| {
        b.iter(|| {
            model
                .run_with_cache(&RunContext::default(), &tokens, &NamesFilter::All)
                .expect("the model runs")
        });
    });
    group.finish();
}

fn prefill(c: &mut Criterion) {
    let model = random::gpt2();
    let tokens = prompt(512);
    let mut group = c.benchmark_group("prefill");
    group.sample_size(10);
    group.throughput(Throughput::Elements(512));
    group.bench_function("512 tokens, all logits", |b| {
        b.iter(|| {
            model
                .logits(&RunContext::default(), &tokens, Hooks::none())
                .expect("the model runs")
        });
    });
    group.finish();
}

fn load(c: &mut Criterion) {
    random::gpt2_folder();
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    group.bench_function("gpt2 to the first token", |b| {
        b.iter(|| generate(&random::gpt2(), 1, 1, Hooks::none()));
    });
    group.finish();
}

criterion_group!(benches, decode, hooks, prefill, load);
criterion_main!(benches);
