//! [`KStream::map_async`] and [`KStream::map_values_async`].

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{AsyncContext, AsyncOptions, AsyncProcessor, async_trait};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + Hash + Eq + Send + 'static, V: Clone + Send + 'static> KStream<K, V> {
    /// Another value for each record, by a future: for calls to services and databases. Many futures run at a time, on tokio. The key stays:
    /// nothing below repartitions because of it.
    ///
    /// Timestamp, headers and source position of a result are those of its record. Results keep the order of records with equal keys,
    /// unless [`AsyncOptions::with_order`] says otherwise. A commit waits for all futures, so exactly-once holds; a future runs again when
    /// the transaction of its record is aborted, so what it does outside of Kafka should be idempotent. When a future fails, panics or
    /// misses its deadline, the processing handler decides about its record.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::processor::AsyncOptions;
    ///
    /// async fn price_of(article: String) -> Result<i64, BoxError> {
    ///     Ok(article.len() as i64) // A service would be asked here.
    /// }
    ///
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let articles = builder.stream::<String, String>("articles");
    /// articles.map_values_async(AsyncOptions::new(100), |_, article| price_of(article)).to("prices");
    ///
    /// let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// driver.create_input_topic::<String, String>("articles").pipe_input("a".to_owned(), "lamp".to_owned())?;
    /// assert_eq!(driver.create_output_topic::<String, i64>("prices").read_value()?, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_async<V2, F, R>(&self, options: AsyncOptions, mapper: F) -> KStream<K, V2>
    where
        V2: Clone + Send + 'static,
        F: Fn(K, V) -> R + Send + Sync + 'static,
        R: Future<Output = Result<V2, BoxError>> + Send + 'static,
    {
        self.map_values_async_named(options, mapper, Named::default())
    }

    /// As [`map_values_async`](Self::map_values_async), with a name.
    ///
    /// ```
    /// use stream_core::processor::AsyncOptions;
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let articles = builder.stream::<String, String>("in");
    /// let ask = |_: String, article: String| async move {
    ///     let length = article.len() as i64; // A service would be asked here.
    ///     if length > 0 { Ok(length) } else { Err("no article".into()) }
    /// };
    /// articles.map_values_async_named(AsyncOptions::new(100), ask, Named::new("price")).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input("a".into(), "lamp".into())?;
    /// // A future that fails is a record that cannot be processed: its handler decides, and by default the task fails.
    /// assert!(input.pipe_input("b".into(), String::new()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_async_named<V2, F, R>(&self, options: AsyncOptions, mapper: F, named: Named) -> KStream<K, V2>
    where
        V2: Clone + Send + 'static,
        F: Fn(K, V) -> R + Send + Sync + 'static,
        R: Future<Output = Result<V2, BoxError>> + Send + 'static,
    {
        let name = self.plan.name_or(named.get(), "KSTREAM-MAPVALUESASYNC-");
        let mapper = Arc::new(move |key: K, value: V| {
            let mapped = mapper(key.clone(), value);
            async move { Ok((key, mapped.await?)) }
        });
        let mapped = self.through_async(name, options, move || MapAsync { mapper: Arc::clone(&mapper), types: PhantomData });
        KStream { keys: self.keys.clone(), ..mapped.with_changed_values() }
    }

    /// Another key and value for each record, by a future, as [`map_values_async`](Self::map_values_async) does. The key changes: a grouping
    /// or join below repartitions.
    ///
    /// ```
    /// use stream_core::processor::{AsyncOptions, AsyncOrder};
    ///
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("clicks");
    /// let options = AsyncOptions::new(50).with_order(AsyncOrder::Unordered);
    /// clicks.map_async(options, |ip, page| async move { Ok((format!("country of {ip}"), page)) }).to("by-country");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-MAPASYNC-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn map_async<K2, V2, F, R>(&self, options: AsyncOptions, mapper: F) -> KStream<K2, V2>
    where
        K2: Clone + Send + 'static,
        V2: Clone + Send + 'static,
        F: Fn(K, V) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(K2, V2), BoxError>> + Send + 'static,
    {
        self.map_async_named(options, mapper, Named::default())
    }

    /// As [`map_async`](Self::map_async), with a name.
    ///
    /// ```
    /// use stream_core::processor::AsyncOptions;
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in");
    /// let country = |ip: String, page: String| async move { Ok((ip[..2].to_owned(), page)) };
    /// let by_country = clicks.map_async_named(AsyncOptions::new(50), country, Named::new("country"));
    /// by_country.group_by_key().count();
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: country (stores: [])") && text.contains("-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn map_async_named<K2, V2, F, R>(&self, options: AsyncOptions, mapper: F, named: Named) -> KStream<K2, V2>
    where
        K2: Clone + Send + 'static,
        V2: Clone + Send + 'static,
        F: Fn(K, V) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(K2, V2), BoxError>> + Send + 'static,
    {
        let name = self.plan.name_or(named.get(), "KSTREAM-MAPASYNC-");
        let mapper = Arc::new(mapper);
        let mapped = self.through_async(name, options, move || MapAsync { mapper: Arc::clone(&mapper), types: PhantomData });
        mapped.with_changed_keys()
    }
}

struct MapAsync<F, K, V, K2, V2> {
    mapper: Arc<F>,
    types: PhantomData<fn(K, V) -> (K2, V2)>,
}

#[async_trait]
impl<F, R, K, V, K2, V2> AsyncProcessor for MapAsync<F, K, V, K2, V2>
where
    F: Fn(K, V) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(K2, V2), BoxError>> + Send + 'static,
    K: Clone + Hash + Eq + Send + 'static,
    V: Clone + Send + 'static,
    K2: Clone + Send + 'static,
    V2: Clone + Send + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K2;
    type ValueOut = V2;

    async fn process(&self, record: Record<K, V>, _cx: AsyncContext) -> Result<Vec<Record<K2, V2>>, BoxError> {
        let Record { key, value, timestamp, headers } = record;
        let (key, value) = (self.mapper)(key, value).await?;
        Ok(vec![Record { key, value, timestamp, headers }])
    }
}
