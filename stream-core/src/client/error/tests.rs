use super::*;

fn mapped(code: i32, operation: Operation) -> ErrorKind {
    from_native(NativeError::from_code(code), operation).kind()
}

#[test]
fn passing_conditions_are_repeated_where_nothing_is_at_stake() {
    for operation in [Operation::Connect, Operation::Consume, Operation::Produce, Operation::BeginTransaction, Operation::Administer] {
        for passing in [code::TRANSPORT, code::TIMED_OUT, code::ALL_BROKERS_DOWN, 6, 7, 14, 15, 16, 51, 88] {
            assert_eq!(mapped(passing, operation), ErrorKind::Retriable, "{passing} in {operation:?}");
        }
    }
}

#[test]
fn a_timeout_of_a_commit_is_repeated_only_while_librdkafka_says_so() {
    for passing in [code::TRANSPORT, code::TIMED_OUT, 7, 15] {
        assert_eq!(mapped(passing, Operation::EndTransaction), ErrorKind::Fenced);
        let retriable = NativeError { retriable: true, ..NativeError::from_code(passing) };
        assert_eq!(from_native(retriable, Operation::EndTransaction).kind(), ErrorKind::Retriable);
    }
    let text = from_native(NativeError::from_code(code::TIMED_OUT), Operation::EndTransaction).to_string();
    assert!(text.contains("unknown"), "{text}");
}

#[test]
fn a_missing_topic_may_come_up() {
    for missing in [code::UNKNOWN_TOPIC, code::UNKNOWN_PARTITION, code::UNKNOWN_TOPIC_OR_PARTITION, code::UNKNOWN_TOPIC_ID] {
        assert_eq!(mapped(missing, Operation::Consume), ErrorKind::Retriable);
    }
}

#[test]
fn an_offset_outside_of_the_log_makes_local_state_untrustworthy() {
    for out in [code::OFFSET_OUT_OF_RANGE, code::AUTO_OFFSET_RESET, code::LOG_TRUNCATION] {
        assert_eq!(mapped(out, Operation::Consume), ErrorKind::Corrupted);
    }
}

#[test]
fn a_newer_producer_fences_this_one() {
    for fenced in [code::FENCED, 47, 49, 59, 82, 90] {
        for operation in [Operation::Produce, Operation::Deliver, Operation::EndTransaction] {
            assert_eq!(mapped(fenced, operation), ErrorKind::Fenced);
        }
    }
}

#[test]
fn an_old_generation_aborts_and_does_not_replace_the_producer() {
    for stale in [22, 25, 27] {
        let native = NativeError { requires_abort: true, ..NativeError::from_code(stale) };
        assert_eq!(from_native(native, Operation::EndTransaction).kind(), ErrorKind::Abortable);
    }
}

#[test]
fn what_no_repetition_can_mend_is_invalid() {
    for denied in [29, 30, 31, 53, 58, code::AUTHENTICATION, 10, 87, 35, 17, 38, 40, 44] {
        for operation in [Operation::Consume, Operation::Deliver, Operation::EndTransaction, Operation::Administer] {
            assert_eq!(mapped(denied, operation), ErrorKind::Invalid, "{denied} in {operation:?}");
        }
    }
}

#[test]
fn a_lost_record_returns_the_tasks_to_their_committed_positions() {
    assert_eq!(mapped(code::MSG_TIMED_OUT, Operation::Deliver), ErrorKind::Abortable);
    assert_eq!(mapped(code::UNKNOWN_TOPIC, Operation::Deliver), ErrorKind::Abortable);
}

#[test]
fn a_record_refused_by_a_transaction_that_failed_unseen_rolls_it_back() {
    assert_eq!(mapped(code::STATE, Operation::Produce), ErrorKind::Abortable);
    assert_eq!(mapped(code::STATE, Operation::Consume), ErrorKind::Internal, "anywhere else it is our mistake");
}

#[test]
fn a_dead_producer_is_replaced() {
    let native = NativeError { fatal: true, ..NativeError::from_code(48) };
    assert_eq!(from_native(native, Operation::Produce).kind(), ErrorKind::Fenced);
    assert_eq!(mapped(12_345, Operation::EndTransaction), ErrorKind::Fenced, "an unknown code in a commit");
}

#[test]
fn our_own_purge_is_no_failure_of_the_cluster() {
    for closed in [code::DESTROY, code::PURGE_QUEUE, code::PURGE_INFLIGHT] {
        assert_eq!(mapped(closed, Operation::Deliver), ErrorKind::Closed);
    }
}

#[test]
fn the_text_says_what_failed_why_and_what_to_do() {
    let text = from_native(NativeError::from_code(29), Operation::Produce).to_string();
    assert!(text.contains("producing failed") && text.contains("TOPIC_AUTHORIZATION_FAILED") && text.contains("grant"), "{text}");
}
