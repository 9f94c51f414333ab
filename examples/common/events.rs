//! What an example waits for: signals, the end of its input, states of the application. One channel carries them all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{BoxError, Failure};

/// Something that happened.
pub enum Event {
    /// SIGINT or SIGTERM arrived.
    Signal,
    /// The input is read to its end and delivered; how many lines it had.
    Fed(Result<u64, BoxError>),
    /// The application runs: the group has given this process its part of the work.
    Running,
    /// What happens could not be printed.
    Unprinted(Failure),
    /// The application ended by itself.
    Ended,
}

/// The receiving side, and what the threads of an example need of it.
pub struct Events {
    receiver: Receiver<Event>,
    sender: Sender<Event>,
    stop: Arc<AtomicBool>,
}

impl Events {
    /// Listens for SIGINT and SIGTERM from now on. The first one asks for a clean end, a second one ends the process at once.
    pub fn listen() -> Result<Self, BoxError> {
        let (sender, receiver) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Order matters: the shutdown sees the flag as the signal before left it.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let on_signal = sender.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for _ in &mut signals {
                if on_signal.send(Event::Signal).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { receiver, sender, stop })
    }

    /// Where a thread reports.
    pub fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// Set when the example shall end: for loops that cannot wait on the channel.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Asks the example's own threads to end.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The next event, or `None` when none came in time.
    pub fn next(&self, timeout: Duration) -> Option<Event> {
        // This side holds a sender, so the channel cannot close.
        self.receiver.recv_timeout(timeout).ok()
    }
}
