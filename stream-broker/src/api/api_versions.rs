//! `ApiVersions`: what this broker serves.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Ctx, SUPPORTED};
use crate::core::{Core, Outbox};

pub(crate) fn handle(_core: &mut Core, request: ApiVersionsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    // KIP-511: the names go into metrics, so their form is checked.
    let malformed =
        ctx.version >= 3 && !(is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version));
    let response = ApiVersionsResponse::default();
    if malformed {
        return out.answer(ctx.ticket, response.with_error_code(ResponseError::InvalidRequest.code()));
    }
    out.answer(ctx.ticket, features(response.with_api_keys(announced()), ctx.version));
}

/// Features with their greatest level, which is the one in use; all begin with 0.
const FEATURES: &[(&str, i16)] = &[("group.version", 1), ("transaction.version", 2)];
/// First version whose clients understand a feature that begins with level 0.
const KNOWS_LEVEL_ZERO: i16 = 4;

/// What `transaction.version` 2 says, for instance, is that partitions need not be added to transactions (KIP-890).
fn features(response: ApiVersionsResponse, version: i16) -> ApiVersionsResponse {
    let name = |name: &'static str| StrBytes::from_static_str(name);
    let supported = FEATURES
        .iter()
        .filter(|_| version >= KNOWS_LEVEL_ZERO)
        .map(|&(feature, level)| SupportedFeatureKey::default().with_name(name(feature)).with_max_version(level));
    let finalized = FEATURES.iter().map(|&(feature, level)| {
        FinalizedFeatureKey::default().with_name(name(feature)).with_min_version_level(level).with_max_version_level(level)
    });
    response.with_supported_features(supported.collect()).with_finalized_features_epoch(0).with_finalized_features(finalized.collect())
}

/// The answer to a version of `ApiVersions` that is not known, in version 0, which every client reads (KIP-511): it names the
/// versions of `ApiVersions` itself, so that the client can ask again.
pub(crate) fn unsupported_version_response() -> ApiVersionsResponse {
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(announced().into_iter().filter(|api| api.api_key == ApiKey::ApiVersions as i16).collect())
}

fn announced() -> Vec<ApiVersion> {
    SUPPORTED
        .iter()
        .map(|&(api, min, max)| {
            ApiVersion::default().with_api_key(api as i16).with_min_version(announced_min(api, min)).with_max_version(max)
        })
        .collect()
}

/// Kafka 4 announces produce requests from version 0 although it serves them from 3 on: librdkafka takes the absence of version
/// 0 for a broker without compression. A request below 3 is refused there as here.
fn announced_min(api: ApiKey, min: i16) -> i16 {
    if api == ApiKey::Produce { 0 } else { min }
}

fn is_software_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    match name.as_bytes() {
        [] => false,
        [first, .., last] => name.bytes().all(inner) && first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric(),
        [only] => only.is_ascii_alphanumeric(),
    }
}
