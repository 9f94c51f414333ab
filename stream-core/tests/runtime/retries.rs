//! What may pass is tried again, ever more slowly, until `task.timeout.ms` has gone by without progress.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use stream_core::Error;
use stream_core::app::State;
use stream_core::handler::UncaughtResponse;

use crate::support::{Application, Call, Count, PATIENCE, TOPIC};

const GUARANTEES: [&str; 2] = ["at_least_once", "exactly_once_v2"];

/// With waits of 100, 200, 400 and 800 ms there is no room for more attempts in 1.5 s, nor for many more when the machine is slow.
const MOST_ATTEMPTS: u32 = 8;

#[test]
fn a_task_whose_start_fails_for_a_passing_reason_is_started_again() {
    let starts = Count::default();
    let counted = starts.clone();
    let application = Application::start(&[], move |call| {
        if call == Call::Init && counted.next() < 4 { Err(Error::retriable("the lookup service is away").into()) } else { Ok(()) }
    });
    assert!(application.streams.wait_for(State::Running, PATIENCE), "{:?}", application.streams);
    assert_eq!(starts.get(), 4, "it runs only once its task does");
    assert!(application.streams.close(PATIENCE));
    assert!(application.uncaught.try_recv().is_err());
}

#[test]
fn a_task_that_never_starts_is_given_up_after_the_task_timeout() {
    let starts = Count::default();
    let counted = starts.clone();
    let application = Application::start(&[], move |call| {
        if call != Call::Init {
            return Ok(());
        }
        counted.next();
        Err(Error::retriable("the lookup service is away").into())
    });
    let failure = application.await_failure();
    for part in ["task.timeout.ms", "task 0_0", "the lookup service is away"] {
        assert!(failure.contains(part), "`{part}` is missing in: {failure}");
    }
    assert_eq!(application.uncaught.try_recv().as_deref(), Ok(failure.as_str()));
    assert!((3..=MOST_ATTEMPTS).contains(&starts.get()), "{} starts", starts.get());
}

#[test]
fn a_record_that_fails_for_a_passing_reason_is_processed_in_the_end() {
    for guarantee in GUARANTEES {
        let (attempts, (sender, succeeded)) = (Count::default(), channel());
        let sender = Mutex::new(sender);
        let application = Application::start(&[("processing.guarantee", guarantee)], move |call| {
            if call == Call::Process {
                if attempts.next() < 4 {
                    return Err(Error::retriable("the lookup service is away").into());
                }
                sender.lock().expect("unpoisoned").send(()).expect("the test listens");
            }
            Ok(())
        });
        succeeded.recv_timeout(PATIENCE).expect("it is processed");
        assert!(application.streams.close(PATIENCE));
        assert!(application.uncaught.try_recv().is_err());
        assert_eq!(application.streams.state(), State::NotRunning);
    }
}

#[test]
fn a_record_that_fails_again_and_again_is_given_up_after_the_task_timeout() {
    for guarantee in GUARANTEES {
        let attempts = Count::default();
        let counted = attempts.clone();
        let application = Application::start(&[("processing.guarantee", guarantee)], move |call| {
            if call != Call::Process {
                return Ok(());
            }
            counted.next();
            Err(Error::retriable("the lookup service is away").into())
        });
        let failure = application.await_failure();
        for part in ["task.timeout.ms", "task 0_0", "lines-0 offset 0", "the lookup service is away"] {
            assert!(failure.contains(part), "`{part}` is missing in: {failure}");
        }
        assert!((3..=MOST_ATTEMPTS).contains(&attempts.get()), "{} attempts", attempts.get());
    }
}

#[test]
fn a_record_that_a_serde_can_never_read_is_given_up_after_the_task_timeout() {
    let attempts = Count::default();
    let counted = attempts.clone();
    let application = Application::start(&[], move |call| {
        if call != Call::Deserialize {
            return Ok(());
        }
        counted.next();
        Err("not now".into())
    });
    let failure = application.await_failure();
    assert!(failure.contains("task.timeout.ms") && failure.contains("the schema cannot be had"), "{failure}");
    assert!((3..=MOST_ATTEMPTS).contains(&attempts.get()), "{} attempts", attempts.get());
}

#[test]
fn a_task_that_cannot_be_prepared_is_given_up_after_the_task_timeout_with_the_true_reason() {
    let mut undecided = None;
    let application = Application::start_with(
        &[],
        |_| Ok(()),
        |_| UncaughtResponse::ShutdownClient,
        |config| {
            // Somebody's transaction is still to decide about the positions from which the task would start.
            let mut client = ClientConfig::new();
            client.set("bootstrap.servers", config.bootstrap_servers());
            let consumer: BaseConsumer = client.clone().set("group.id", config.application_id()).create().expect("a consumer");
            let producer: BaseProducer = client.set("transactional.id", "undecided").create().expect("a producer");
            producer.init_transactions(PATIENCE).expect("transactions");
            producer.begin_transaction().expect("a transaction");
            let mut offsets = TopicPartitionList::new();
            offsets.add_partition_offset(TOPIC, 0, Offset::Offset(1)).expect("an offset");
            let group = consumer.group_metadata().expect("a group");
            producer.send_offsets_to_transaction(&offsets, &group, PATIENCE).expect("they are sent");
            undecided = Some(producer);
        },
    );
    while !application.streams.tasks().iter().any(|task| task.id.partition == 1) {
        assert_eq!(application.streams.state(), State::Rebalancing, "the other task does not wait for this one");
        std::thread::yield_now();
    }
    let failure = application.await_failure();
    for part in ["task.timeout.ms", "task 0_0", "cannot be prepared", "a transaction is still to decide"] {
        assert!(failure.contains(part), "`{part}` is missing in: {failure}");
    }
    assert_eq!(application.uncaught.try_recv().as_deref(), Ok(failure.as_str()));
    drop(undecided);
}
