//! A panic of user code ends the application with an error; nothing waits for the thread that it happened on.

use stream_core::app::State;
use stream_core::handler::UncaughtResponse;

use crate::support::{Application, Call, PATIENCE};

#[test]
fn a_panic_while_a_record_is_processed_reaches_the_handler_as_an_error() {
    let application = Application::start(&[], |call| if call == Call::Process { panic!("index out of bounds") } else { Ok(()) });
    let failure = application.await_failure();
    assert!(failure.contains("user code panicked: index out of bounds"), "{failure}");
    assert_eq!(application.uncaught.try_recv().as_deref(), Ok(failure.as_str()));
}

#[test]
fn a_handler_that_panics_closes_the_application() {
    for failing in [Call::Init, Call::Process] {
        let application = Application::start_with(
            &[],
            move |call| if call == failing { Err("broken".into()) } else { Ok(()) },
            |_| -> UncaughtResponse { panic!("the handler is broken, too") },
            |_| {},
        );
        let failure = application.await_failure();
        assert!(failure.contains("broken") && !failure.contains("handler"), "{failure}");
    }
}

#[test]
fn a_processor_that_panics_while_it_is_closed_does_not_keep_the_application_from_closing() {
    for failing in [Call::Close, Call::Drop] {
        let application = Application::start(&[], move |call| if call == failing { panic!("{failing:?} is broken") } else { Ok(()) });
        assert!(application.streams.wait_for(State::Running, PATIENCE));
        assert!(application.streams.close(PATIENCE));
        assert_eq!(application.streams.state(), State::Error);
        let failure = application.streams.failure().expect("a reason");
        assert!(failure.contains(&format!("{failing:?} is broken")) && failure.contains("node scripted"), "{failure}");
        assert!(application.uncaught.try_recv().is_err(), "an end that was asked for leaves nothing to decide");
    }
}

#[test]
fn a_processor_that_panics_in_each_of_its_last_calls_ends_the_application_with_the_first() {
    let application = Application::start(&[], |call| match call {
        Call::Process => Err("the record is bad".into()),
        Call::Close | Call::Drop => panic!("{call:?} is broken"),
        Call::Deserialize | Call::Init => Ok(()),
    });
    let failure = application.await_failure();
    assert!(failure.contains("the record is bad"), "{failure}");
}

#[test]
fn an_application_can_be_closed_without_a_limit_and_by_several_threads_at_once() {
    let application = Application::start(&[], |_| Ok(()));
    assert!(application.streams.wait_for(State::Running, std::time::Duration::MAX));
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| application.streams.close(std::time::Duration::MAX));
        application.streams.close(std::time::Duration::ZERO);
        assert!(closing.join().expect("no panic"));
    });
    assert_eq!(application.streams.state(), State::NotRunning);
}
