//! The workloads of `benches/README.md`, measured in processes of their own, against a bare loop over librdkafka and against Kafka Streams.
//!
//! ```text
//! cargo bench --bench workloads                # all workloads, both guarantees, on an embedded broker
//! cargo bench --bench workloads -- pipe eos    # some of them
//! KSTREAMS_BOOTSTRAP_SERVERS=127.0.0.1:9092 BENCH_RUNS=3 VERIFY=1 cargo bench --bench workloads
//! ```

mod support;

use std::process::ExitCode;

use support::command::Command;
use support::{BenchResult, broker, measure, native, suite};

fn main() -> ExitCode {
    let outcome = Command::parse(std::env::args().skip(1)).map_err(Into::into).and_then(run);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workloads: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> BenchResult<()> {
    match command {
        Command::Suite(selection) => suite::run(&selection),
        Command::Measure(job) => measure::run(&job),
        Command::Bare { job, owned_strings } => native::run(job, owned_strings),
        Command::Broker => broker::serve(),
        Command::Help(text) => {
            println!("{text}");
            Ok(())
        }
    }
}
