//! [`KStream::print`].

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Printed;
use crate::options::printed::{Line, Target};

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Writes each record as a line, `[label]: key, value`, to the standard output or a file; nothing goes on. For looking at streams
    /// while a program is written: every line is flushed.
    ///
    /// Null is shown as `None`. Nothing is stored.
    ///
    /// ```
    /// use stream_dsl::{Printed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").print(Printed::to_std_out().with_label("amounts"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KSTREAM-PRINTER-0000000001 (stores: [])\n      --> none"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn print(&self, printed: Printed<K, V>)
    where
        K: Debug,
        V: Debug,
    {
        let name = self.plan.name_or(printed.name.as_deref(), "KSTREAM-PRINTER-");
        let label = printed.label.unwrap_or_else(|| self.name.clone());
        let line = printed.line.unwrap_or_else(|| Arc::new(|key: &K, value: &V| format!("{key:?}, {value:?}")));
        // All tasks of the process write to one file.
        let open = Arc::new(Mutex::new(None));
        let target = Arc::new(printed.target);
        self.end(name, move || Print {
            label: label.clone(),
            line: Arc::clone(&line),
            target: Arc::clone(&target),
            open: Arc::clone(&open),
        });
    }
}

type OpenFile = Arc<Mutex<Option<std::fs::File>>>;

struct Print<K, V> {
    label: String,
    line: Line<K, V>,
    target: Arc<Target>,
    open: OpenFile,
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for Print<K, V> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V;

    fn init(&mut self, _cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        if let Target::File(path) = &*self.target {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.is_none() {
                let file = std::fs::File::create(path)
                    .map_err(|error| format!("cannot write {}: {error}; print to another file", path.display()))?;
                *open = Some(file);
            }
        }
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, _cx: &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError> {
        let line = format!("[{}]: {}\n", self.label, (self.line)(&record.key, &record.value));
        match &*self.target {
            Target::StdOut => std::io::stdout().write_all(line.as_bytes())?,
            Target::File(path) => {
                let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(file) = open.as_mut() {
                    file.write_all(line.as_bytes()).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                }
            }
        }
        Ok(())
    }
}
