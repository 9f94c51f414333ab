//! Frames to requests and responses to frames.
//!
//! A frame is a length (four bytes, not counting itself) and a header with the API, its version and a correlation id, followed
//! by the body in that version's format.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::request_shape;
use crate::api;

/// Bytes of the length.
pub(super) const LENGTH_BYTES: usize = 4;

/// What is needed to answer a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
}

/// A frame, decoded.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "almost all frames are requests, and each is moved once")]
pub(super) enum Incoming {
    Request {
        origin: Origin,
        client_id: Option<String>,
        body: RequestKind,
    },
    /// A version of `ApiVersions` that is not served; it is answered all the same.
    UnknownApiVersions {
        correlation_id: i32,
    },
}

/// Why a frame cannot be answered. The connection is closed: nothing after the frame can be trusted.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of {0} bytes is too short for a request header")]
    TooShort(usize),
    #[error("API key {0} is unknown")]
    UnknownApi(i16),
    #[error("version {version} of {api:?} is not served")]
    UnsupportedVersion { api: ApiKey, version: i16 },
    #[error("a {api:?} request of version {version} is malformed: {reason}")]
    Malformed { api: ApiKey, version: i16, reason: String, panicked: bool },
    #[error("a {api:?} response does not fit version {version}: {reason}")]
    Unencodable { api: ApiKey, version: i16, reason: String },
}

/// Decodes a frame without its length.
pub(super) fn decode(mut frame: Bytes) -> Result<Incoming, FrameError> {
    let Some(&[k0, k1, v0, v1, c0, c1, c2, c3]) = frame.first_chunk::<8>() else {
        return Err(FrameError::TooShort(frame.len()));
    };
    let key = i16::from_be_bytes([k0, k1]);
    let version = i16::from_be_bytes([v0, v1]);
    let correlation_id = i32::from_be_bytes([c0, c1, c2, c3]);
    let api = ApiKey::try_from(key).map_err(|_| FrameError::UnknownApi(key))?;
    if !api::is_supported(api, version) {
        return if api == ApiKey::ApiVersions {
            Ok(Incoming::UnknownApiVersions { correlation_id })
        } else {
            Err(FrameError::UnsupportedVersion { api, version })
        };
    }
    let malformed = |reason: String| FrameError::Malformed { api, version, reason, panicked: false };
    let flexible = api.request_header_version(version) >= 2;
    request_shape::check(api, version, flexible, &frame).map_err(|truncated| malformed(truncated.to_string()))?;
    // The decoder is generated code that reads what a stranger sent: a panic in it costs that stranger's connection only.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let header = RequestHeader::decode(&mut frame, api.request_header_version(version))?;
        let body = RequestKind::decode(api, &mut frame, version)?;
        Ok::<_, Box<dyn std::error::Error>>((header, body))
    }));
    match decoded {
        Ok(Ok((header, body))) => Ok(Incoming::Request {
            origin: Origin { api, version, correlation_id },
            client_id: header.client_id.map(|id| id.to_string()),
            body,
        }),
        Ok(Err(error)) => Err(malformed(error.to_string())),
        Err(_) => Err(FrameError::Malformed { api, version, reason: "the decoder panicked".to_owned(), panicked: true }),
    }
}

/// Appends a response, with its length and header, to `out`; on an error `out` is as before.
pub(super) fn encode(origin: Origin, response: &ResponseKind, out: &mut BytesMut) -> Result<(), FrameError> {
    let start = out.len();
    out.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(origin.correlation_id);
    let encoded = header
        .encode(out, origin.api.response_header_version(origin.version))
        .and_then(|()| response.encode(out, origin.version))
        .map_err(|error| format!("{error:#}"))
        .and_then(|()| i32::try_from(out.len() - start - LENGTH_BYTES).map_err(|error| error.to_string()));
    match encoded {
        Ok(length) => {
            out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        Err(reason) => {
            out.truncate(start);
            Err(FrameError::Unencodable { api: origin.api, version: origin.version, reason })
        }
    }
}
