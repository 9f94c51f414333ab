//! Dead letters are results: under exactly-once there is one for each record that cannot be read, whatever becomes of the group.

use std::time::{Duration, Instant};

use crate::harness::{Cluster, PATIENCE};
use kstreams::prelude::*;

#[test]
fn a_membership_that_is_lost_behind_a_dead_letter_doubles_none() {
    let cluster = Cluster::start();
    let [input, output, letters] = ["input", "output", "letters"].map(|name| cluster.topic(name, 1, &[]));
    let state = tempfile::tempdir().expect("a folder");
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>(input.as_str()).to(output.as_str());
    let application = cluster.unique("dead-letters");
    let settings = [
        ("processing.guarantee", "exactly_once_v2"),
        ("deserialization.exception.handler", "log-and-continue"),
        ("errors.dead.letter.queue.topic.name", letters.as_str()),
        // The membership is lost before the letter is committed.
        ("commit.interval.ms", "8000"),
    ];
    let config = StreamsConfig::new(&application, cluster.bootstrap_servers()).with_state_dir(state.path());
    let config = settings.iter().try_fold(config, |config, (name, value)| config.set(name, value)).expect("a configuration");
    let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
    streams.start().expect("it starts");
    assert!(streams.wait_for(State::Running, PATIENCE));

    cluster.produce(&input, [(None::<&str>, [0xff_u8, 0xfe])]);
    let deadline = Instant::now() + PATIENCE;
    // The letter is in the open transaction then, where no reader sees it yet.
    while streams.metrics().dropped == 0 {
        assert!(Instant::now() < deadline, "{:?}", streams.metrics());
        std::thread::sleep(Duration::from_millis(10));
    }
    cluster.expel_members(&application);
    cluster.await_processed(&application, &input, PATIENCE);
    assert!(streams.close(PATIENCE));
    assert_eq!(cluster.read_all(&letters).len(), 1);
}
