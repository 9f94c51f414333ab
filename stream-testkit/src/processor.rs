//! [`ProcessorTestDriver`].

use std::time::Duration;

use stream_core::processor::{FixedKeyProcessor, FixedKeyStep, Forwarded, PunctuationId, PunctuationType, StandaloneProcessor};
use stream_core::record::{Record, RecordMetadata};
use stream_core::store::{StoreFactory, StoreName};
use stream_core::task::DroppedRecord;
use stream_core::{Error, Processor, Result};

use crate::scratch::ScratchDirectory;

/// Runs one processor without a topology. Has the role of Kafka Streams' `MockProcessorContext`: it keeps what is forwarded, knows what was
/// scheduled and whether a commit was asked for, and lets the test choose topic, offset and time.
///
/// ```
/// use std::time::Duration;
/// use stream_core::processor::{PunctuationId, PunctuationType};
/// use stream_core::serdes::Serdes;
/// use stream_core::store::StoreName;
/// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
/// use stream_state::{KeyValueStore, Stores};
/// use stream_testkit::ProcessorTestDriver;
///
/// const COUNTS: StoreName<KeyValueStore<String, i64>> = StoreName::new("counts");
///
/// /// Counts, and forwards the counts every minute.
/// #[derive(Default)]
/// struct Count { counts: Option<KeyValueStore<String, i64>> }
///
/// impl Processor for Count {
///     type KeyIn = String;
///     type ValueIn = String;
///     type KeyOut = String;
///     type ValueOut = i64;
///
///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
///         self.counts = Some(cx.store(&COUNTS)?);
///         cx.schedule(Duration::from_secs(60), PunctuationType::WallClockTime);
///         Ok(())
///     }
///
///     fn process(&mut self, record: Record<String, String>, _cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
///         let Some(counts) = &self.counts else { return Ok(()) };
///         counts.put(&record.key, &(counts.get(&record.key)?.unwrap_or(0) + 1))?;
///         Ok(())
///     }
///
///     fn punctuate(&mut self, _id: PunctuationId, at: i64, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
///         let Some(counts) = &self.counts else { return Ok(()) };
///         let rows = counts.all()?.collect::<Result<Vec<_>, _>>()?;
///         for (word, count) in rows {
///             cx.forward(Record::new(word, count, at))?;
///         }
///         Ok(())
///     }
/// }
///
/// let counts = Stores::key_value_store_builder(Stores::in_memory_key_value_store("counts"), Serdes::string(), Serdes::long());
/// let mut driver = ProcessorTestDriver::with_stores(Count::default(), &[&counts])?;
/// driver.process(Record::new("a".to_owned(), "x".to_owned(), 1))?;
/// driver.process(Record::new("a".to_owned(), "y".to_owned(), 2))?;
/// assert!(driver.forwarded().is_empty());
/// driver.advance_wall_clock_time(Duration::from_secs(60))?;
/// assert_eq!(driver.forwarded()[0].record, Record::new("a".to_owned(), 2, 60_000));
/// assert_eq!(driver.state_store(&COUNTS)?.get(&"a".to_owned())?, Some(2));
/// # Ok::<(), stream_core::Error>(())
/// ```
pub struct ProcessorTestDriver<P: Processor> {
    processor: StandaloneProcessor<P>,
    forwarded: Vec<Forwarded<P::KeyOut, P::ValueOut>>,
    metadata: Option<RecordMetadata>,
    _scratch: ScratchDirectory,
}

impl<P: Processor> ProcessorTestDriver<P> {
    /// Initialises a processor that needs no store.
    ///
    /// # Errors
    /// The processor's, from `init`.
    pub fn new(processor: P) -> Result<Self> {
        Self::with(processor, &[], &[])
    }

    /// Opens the stores, connects them to the processor and initialises it.
    ///
    /// # Errors
    /// The processor's, from `init`, or when a store cannot be opened.
    pub fn with_stores(processor: P, stores: &[&dyn StoreFactory]) -> Result<Self> {
        Self::with(processor, stores, &[])
    }

    /// As [`with_stores`](Self::with_stores), with children by name: what is forwarded to all reaches each of them in this order, and the
    /// processor can forward to one.
    ///
    /// # Errors
    /// As [`with_stores`](Self::with_stores).
    pub fn with(processor: P, stores: &[&dyn StoreFactory], children: &[&str]) -> Result<Self> {
        let scratch = ScratchDirectory::new();
        let mut processor = StandaloneProcessor::new(processor, children, 0);
        for store in stores {
            processor.add_store(*store, scratch.path())?;
        }
        processor.init()?;
        Ok(Self { processor, forwarded: Vec::new(), metadata: None, _scratch: scratch })
    }

    /// Where the next records come from; without it they come from nowhere, as in a punctuation.
    pub fn set_record_metadata(&mut self, metadata: Option<RecordMetadata>) {
        self.metadata = metadata;
    }

    /// Processes one record, then the stream-time punctuations that are due.
    ///
    /// # Errors
    /// The processor's.
    pub fn process(&mut self, record: Record<P::KeyIn, P::ValueIn>) -> Result<()> {
        let processed = self.processor.process(record, self.metadata.as_ref());
        self.keep(processed)
    }

    /// Moves the wall clock, which begins at 0, and runs the punctuations that are due.
    ///
    /// # Errors
    /// The processor's.
    pub fn advance_wall_clock_time(&mut self, by: Duration) -> Result<()> {
        let ms = i64::try_from(by.as_millis()).map_err(|_| Error::invalid("the wall clock cannot be moved so far"))?;
        let advanced = self.processor.advance_wall_clock(ms);
        self.keep(advanced)
    }

    /// Commits: the processor forwards what it holds back, its stores take over what was written.
    ///
    /// # Errors
    /// The processor's, or the stores'.
    pub fn commit(&mut self) -> Result<()> {
        let committed = self.processor.commit();
        self.keep(committed)
    }

    /// Whether the processor asked for a commit since the last one.
    pub fn commit_requested(&self) -> bool {
        self.processor.commit_requested()
    }

    /// What was forwarded since it was last reset, in order.
    pub fn forwarded(&self) -> &[Forwarded<P::KeyOut, P::ValueOut>] {
        &self.forwarded
    }

    /// What one child received.
    pub fn forwarded_to<'a>(&'a self, child: &'a str) -> impl Iterator<Item = &'a Record<P::KeyOut, P::ValueOut>> {
        let to = move |forwarded: &&Forwarded<P::KeyOut, P::ValueOut>| forwarded.child.as_deref() == Some(child);
        self.forwarded.iter().filter(to).map(|forwarded| &forwarded.record)
    }

    /// Forgets what was forwarded.
    pub fn reset_forwarded(&mut self) {
        self.forwarded.clear();
    }

    /// The schedules that the processor asked for and did not cancel: id, kind, interval and when each is due next, both ms.
    pub fn schedules(&self) -> Vec<(PunctuationId, PunctuationType, i64, i64)> {
        self.processor.schedules()
    }

    /// The records that the processor left out, with the reason.
    pub fn dropped_records(&self) -> Vec<DroppedRecord> {
        self.processor.dropped_records()
    }

    /// The typed handle of a store.
    ///
    /// # Errors
    /// When there is no such store, or its handle is of another type.
    pub fn state_store<H: 'static>(&self, name: &StoreName<H>) -> Result<H> {
        self.processor.store(name.as_str())
    }

    /// Calls the processor's `close`.
    pub fn close(mut self) {
        self.processor.close();
    }

    fn keep(&mut self, result: Result<()>) -> Result<()> {
        self.forwarded.extend(self.processor.take_forwarded());
        result
    }
}

impl<P: FixedKeyProcessor> ProcessorTestDriver<FixedKeyStep<P>> {
    /// Initialises a processor that cannot change keys, with its stores.
    ///
    /// # Errors
    /// As [`with_stores`](Self::with_stores).
    pub fn fixed_key(processor: P, stores: &[&dyn StoreFactory]) -> Result<Self> {
        Self::with_stores(FixedKeyStep(processor), stores)
    }
}

impl<P: Processor> std::fmt::Debug for ProcessorTestDriver<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessorTestDriver").field("forwarded", &self.forwarded.len()).finish_non_exhaustive()
    }
}
