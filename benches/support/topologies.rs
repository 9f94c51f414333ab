//! The topologies, as a user would write them, with a step that counts.

use std::sync::Arc;
use std::time::Duration;

use kstreams::prelude::*;

use super::progress::Progress;
use super::workload::Workload;

const WINDOW: Duration = Duration::from_secs(60);

/// The topology of a workload.
pub fn topology(workload: Workload, input: &str, output: &str, progress: &Arc<Progress>) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let (taken, sent) = (Arc::clone(progress), Arc::clone(progress));
    match workload {
        Workload::Pipe => builder
            .stream::<String, String>([input])
            .peek(move |_, _| taken.one())
            .filter(|_, value: &String| value.as_bytes().first().is_some_and(|first| *first < b'x'))
            .map_values(|value: &String| value.to_uppercase())
            .peek(move |_, _| sent.out())
            .to(output),
        Workload::Count | Workload::CountNoCache => builder
            .stream::<String, String>([input])
            .peek(move |_, _| taken.one())
            .group_by_key()
            .count_with(Materialized::named("counts"))
            .to_stream()
            .peek(move |_, _| sent.out())
            .to(output),
        Workload::Window => builder
            .stream::<String, String>([input])
            .peek(move |_, _| taken.one())
            .group_by_key()
            .windowed_by(TimeWindows::of_size_with_no_grace(WINDOW))
            .count_with(Materialized::named("wcounts"))
            .to_stream()
            .peek(move |_, _| sent.out())
            .to_with(output, Produced::with(Arc::new(TimeWindowedSerde::new(Serdes::string(), WINDOW)), Serdes::nullable(Serdes::long()))),
        Workload::WordCount => {
            let counted = Arc::clone(progress);
            builder
                .stream::<String, String>([input])
                .peek(move |_, _| taken.start())
                .flat_map_values(|line: &String| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
                .group_by(|_, word: &String| word.clone())
                // As `count` does it, so that the words are counted behind the repartition topic.
                .aggregate_with(
                    || 0_i64,
                    move |_, _, count| {
                        counted.one();
                        count + 1
                    },
                    Materialized::named("counts").with_value_serde(Serdes::long()),
                )
                .to_stream()
                .peek(move |_, _| sent.out())
                .to(output);
        }
    }
    builder.build()
}
