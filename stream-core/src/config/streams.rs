//! [`StreamsConfig`]: settings by name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::client::ClientScope;
use super::name::nearest;
use super::refused;
use super::setting::{SETTINGS, Setting};
use crate::client::{PropertyScope, check_property, is_secret, known_properties};
use crate::error::{Error, Result};

/// The configuration of an application, by Kafka's names. Mirrors Kafka Streams' `StreamsConfig`.
///
/// Settings of the Kafka clients go by librdkafka's names, to all clients, or with a prefix to some: `consumer.`, `main.consumer.`,
/// `restore.consumer.`, `global.consumer.`, `producer.`, `admin.`. A setting with the prefix `topic.` is a config of the internal topics.
///
/// What is unknown or would break a guarantee is refused with the reason. `Debug` shows no secrets.
///
/// ```
/// use std::time::Duration;
/// use stream_core::config::{ProcessingGuarantee, StreamsConfig};
///
/// let config = StreamsConfig::new("word-count", "localhost:9092")
///     .with_processing_guarantee(ProcessingGuarantee::ExactlyOnceV2)
///     .set("num.stream.threads", 2)?
///     .set("producer.compression.type", "lz4")?;
/// config.validate()?;
/// assert_eq!(config.commit_interval(), Duration::from_millis(100));
///
/// let refused = StreamsConfig::new("word-count", "localhost:9092").set("commit.intervall.ms", 50).unwrap_err();
/// assert!(refused.to_string().contains("did you mean `commit.interval.ms`?"));
/// # Ok::<(), stream_core::Error>(())
/// ```
#[derive(Clone)]
pub struct StreamsConfig {
    /// Settings of the library, by the names in [`SETTINGS`]; each value was checked.
    pub(super) values: BTreeMap<&'static str, String>,
    /// `state.dir` or its default.
    pub(super) state_dir: PathBuf,
    /// Settings of the clients, checked.
    pub(super) clients: BTreeMap<ClientScope, BTreeMap<String, String>>,
    /// Settings of the program's own, for its processors.
    pub(super) app: BTreeMap<String, String>,
    /// Configs of internal topics.
    pub(super) topics: BTreeMap<String, String>,
    /// What librdkafka knows, asked once.
    pub(super) known: std::sync::Arc<BTreeMap<String, PropertyScope>>,
}

impl StreamsConfig {
    /// A configuration with the two settings that every application needs. They are checked by [`validate`](Self::validate).
    pub fn new(application_id: impl Into<String>, bootstrap_servers: impl Into<String>) -> Self {
        let mut config = Self::empty();
        config.values.insert("application.id", application_id.into());
        config.values.insert("bootstrap.servers", bootstrap_servers.into());
        config
    }

    /// A configuration from names and values, as in a properties file.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn from_properties<N: AsRef<str>, V: ToString>(properties: impl IntoIterator<Item = (N, V)>) -> Result<Self> {
        properties.into_iter().try_fold(Self::empty(), |config, (name, value)| config.set(name.as_ref(), value))
    }

    fn empty() -> Self {
        let known = known_properties().into_iter().collect();
        Self {
            values: BTreeMap::new(),
            state_dir: std::env::temp_dir().join("kafka-streams"),
            clients: BTreeMap::new(),
            app: BTreeMap::new(),
            topics: BTreeMap::new(),
            known: std::sync::Arc::new(known),
        }
    }

    /// Adds a setting of the program's own, which the library does not look at: processors read it with
    /// [`InitContext::app_configs`](crate::InitContext::app_configs). Its name may be anything that no setting of the library or its clients has.
    ///
    /// ```
    /// use stream_core::config::StreamsConfig;
    ///
    /// let config = StreamsConfig::new("shop", "localhost:9092").with_app_config("prices.url", "http://prices")?;
    /// assert_eq!(config.app_configs()["prices.url"], "http://prices");
    /// assert!(config.with_app_config("state.dir", "/tmp").is_err(), "use `set`");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a name that the library knows.
    pub fn with_app_config(mut self, name: impl Into<String>, value: impl ToString) -> Result<Self> {
        let name = name.into();
        let (_, property) = ClientScope::split(&name);
        if name.trim().is_empty() || Setting::find(&name).is_some() || self.known.contains_key(property) || name.starts_with("topic.") {
            return Err(Error::invalid(format!(
                "`{name}` cannot be a setting of the program's own: the library or its clients have one of that name; set that with `set`, or \
                 take another name"
            )));
        }
        self.app.insert(name, value.to_string());
        Ok(self)
    }

    /// What processors see: the settings that were set, those of clients and internal topics under their prefixes, and the program's own. Secrets
    /// are left out.
    pub fn app_configs(&self) -> BTreeMap<String, String> {
        let mut configs: BTreeMap<String, String> = self.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        configs.extend(self.topics.iter().map(|(name, value)| (format!("topic.{name}"), value.clone())));
        for (scope, properties) in &self.clients {
            let open = properties.iter().filter(|(property, _)| !is_secret(property));
            configs.extend(open.map(|(property, value)| (format!("{}{property}", scope.prefix()), value.clone())));
        }
        configs.extend(self.app.clone());
        configs
    }

    /// Sets one setting; a later value replaces an earlier one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for an unknown name, with the nearest known one; for a setting that is not to be set, with
    /// the reason and what to use instead; and for a value that the setting cannot have.
    pub fn set(mut self, name: &str, value: impl ToString) -> Result<Self> {
        let name = name.trim();
        let value = value.to_string();
        if let Some(setting) = Setting::find(name) {
            setting.check(&value).map_err(|reason| Error::invalid(format!("`{name}` is `{value}`: {reason}")))?;
            if setting.name == "state.dir" {
                self.state_dir = PathBuf::from(&value);
            }
            self.values.insert(setting.name, value);
            return Ok(self);
        }
        if let Some(config) = name.strip_prefix("topic.") {
            // Its own settings begin so, too: `topic.metadata.refresh.interval.ms` and others of librdkafka's.
            if !self.known.contains_key(name) {
                if let Some(reason) = refused::reason_of_topic_config(config) {
                    return Err(Error::invalid(format!("`{name}` cannot be set: {reason}")));
                }
                self.topics.insert(config.to_owned(), value);
                return Ok(self);
            }
        }
        let (scope, property) = ClientScope::split(name);
        // Whatever the value is, it may be a secret: these names are not ours to know.
        if let Some(reason) = refused::reason(property) {
            return Err(Error::invalid(format!("`{name}` cannot be set: {reason}")));
        }
        if let Some(reason) = refused::reason_of_value(property, &value) {
            return Err(Error::invalid(format!("`{name}` cannot be set to `{value}`: {reason}")));
        }
        scope
            .check(property, self.known.get(property).copied())
            .map_err(|reason| Error::invalid(format!("`{name}` cannot be set: {reason}")))?;
        if !check_property(property, &value)? {
            return Err(Error::invalid(format!("`{name}` is not a setting{}", self.suggestion(property))));
        }
        self.clients.entry(scope).or_default().insert(property.to_owned(), value);
        Ok(self)
    }

    fn suggestion(&self, name: &str) -> Cow<'static, str> {
        let settings = SETTINGS.iter().map(|setting| setting.name);
        match nearest(name, settings.chain(self.known.keys().map(String::as_str))) {
            Some(near) => format!("; did you mean `{near}`?").into(),
            None => " of Kafka Streams, nor a property that librdkafka knows".into(),
        }
    }
}

impl fmt::Debug for StreamsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        map.entries(&self.values);
        for (scope, properties) in &self.clients {
            for (name, value) in properties {
                let value = if is_secret(name) { "[hidden]" } else { value };
                map.entry(&format_args!("{}{name}", scope.prefix()), &value);
            }
        }
        for (name, value) in &self.topics {
            map.entry(&format_args!("topic.{name}"), value);
        }
        map.finish()
    }
}
