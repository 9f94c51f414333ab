//! Simulated clients on a simulated broker: transactions, idempotent producers, a group, lost answers, crashes at any byte of a write, clocks
//! that jump. Everything comes from a seed. An auditor knows what the clients were told:
//!
//! - what was acknowledged stays, once, where it was said to be, also after crashes;
//! - of a transaction all is seen or nothing, and nothing unless somebody asked for its commit;
//! - a producer that was replaced, and a member of a past generation, change nothing any more;
//! - in a generation a partition has one owner;
//! - committed offsets are what was committed last.
//!
//! `STREAM_BROKER_SIMULATION_SEEDS=100000` simulates more seeds, `STREAM_BROKER_SIMULATION_FIRST=n` others.

mod auditor;
mod idempotent;
mod member;
mod requests;
mod transactional;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use auditor::Auditor;
use idempotent::Idempotent;
use member::Member;
use transactional::Transactional;
use world::World;

use crate::mistake::{self, Mistake};

const STEPS: u64 = 150;
const SHORT: u64 = 400;
/// Seeds within which each mistake is found.
const MOST_SEEDS: u64 = 10_000;

fn simulate(seed: u64) -> Result<(), String> {
    let mut world = World::new(seed);
    let mut auditor = Auditor::default();
    let segment_bytes = [300, 2_000, 1 << 20][world.below(3) as usize];
    world.ask(7, requests::create_topics(segment_bytes))?;
    // A group that has an offset is never forgotten, nor its generation.
    let offset = auditor.fresh() as i64;
    world.ask(8, requests::commit(&crate::harness::text(""), -1, 0, offset))?;
    auditor.offset_committed(requests::TOPIC, 0, offset);

    let version_2 = world.below(3);
    let mut producers = [Transactional::new(0, version_2 > 0), Transactional::new(1, version_2 > 1)];
    let mut idempotent = Idempotent::default();
    let mut members = [Member::new(), Member::new(), Member::new()];
    for _ in 0..STEPS {
        let step = world.below(300) as i64;
        world.pass(step);
        match world.below(100) {
            0..=39 => producers[world.below(2) as usize].step(&mut world, &mut auditor)?,
            40..=54 => idempotent.step(&mut world, &mut auditor)?,
            55..=89 => members[world.below(3) as usize].step(&mut world, &mut auditor)?,
            90..=92 => member::commit_late(&mut world, &mut auditor)?,
            93 => world.crash()?,
            94 => {
                let ms = world.below(40_000) as i64;
                world.pass(ms);
            }
            95 => {
                let ms = world.below(40_000) as i64;
                world.jump(ms);
            }
            _ => auditor.audit(&mut world, false)?,
        }
    }
    // All transactions time out, and everything has to be on the disk.
    world.pass(120_000);
    auditor.audit(&mut world, true)?;
    world.crash()?;
    auditor.audit(&mut world, true)
}

/// As [`simulate`]; a panic of the broker is a finding too.
fn verdict(seed: u64) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| simulate(seed))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("the broker panicked: {}", text.unwrap_or_default()))
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn clients_are_never_told_what_is_not_so() {
    let first = number("STREAM_BROKER_SIMULATION_FIRST").unwrap_or(0);
    let seeds = number("STREAM_BROKER_SIMULATION_SEEDS").unwrap_or(SHORT);
    let begun = Instant::now();
    for seed in first..first + seeds {
        if let Err(finding) = verdict(seed) {
            panic!("seed {seed}: {finding}");
        }
    }
    println!("{seeds} seeds in {:.1} s", begun.elapsed().as_secs_f64());
}

#[test]
fn a_seed_repeats_exactly() {
    mistake::seed(Some(Mistake::SequenceUnchecked));
    let mut found = 0;
    for seed in 0..100 {
        let first = verdict(seed);
        assert_eq!(verdict(seed), first, "seed {seed}");
        found += usize::from(first.is_err());
    }
    assert!(found > 0);
}

/// The first seed that shows a mistake.
fn first_finding(made: Mistake) -> Option<(u64, String)> {
    mistake::seed(Some(made));
    let found = (0..MOST_SEEDS).find_map(|seed| Some((seed, verdict(seed).err()?)));
    mistake::seed(None);
    found
}

#[test]
fn every_seeded_mistake_is_found() {
    for made in mistake::ALL {
        let Some((seed, finding)) = first_finding(made) else {
            panic!("{made:?} is not found within {MOST_SEEDS} seeds");
        };
        println!("{made:?}: seed {seed}: {finding}");
    }
}
