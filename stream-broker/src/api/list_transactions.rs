//! ListTransactions, filtered by state, producer, since version 1 by age, and since version 2 by a pattern of the id.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_transactions_response::TransactionState;
use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use regex::Regex;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::transaction::State;

/// A duration that no transaction is shorter than.
const ANY_AGE: i64 = 0;

pub(crate) fn handle(core: &mut Core, request: ListTransactionsRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let named: Vec<Option<State>> = request.state_filters.iter().map(|name| State::from_name(name)).collect();
    let unknown = request.state_filters.into_iter().zip(&named).filter(|(_, state)| state.is_none()).map(|(name, _)| name).collect();
    let pattern = request.transactional_id_pattern.filter(|pattern| !pattern.is_empty());
    let pattern = match pattern.map(|pattern| Regex::new(&format!("^(?:{})$", pattern.as_str()))).transpose() {
        Ok(pattern) => pattern,
        Err(_) => {
            let code = ResponseError::InvalidRegularExpression.code();
            return out.answer(ctx.ticket, ListTransactionsResponse::default().with_error_code(code));
        }
    };
    let producers = &request.producer_id_filters;
    let listed = core
        .transactions
        .iter()
        .filter(|t| named.is_empty() || named.contains(&Some(t.state)))
        .filter(|t| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&t.transactional_id)))
        .filter(|t| producers.is_empty() || producers.contains(&ProducerId(t.producer.id)))
        .filter(|t| {
            // Only an open transaction has an age.
            request.duration_filter <= ANY_AGE || (t.state == State::Ongoing && now - t.started_at > request.duration_filter)
        })
        .map(|t| {
            TransactionState::default()
                .with_transactional_id(TransactionalId(t.transactional_id.clone()))
                .with_producer_id(ProducerId(t.producer.id))
                .with_transaction_state(StrBytes::from_static_str(t.state.name()))
        })
        .collect();
    out.answer(ctx.ticket, ListTransactionsResponse::default().with_unknown_state_filters(unknown).with_transaction_states(listed));
}
