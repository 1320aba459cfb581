//! Training: first the tokenizer, then the weights, both from one seed.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, anyhow};
use candle_core::{DType, Device, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    TokenizerBuilder, TokenizerImpl,
};

use crate::grammar::Grammar;
use crate::model::{Gpt2, Sizes};
use crate::text::Texts;

pub(crate) struct Plan {
    pub out: PathBuf,
    pub steps: usize,
    pub layers: usize,
    pub seed: u64,
}

const END_OF_TEXT: &str = "<|endoftext|>";
const D_VOCAB: usize = 1536;
const N_CTX: usize = 128;
const ROWS: usize = 32;
const PEAK_RATE: f64 = 3e-3;
const WARM_UP: usize = 60;
/// The penalty for distant attention in the first blocks, added to the loss in nats.
const LOCALITY: f64 = 1.0;

const SINGLE_TOKENS: [&str; 6] = ["Love", "Hate", "Anger", "Calm", "Intent", " wedding"];

type Bpe = TokenizerImpl<
    BPE,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

pub(crate) fn train(grammar: &Grammar, plan: &Plan) -> Result<()> {
    let tokenizer = train_tokenizer(grammar, plan.seed)?;
    tokenizer
        .save(plan.out.join("tokenizer.json"), false)
        .map_err(|error| anyhow!(error))?;
    let end = tokenizer
        .token_to_id(END_OF_TEXT)
        .ok_or_else(|| anyhow!("the tokenizer lost {END_OF_TEXT}"))?;
    let model = Gpt2::new(
        Sizes {
            layers: plan.layers,
            d_model: 128,
            heads: 4,
            n_ctx: N_CTX,
            d_vocab: D_VOCAB,
        },
        plan.seed,
    )?;
    println!("{} parameters", model.parameters());

    let (matrices, others) = model.split_vars();
    let settings = |weight_decay| ParamsAdamW {
        lr: PEAK_RATE,
        beta1: 0.9,
        beta2: 0.98,
        eps: 1e-8,
        weight_decay,
    };
    let mut optimizers = [
        AdamW::new(matrices.clone(), settings(0.05))?,
        AdamW::new(others.clone(), settings(0.0))?,
    ];
    let all: Vec<_> = matrices.into_iter().chain(others).collect();
    let mut texts = Texts::new(grammar, plan.seed + 1);
    let mut held_out = Texts::new(grammar, plan.seed + 1_000_003);
    let held_out = batch(&tokenizer, &mut held_out, end)?;
    let started = Instant::now();
    for step in 0..plan.steps {
        let rate = learning_rate(step, plan.steps);
        let (tokens, targets, mask) = batch(&tokenizer, &mut texts, end)?;
        let loss = loss(&model, &tokens, &targets, &mask)?;
        let mut grads = loss.backward()?;
        let mut square = 0.0;
        for var in &all {
            if let Some(grad) = grads.get(var) {
                square += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        let scale = (1.0 / square.sqrt()).min(1.0);
        if scale < 1.0 {
            for var in &all {
                if let Some(grad) = grads.remove(var) {
                    grads.insert(var, (grad * scale)?);
                }
            }
        }
        for optimizer in &mut optimizers {
            optimizer.set_learning_rate(rate);
            optimizer.step(&grads)?;
        }
        if (step + 1) % 50 == 0 || step + 1 == plan.steps {
            let (tokens, targets, mask) = &held_out;
            println!(
                "step {} loss {:.3} held out {:.3} ({:.0} s)",
                step + 1,
                loss.to_scalar::<f32>()?,
                self::loss(&model, tokens, targets, mask)?.to_scalar::<f32>()?,
                started.elapsed().as_secs_f64()
            );
        }
        if (step + 1) % 300 == 0 {
            model.save(&plan.out, end)?;
        }
    }
    model.save(&plan.out, end)
}

/// Warm-up, then a cosine decay to 2 %.
fn learning_rate(step: usize, steps: usize) -> f64 {
    if step < WARM_UP {
        return PEAK_RATE * (step + 1) as f64 / WARM_UP as f64;
    }
    let done = (step - WARM_UP) as f64 / (steps.max(WARM_UP + 1) - WARM_UP) as f64;
    PEAK_RATE * (0.02 + 0.98 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
}

/// The mean loss over the positions that the mask keeps.
fn loss(model: &Gpt2, tokens: &Tensor, targets: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let (logits, far_attention) = model.forward(tokens)?;
    let logits = logits.flatten(0, 1)?;
    let log_probs = candle_nn::ops::log_softmax(&logits, 1)?;
    let chosen = log_probs.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?;
    let mean =
        ((chosen * mask)?.sum_all()?.neg()? / f64::from(mask.sum_all()?.to_scalar::<f32>()?))?;
    Ok((mean + (far_attention * LOCALITY)?)?)
}

/// Rows of end-of-text, document, end-of-text: tokens `[row, pos]`, and flattened, for each
/// position, its target and whether it counts.
fn batch(tokenizer: &Bpe, texts: &mut Texts, end: u32) -> Result<(Tensor, Tensor, Tensor)> {
    let mut rows = Vec::with_capacity(ROWS);
    for _ in 0..ROWS {
        let documents = if texts.is_double() { 2 } else { 1 };
        let mut row = vec![end];
        for _ in 0..documents {
            let text = texts.next_document()?;
            let encoding = tokenizer
                .encode(text, false)
                .map_err(|error| anyhow!(error))?;
            row.extend(encoding.get_ids());
            row.push(end);
        }
        row.truncate(N_CTX + 1);
        rows.push(row);
    }
    let length = rows.iter().map(Vec::len).max().unwrap_or(2) - 1;
    let (mut tokens, mut targets, mut mask) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        for i in 0..length {
            tokens.push(row.get(i).copied().unwrap_or(end));
            targets.push(row.get(i + 1).copied().unwrap_or(end));
            mask.push(if i + 1 < row.len() { 1.0f32 } else { 0.0 });
        }
    }
    let device = &Device::Cpu;
    let flat = targets.len();
    Ok((
        Tensor::from_vec(tokens, (rows.len(), length), device)?,
        Tensor::from_vec(targets, flat, device)?,
        Tensor::from_vec(mask, flat, device)?.to_dtype(DType::F32)?,
    ))
}

/// A byte-level BPE. Runs of spaces in its training text are collapsed, so that every space stays a
/// token of its own.
fn train_tokenizer(grammar: &Grammar, seed: u64) -> Result<Bpe> {
    let mut texts = Texts::new(grammar, seed + 2);
    let mut corpus: Vec<String> = (0..6000)
        .map(|_| {
            let text = texts.next_document()?;
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            let lead = if text.starts_with(' ') { " " } else { "" };
            Ok(format!("{lead}{}", words.join(" ")))
        })
        .collect::<Result<_>>()?;
    // Each steering word is a single token, so x-vectors of them need no padding.
    for word in SINGLE_TOKENS {
        corpus.extend(std::iter::repeat_n(word.to_owned(), 500));
    }
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(D_VOCAB)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .build();
    let mut tokenizer: Bpe = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(PreTokenizerWrapper::from(ByteLevel::new(
            false, true, true,
        ))))
        .with_post_processor(None)
        .with_decoder(Some(DecoderWrapper::from(ByteLevelDecoder::default())))
        .build()
        .map_err(|error| anyhow!(error))?;
    tokenizer
        .train(&mut trainer, corpus.into_iter())
        .map_err(|error| anyhow!(error))?;
    Ok(tokenizer)
}
