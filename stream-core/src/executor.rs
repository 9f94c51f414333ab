//! [`Executor`]: where the futures of async processors run.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};

/// How long a future may take where neither the program nor `transaction.timeout.ms` says otherwise.
const DEADLINE: Duration = Duration::from_secs(5);

/// The tokio runtime of an application: the one that the program gave, or one of the application's own, which starts with the first async
/// processor. An application without any never has one.
pub(crate) struct Executor {
    runtime: Mutex<Option<AsyncRuntime>>,
    threads: usize,
    deadline: Duration,
}

enum AsyncRuntime {
    Given(Handle),
    Own(Runtime),
}

impl Executor {
    /// With the program's runtime, or else with one of that many threads.
    pub(crate) fn new(given: Option<Handle>, threads: usize, deadline: Duration) -> Self {
        Self { runtime: Mutex::new(given.map(AsyncRuntime::Given)), threads: threads.max(1), deadline }
    }

    /// How long a future may take unless its processor says otherwise.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The runtime.
    ///
    /// # Errors
    /// When the operating system gives it no threads.
    pub(crate) fn handle(&self) -> Result<Handle> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        match &*runtime {
            Some(AsyncRuntime::Given(handle)) => Ok(handle.clone()),
            Some(AsyncRuntime::Own(own)) => Ok(own.handle().clone()),
            None => {
                let own = Builder::new_multi_thread()
                    .worker_threads(self.threads)
                    .thread_name("kstreams-async")
                    .enable_all()
                    .build()
                    .map_err(|error| Error::storage("the operating system gave no threads for async processors").with_source(error))?;
                let handle = own.handle().clone();
                *runtime = Some(AsyncRuntime::Own(own));
                Ok(handle)
            }
        }
    }
}

impl Default for Executor {
    fn default() -> Self {
        Self::new(None, 1, DEADLINE)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, which is not allowed where this may happen: within another runtime.
        if let Some(AsyncRuntime::Own(own)) = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            own.shutdown_background();
        }
    }
}
