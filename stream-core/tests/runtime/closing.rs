//! The end of an application whose brokers hold the connections and do not answer.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use stream_core::app::State;

use crate::support::{Application, Call, PATIENCE};

const GUARANTEES: [&str; 2] = ["at_least_once", "exactly_once_v2"];
/// What a program may well give it, and less than requests of the clients take to fail.
const CLOSE: Duration = Duration::from_secs(10);

/// Closes while the broker is silent, and starts anew when it answers again.
#[track_caller]
fn close_and_start_again(mut application: Application) {
    application.broker.pause_network().expect("the network can be cut");
    let started = Instant::now();
    let closed = application.streams.close(CLOSE);

    assert!(closed, "it is in state {} after {:?}", application.streams.state(), started.elapsed());
    assert_eq!(application.streams.state(), State::NotRunning);
    application.broker.resume_network().expect("the network comes back");
    application.start_again();
    assert!(application.streams.wait_for(State::Running, PATIENCE), "{:?}: {:?}", application.streams, application.streams.failure());
    assert!(application.streams.close(PATIENCE));
}

#[test]
fn a_close_ends_in_its_time_while_the_broker_is_silent() {
    for guarantee in GUARANTEES {
        let application = Application::start(&[("processing.guarantee", guarantee)], |_| Ok(()));
        assert!(application.streams.wait_for(State::Running, PATIENCE), "{:?}", application.streams);
        close_and_start_again(application);
    }
}

#[test]
fn a_close_ends_in_its_time_while_the_broker_is_silent_and_records_are_uncommitted() {
    for guarantee in GUARANTEES {
        let (sender, processed) = channel();
        let sender = Mutex::new(sender);
        let settings = [("processing.guarantee", guarantee), ("commit.interval.ms", "11000"), ("transaction.timeout.ms", "12000")];
        let application = Application::start(&settings, move |call| {
            if call == Call::Process {
                sender.lock().expect("unpoisoned").send(()).expect("the test listens");
            }
            Ok(())
        });
        processed.recv_timeout(PATIENCE).expect("it is processed");
        close_and_start_again(application);
    }
}
