//! The dead letter queue of the built-in handlers (KIP-1034): the source record of a failure goes to a topic, in the transaction of
//! the task, with headers that say what failed.

use std::sync::Arc;

use super::{DeadLetter, DeserializationHandler, FailureContext, Handlers, ProcessingHandler, ProductionHandler, Response};
use crate::error::{BoxError, Error};

const EXCEPTION: &str = "__streams.errors.exception";
const MESSAGE: &str = "__streams.errors.message";
const STACKTRACE: &str = "__streams.errors.stacktrace";
const TOPIC: &str = "__streams.errors.topic";
const PARTITION: &str = "__streams.errors.partition";
const OFFSET: &str = "__streams.errors.offset";

/// What readers of such topics know unreadable and unwritable records by.
const SERIALIZATION: &str = "org.apache.kafka.common.errors.SerializationException";

/// The handlers, each over a queue.
pub(super) fn over(handlers: Handlers, topic: &Arc<str>) -> Handlers {
    Handlers {
        deserialization: Arc::new(Queue { topic: Arc::clone(topic), handler: handlers.deserialization }),
        processing: Arc::new(Queue { topic: Arc::clone(topic), handler: handlers.processing }),
        production: Arc::new(Queue { topic: Arc::clone(topic), handler: handlers.production }),
        default_timestamp_extractor: handlers.default_timestamp_extractor,
    }
}

/// A handler whose answers carry the source record.
struct Queue<H: ?Sized> {
    topic: Arc<str>,
    handler: Arc<H>,
}

impl<H: ?Sized> Queue<H> {
    /// Trap T129: the bytes are those of the source record (null in a punctuation), time and headers those of the record that failed.
    fn answer(&self, response: Response, failure: &FailureContext<'_>, exception: &str, error: &BoxError) -> Response {
        let mut headers = failure.headers.clone();
        headers.add(EXCEPTION, Some(exception.as_bytes()));
        headers.add(MESSAGE, Some(error.to_string().as_bytes()));
        headers.add(STACKTRACE, Some(causes(failure, error).as_bytes()));
        if let Some(source) = failure.metadata {
            headers.add(TOPIC, Some(source.topic.as_bytes()));
            headers.add(PARTITION, Some(source.partition.to_string().as_bytes()));
            headers.add(OFFSET, Some(source.offset.to_string().as_bytes()));
        }
        response.with_dead_letter(DeadLetter {
            topic: Arc::clone(&self.topic),
            partition: None,
            key: failure.source_key.map(<[u8]>::to_vec),
            value: failure.source_value.map(<[u8]>::to_vec),
            timestamp: failure.timestamp,
            headers,
        })
    }
}

/// Where it failed and why, one cause a line.
fn causes(failure: &FailureContext<'_>, error: &BoxError) -> String {
    let mut text = format!("{error}\n  at node {}, task {}", failure.node, failure.task);
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n  caused by: {error}"));
        cause = error.source();
    }
    text
}

/// The kind of an error that user code returned.
fn kind(error: &BoxError) -> String {
    error.downcast_ref::<Error>().map_or_else(|| "User".to_owned(), |error| format!("{:?}", error.kind()))
}

impl DeserializationHandler for Queue<dyn DeserializationHandler> {
    fn handle(&self, failure: &FailureContext<'_>, error: &BoxError) -> Response {
        self.answer(self.handler.handle(failure, error), failure, SERIALIZATION, error)
    }
}

impl ProcessingHandler for Queue<dyn ProcessingHandler> {
    fn handle(&self, failure: &FailureContext<'_>, error: &BoxError) -> Response {
        self.answer(self.handler.handle(failure, error), failure, &kind(error), error)
    }

    fn catches_panics(&self) -> bool {
        true
    }
}

impl ProductionHandler for Queue<dyn ProductionHandler> {
    fn handle(&self, failure: &FailureContext<'_>, topic: &str, error: &BoxError) -> Response {
        self.answer(self.handler.handle(failure, topic, error), failure, SERIALIZATION, error)
    }
}
