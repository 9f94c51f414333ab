//! Frames, without their lengths, to a broker that keeps what the ones before made of it.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use stream_broker::FuzzTarget;

/// Topics and groups that the frames make would fill the memory in the end; then there is a new broker.
const FRAMES_PER_BROKER: u64 = 5_000;

thread_local! {
    static BROKER: RefCell<(u64, FuzzTarget)> = RefCell::default();
}

fuzz_target!(|frame: &[u8]| {
    BROKER.with_borrow_mut(|(frames, broker)| {
        *frames += 1;
        if *frames % FRAMES_PER_BROKER == 0 {
            *broker = FuzzTarget::default();
        }
        if let Err(failure) = broker.frame(frame) {
            panic!("{failure}");
        }
    });
});
