//! `DescribeCluster`: the one broker.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};

const BROKERS: i8 = 1;

pub(crate) fn handle(core: &mut Core, request: DescribeClusterRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let response = DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(core.cluster_id.clone()))
        .with_controller_id(BrokerId(core.config.node_id))
        .with_cluster_authorized_operations(i32::MIN);
    if ctx.version >= 1 && request.endpoint_type != BROKERS {
        let message = "this is a broker endpoint; it cannot describe the controllers";
        return out.answer(
            ctx.ticket,
            response
                .with_error_code(ResponseError::MismatchedEndpointType.code())
                .with_error_message(Some(StrBytes::from_static_str(message))),
        );
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(core.config.node_id))
        .with_host(StrBytes::from_string(core.config.advertised_host.clone()))
        .with_port(i32::from(core.config.advertised_port));
    out.answer(ctx.ticket, response.with_endpoint_type(BROKERS).with_brokers(vec![broker]));
}
