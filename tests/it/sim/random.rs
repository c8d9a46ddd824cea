//! The simulator's random runs and scripts, with a fixed budget; `make soak` gives it hours.

use berth::testing::sim::RandomRun;

use super::on_paused_time;

#[test]
fn random_runs_keep_every_promise() {
    let seeds = std::env::var("BERTH_SEEDS").unwrap_or_else(|_| "0..60".to_owned());
    let (from, to) = seeds.split_once("..").unwrap();
    for seed in from.parse::<u64>().unwrap()..to.parse::<u64>().unwrap() {
        let t = std::time::Instant::now();
        let outcome = on_paused_time(RandomRun { seed, steps: 40 }.run());
        eprintln!("seed {seed} {:?}", t.elapsed());
        assert!(
            outcome.wrong.is_empty(),
            "seed {seed}: {:#?}\nscript:\n{}",
            outcome.wrong,
            outcome.script.join("\n")
        );
    }
}
