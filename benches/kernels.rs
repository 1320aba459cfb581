//! The linear maps of gpt2 and gpt2-xl over packed weights, compared with candle's own product, for
//! typical numbers of rows: one row, a comparison, a long prompt. Also the sampler.

#[path = "../tests/support/random.rs"]
mod random;

use avec::internals::PackedMap;
use avec::sampling::{Chance, Sampling};
use candle_core::{DType, Device, Tensor};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use random::{D_VOCAB, random};

/// Every map of a block, and the unembedding: (name, inputs, outputs).
const MAPS: [(&str, usize, usize); 10] = [
    ("gpt2 qkv", 768, 3 * 768),
    ("gpt2 attn out", 768, 768),
    ("gpt2 mlp in", 768, 4 * 768),
    ("gpt2 mlp out", 4 * 768, 768),
    ("gpt2 unembed", 768, D_VOCAB),
    ("gpt2-xl qkv", 1600, 3 * 1600),
    ("gpt2-xl attn out", 1600, 1600),
    ("gpt2-xl mlp in", 1600, 4 * 1600),
    ("gpt2-xl mlp out", 4 * 1600, 1600),
    ("gpt2-xl unembed", 1600, D_VOCAB),
];

fn linear(c: &mut Criterion) {
    for (name, k, n) in MAPS {
        let weight = random(k * n, 0);
        let pack = |dtype| PackedMap::new(&weight, (k, n), vec![0.0; n], dtype);
        let (packed, halved) = (pack(DType::F32), pack(DType::BF16));
        let plain = Tensor::from_vec(weight, (k, n), &Device::Cpu).expect("sizes agree");
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        for rows in [1, 2, 10, 30, 512] {
            let x = Tensor::from_vec(random(rows * k, 1), (rows, k), &Device::Cpu)
                .expect("sizes agree");
            group.throughput(Throughput::ElementsAndBytes {
                elements: (2 * rows * k * n) as u64,
                bytes: (4 * k * n) as u64,
            });
            group.bench_function(BenchmarkId::new("packed", rows), |b| {
                b.iter(|| packed.forward(&x));
            });
            group.bench_function(BenchmarkId::new("packed bf16", rows), |b| {
                b.iter(|| halved.forward(&x));
            });
            group.bench_function(BenchmarkId::new("candle", rows), |b| {
                b.iter(|| x.matmul(&plain));
            });
        }
        group.finish();
    }
}

fn sampler(c: &mut Criterion) {
    let logits: Vec<f32> = random(D_VOCAB, 2).iter().map(|x| 8.0 * x.powi(3)).collect();
    let seen: Vec<(u32, u32)> = (0..47).map(|i| (i * 1000, 1 + i % 3)).collect();
    let kinds = [
        ("top_p 0.3", None, Some(0.3)),
        ("top_p 0.9", None, Some(0.9)),
        ("top_k 50", Some(50), None),
        ("all tokens", None, None),
    ];
    let mut group = c.benchmark_group("sampler, one row");
    for (name, top_k, top_p) in kinds {
        let sampling = Sampling {
            temperature: 1.0,
            top_k,
            top_p,
            freq_penalty: 1.0,
        };
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || logits.clone(),
                |logits| sampling.choose(logits, seen.iter().copied(), Chance::Uniform(0.5)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, linear, sampler);
criterion_main!(benches);
