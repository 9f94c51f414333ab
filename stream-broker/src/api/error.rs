//! Errors as responses carry them.

use kafka_protocol::ResponseError;

/// First version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn whose clients understand PRODUCER_FENCED (KIP-588).
pub(super) const FENCED_BY_NAME: i16 = 2;

/// The code of a result; 0 is success.
pub(super) fn error_code(result: Result<(), ResponseError>) -> i16 {
    result.err().map_or(0, |error| error.code())
}

/// What a fenced producer is told: clients from before `first` know only the older name for it.
pub(super) fn fencing(error: ResponseError, version: i16, first: i16) -> ResponseError {
    match error {
        ResponseError::ProducerFenced if version < first => ResponseError::InvalidProducerEpoch,
        other => other,
    }
}
