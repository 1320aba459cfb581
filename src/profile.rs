//! Where the time goes: seconds per stage of a run and per part of a pass.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading, processing and packing weights.
    Load,
    /// Passes over whole texts: prompts, losses, caches.
    Prompt,
    /// New tokens, one per row and step.
    Decode,
}

/// A part of a stage. Time outside all parts is shown as "other".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The linear maps of all blocks.
    Linear,
    /// The unembedding, which is a linear map too.
    Unembed,
    /// Attention between queries, keys and values.
    Attention,
    /// LayerNorm and RMSNorm.
    Norm,
    /// Choosing tokens from logits.
    Sampling,
}

const STAGES: [&str; 3] = ["load", "prompts", "decoding"];
const PARTS: [&str; 5] = ["linear", "unembed", "attention", "norm", "sampling"];

/// A stopwatch, shared by all clones. The default one is off and costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Profile(Option<Arc<Counters>>);

/// Nanoseconds per stage, in total and per part.
#[derive(Debug, Default)]
struct Counters {
    stages: [AtomicU64; STAGES.len()],
    parts: [[AtomicU64; PARTS.len()]; STAGES.len()],
}

impl Profile {
    /// A stopwatch that is on.
    pub fn on() -> Self {
        Self(Some(Arc::default()))
    }

    /// Counts the time until the clock is dropped towards a stage. Stages don't nest.
    pub fn stage(&self, stage: Stage) -> Clock {
        self.clock(stage, None)
    }

    /// Counts the time until the clock is dropped towards a part of a stage. Parts don't nest.
    pub fn part(&self, stage: Stage, part: Part) -> Clock {
        self.clock(stage, Some(part))
    }

    fn clock(&self, stage: Stage, part: Option<Part>) -> Clock {
        Clock(self.0.as_ref().map(|counters| Running {
            counters: counters.clone(),
            stage,
            part,
            started: Instant::now(),
        }))
    }
}

/// A clock that runs until it is dropped.
#[must_use = "a clock that is dropped at once measures nothing"]
pub struct Clock(Option<Running>);

struct Running {
    counters: Arc<Counters>,
    stage: Stage,
    part: Option<Part>,
    started: Instant,
}

impl Drop for Clock {
    fn drop(&mut self) {
        if let Some(running) = &self.0 {
            let Counters { stages, parts } = &*running.counters;
            let counter = match running.part {
                Some(part) => &parts[running.stage as usize][part as usize],
                None => &stages[running.stage as usize],
            };
            let time = u64::try_from(running.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            counter.fetch_add(time, Ordering::Relaxed);
        }
    }
}

/// One line per stage and part, with seconds and share; empty if the profile is off.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(counters) = &self.0 else {
            return Ok(());
        };
        let seconds = |counter: &AtomicU64| {
            Duration::from_nanos(counter.load(Ordering::Relaxed)).as_secs_f64()
        };
        f.write_str("profile       seconds")?;
        for (i, name) in STAGES.iter().enumerate() {
            let total = seconds(&counters.stages[i]);
            write!(f, "\n{name:<12} {total:8.3}")?;
            let parts: Vec<f64> = counters.parts[i].iter().map(seconds).collect();
            let known: f64 = parts.iter().sum();
            if known == 0.0 {
                continue;
            }
            let named = PARTS.iter().copied().zip(parts);
            for (part, time) in named.chain([("other", (total - known).max(0.0))]) {
                if time > 0.0 {
                    let share = 100.0 * time / total;
                    write!(f, "\n  {part:<10} {time:8.3} {share:5.1} %")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_towards_its_stage_and_part() {
        let profile = Profile::on();
        {
            let _stage = profile.stage(Stage::Decode);
            let _part = profile.clone().part(Stage::Decode, Part::Norm);
            std::thread::sleep(Duration::from_millis(2));
        }
        let text = profile.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "profile       seconds");
        assert_eq!(lines[1], "load            0.000");
        assert!(lines[3].starts_with("decoding        0.0"), "{text}");
        assert!(lines[4].starts_with("  norm          0.0"), "{text}");
        assert_eq!(Profile::default().to_string(), "");
    }
}
