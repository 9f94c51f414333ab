//! What the handle asks of the event loop.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use kafka_protocol::messages::{RequestKind, ResponseKind};
use mio::Waker;

use crate::fault::{Fault, InjectedFault};

/// A command, with the way back for its result.
#[derive(Debug)]
pub(crate) enum Command {
    /// A request from inside the process, in the protocol's own terms.
    Request(Box<RequestKind>, i16, SyncSender<ResponseKind>),
    /// Close the listener and every connection.
    PauseNetwork(SyncSender<()>),
    /// Listen again on the same port.
    ResumeNetwork(SyncSender<io::Result<()>>),
    /// Close every connection and go on listening.
    CutConnections(SyncSender<()>),
    /// Do nothing until the other end of the channel is gone, and keep every connection.
    Hang(SyncSender<()>, Receiver<()>),
    /// Misbehave.
    Inject(Box<Fault>, SyncSender<InjectedFault>),
    /// Behave again.
    ClearFaults(SyncSender<()>),
    /// Move the clock on by milliseconds, and do what becomes due. The new time.
    AdvanceClock(i64, SyncSender<i64>),
    /// End the loop.
    Stop,
}

/// Sends commands and wakes the loop.
#[derive(Debug)]
pub(crate) struct Commands {
    sender: mpsc::Sender<Command>,
    waker: Arc<Waker>,
}

/// The event loop has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopEnded;

impl Commands {
    pub(crate) fn new(waker: Arc<Waker>) -> (Self, Receiver<Command>) {
        let (sender, receiver) = mpsc::channel();
        (Commands { sender, waker }, receiver)
    }

    pub(crate) fn send(&self, command: Command) -> Result<(), LoopEnded> {
        self.sender.send(command).map_err(|_| LoopEnded)?;
        self.waker.wake().map_err(|_| LoopEnded)
    }

    /// Sends a command and waits for its result.
    pub(crate) fn call<T>(&self, command: impl FnOnce(SyncSender<T>) -> Command) -> Result<T, LoopEnded> {
        let (reply, result) = mpsc::sync_channel(1);
        self.send(command(reply))?;
        result.recv().map_err(|_| LoopEnded)
    }
}
