//! What librdkafka knows about properties, asked of itself.

use std::ffi::{c_char, c_void};

use rdkafka_sys as rd;

use super::{ErrorText, c_string, string};
use crate::error::{Error, Result};

/// Which clients a property is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PropertyScope {
    /// All clients.
    Both,
    /// Consumers.
    Consumer,
    /// Producers.
    Producer,
}

/// Whether the value of a property must not be shown.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token", "jaas", "credential", "private.key", "keystore.key"].iter().any(|word| name.contains(word))
        || name.ends_with("ssl.key.pem")
        || name.ends_with("oauthbearer.config")
        || name.ends_with("ssl_key")
}

/// Asks librdkafka whether it takes this property with this value, without creating a client.
///
/// `Ok(false)`: it does not know the name.
pub(crate) fn check_property(name: &str, value: &str) -> Result<bool> {
    let (c_name, c_value) = (c_string(name, "the name of a setting")?, c_string(value, &format!("the value of `{name}`"))?);
    let mut text = ErrorText::new();
    // SAFETY: the configuration is ours, used here only and destroyed once; the strings live during the call.
    let result = unsafe {
        let conf = rd::rd_kafka_conf_new();
        let result = rd::rd_kafka_conf_set(conf, c_name.as_ptr(), c_value.as_ptr(), text.as_mut_ptr(), text.len());
        rd::rd_kafka_conf_destroy(conf);
        result
    };
    match result {
        rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(true),
        rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => Ok(false),
        rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => Err(not_accepted(name, &text.to_string())),
    }
}

/// The error for a value that librdkafka refuses with `text`, which may quote the value: of a secret it is shown only when it speaks of the
/// build instead.
pub(super) fn not_accepted(name: &str, text: &str) -> Error {
    if is_secret(name) && !text.contains("not supported in this build") {
        return Error::invalid(format!("the value of `{name}` is not accepted (it is secret and not shown)"));
    }
    Error::invalid(format!("`{name}`: {}", with_missing_feature(text)))
}

/// Adds what to do when librdkafka was built without what a setting needs.
pub(super) fn with_missing_feature(text: &str) -> String {
    let lacks = text.contains("not available at build time") || text.contains("No provider for SASL mechanism");
    let remedy = match text {
        _ if !lacks => return text.to_owned(),
        _ if text.contains("libcurl") => "implement `ClientContext::oauth_token` instead",
        _ if text.contains("mechanism GSSAPI") => {
            "set `sasl.mechanism`, or, for Kerberos, add the cargo feature `gssapi` to the dependency on this library"
        }
        _ if text.contains("zstd") => "add the cargo feature `zstd` to the dependency on this library",
        _ => "add the cargo feature `ssl` to the dependency on this library",
    };
    format!("{text}; {remedy}")
}

/// All properties that librdkafka lists, with their scope. Empty where its list cannot be read into memory (not on Unix).
#[cfg(unix)]
pub(crate) fn known_properties() -> Vec<(String, PropertyScope)> {
    let mut buffer: *mut c_char = std::ptr::null_mut();
    let mut size: libc::size_t = 0;
    // SAFETY: `open_memstream` fills `buffer` and `size` until the stream is closed; the buffer is then ours, NUL-terminated, and freed once.
    let table = unsafe {
        let stream = libc::open_memstream(&raw mut buffer, &raw mut size);
        if stream.is_null() {
            return Vec::new();
        }
        rd::rd_kafka_conf_properties_show(stream.cast());
        libc::fclose(stream);
        let table = string(buffer);
        libc::free(buffer.cast::<c_void>());
        table
    };
    table.lines().filter_map(row).collect()
}

#[cfg(not(unix))]
pub(crate) fn known_properties() -> Vec<(String, PropertyScope)> {
    Vec::new()
}

/// A row of the table `name | C/P | range | default | …`.
fn row(line: &str) -> Option<(String, PropertyScope)> {
    let mut cells = line.split('|').map(str::trim);
    let (name, scope) = (cells.next()?, cells.next()?);
    let scope = match scope {
        "*" => PropertyScope::Both,
        "C" => PropertyScope::Consumer,
        "P" => PropertyScope::Producer,
        _ => return None,
    };
    Some((name.to_owned(), scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_tells_its_properties_and_their_scopes() {
        let known = known_properties();
        let scope = |name: &str| known.iter().find(|(known, _)| known == name).map(|(_, scope)| *scope);
        assert_eq!(scope("bootstrap.servers"), Some(PropertyScope::Both));
        assert_eq!(scope("fetch.queue.backoff.ms"), Some(PropertyScope::Consumer));
        assert_eq!(scope("linger.ms"), Some(PropertyScope::Producer));
        assert!(known.len() > 100, "{}", known.len());
    }

    #[test]
    fn a_wrong_value_is_told_from_an_unknown_name() {
        assert!(check_property("linger.ms", "5").unwrap());
        assert!(!check_property("lingering.ms", "5").unwrap());
        assert!(check_property("linger.ms", "soon").is_err());
    }
}
