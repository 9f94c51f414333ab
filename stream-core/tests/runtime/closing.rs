//! The end of an application whose brokers do not answer.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use stream_core::app::State;

use crate::support::{Application, Call, PATIENCE};

const GUARANTEES: [&str; 2] = ["at_least_once", "exactly_once_v2"];
/// What a program may well give it, and less than requests of the clients take to fail.
const CLOSE: Duration = Duration::from_secs(6);

/// How brokers do not answer.
#[derive(Clone, Copy, Debug)]
enum Outage {
    /// They keep the connections.
    Hanging,
    /// There is nobody to connect to.
    Away,
}

const OUTAGES: [Outage; 2] = [Outage::Hanging, Outage::Away];

/// Closes while the broker does not answer, and starts anew when it does again.
#[track_caller]
fn close_and_start_again(mut application: Application, outage: Outage) {
    let hanging = match outage {
        Outage::Hanging => Some(application.broker.hang().expect("the broker hangs")),
        Outage::Away => {
            application.broker.pause_network().expect("the network can be cut");
            None
        }
    };
    let started = Instant::now();
    let closed = application.streams.close(CLOSE);
    let took = started.elapsed();
    drop(hanging);
    assert!(closed, "{outage:?}: it is in state {} after {took:?}", application.streams.state());
    assert_eq!(application.streams.state(), State::NotRunning);
    if let Outage::Away = outage {
        application.broker.resume_network().expect("the network comes back");
    }
    application.start_again();
    assert!(application.streams.wait_for(State::Running, PATIENCE), "{:?}: {:?}", application.streams, application.streams.failure());
    assert!(application.streams.close(PATIENCE));
}

/// Runs a claim under each guarantee and outage, all at the same time: most of it is waiting.
fn each(claim: impl Fn(&'static str, Outage) + Sync) {
    std::thread::scope(|scope| {
        for (guarantee, outage) in GUARANTEES.into_iter().flat_map(|guarantee| OUTAGES.map(|outage| (guarantee, outage))) {
            let claim = &claim;
            scope.spawn(move || claim(guarantee, outage));
        }
    });
}

#[test]
fn a_close_ends_in_its_time_while_no_broker_answers() {
    each(|guarantee, outage| {
        let application = Application::start(&[("processing.guarantee", guarantee)], |_| Ok(()));
        assert!(application.streams.wait_for(State::Running, PATIENCE), "{:?}", application.streams);
        close_and_start_again(application, outage);
    });
}

#[test]
fn a_close_ends_in_its_time_while_no_broker_answers_and_records_are_uncommitted() {
    each(|guarantee, outage| {
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
        close_and_start_again(application, outage);
    });
}
