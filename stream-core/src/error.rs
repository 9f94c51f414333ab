//! [`Error`]: what happened, where, and how the runtime reacts to it.

use std::error::Error as StdError;
use std::fmt;

use crate::id::TaskId;

/// Any error of user code or of a library below us.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the runtime does about an [`Error`]. A kind exists only where the reaction differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A passing condition of the cluster: the same call is made again, until `task.timeout.ms` has gone by without progress.
    Retriable,
    /// The transaction cannot be committed: it is aborted, its tasks return to their committed positions and go on.
    Abortable,
    /// This process or producer was replaced, or the outcome of a commit is unknown: the producer is replaced, the tasks start
    /// from what was committed.
    Fenced,
    /// A local store cannot be trusted: its directory is set aside and it is rebuilt from its changelog.
    Corrupted,
    /// What was tried again and again has failed for `task.timeout.ms`: the uncaught-error handler decides.
    TimedOut,
    /// A processor, serde, extractor or handler of the program failed (or panicked): the uncaught-error handler decides.
    User,
    /// The local disk failed or is full: the worker stops; nothing committed is lost.
    Storage,
    /// A wrong configuration, topology, topic or call. Repeating it cannot help.
    Invalid,
    /// The component was closed before or during the call.
    Closed,
    /// Should not happen: an invariant of the library does not hold. Please report it.
    Internal,
}

/// An error of the library: one word, with its [kind](ErrorKind), the chain of places it passed (innermost first) and its source.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    places: Vec<String>,
    task: Option<TaskId>,
    source: Option<BoxError>,
}

impl Error {
    /// An error of the given kind. `message` says what happened and what the user can do.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), places: Vec::new(), task: None, source: None }))
    }

    /// [`ErrorKind::Retriable`].
    pub fn retriable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retriable, message)
    }

    /// [`ErrorKind::User`], caused by an error of user code.
    pub fn user(message: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::User, message).with_source(source)
    }

    /// [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// [`ErrorKind::Storage`].
    pub fn storage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Storage, message)
    }

    /// [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds where it happened, for example `task 0_1` or `store counts`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.places.push(place.to_string());
        self
    }

    /// Adds the task that it happened in.
    #[must_use]
    pub fn of_task(mut self, task: TaskId) -> Self {
        self.0.task = Some(task);
        self.at(format_args!("task {task}"))
    }

    /// A panic of user code.
    pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
        Self::new(ErrorKind::User, format!("user code panicked: {}", text.unwrap_or_else(|| "without a message".to_owned())))
    }

    /// Changes the reaction, keeping the rest.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// How the runtime reacts.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The task that it happened in, where it concerns one more than the others of its worker. Mirrors `StreamsException.taskId`.
    pub fn task(&self) -> Option<TaskId> {
        self.0.task
    }

    /// What happened, without the places and sources.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.0.places.iter().rev() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Adds a place to the error of a result.
pub trait ResultExt<T> {
    /// As [`Error::at`]; the place is only made when there is an error.
    fn at<P: fmt::Display>(self, place: impl FnOnce() -> P) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    fn at<P: fmt::Display>(self, place: impl FnOnce() -> P) -> Result<T> {
        self.map_err(|error| error.at(place()))
    }
}
