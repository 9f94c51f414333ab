//! Follows a file that grows, is cut, or is replaced by a new one under its name, as `tail -F` does.

use std::fs::{File, Metadata};
use std::io::{BufReader, ErrorKind, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::BoxError;
use super::lines::Lines;

/// How often a followed file is asked for more; a file gives no event of its own that is the same on every system.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long a file that was replaced is read after the last bytes that came: its writer learns of the new one later than we do, and may
/// be in the middle of a line.
const PATIENCE: Duration = Duration::from_secs(5);

/// One file that has, or had, the name that is followed.
struct Tail {
    lines: Lines<BufReader<File>>,
    position: u64,
    grown: Instant,
}

impl Tail {
    fn new(file: File) -> Self {
        Self { lines: Lines::new(BufReader::new(file)), position: 0, grown: Instant::now() }
    }

    fn metadata(&self) -> std::io::Result<Metadata> {
        self.lines.reader().get_ref().metadata()
    }

    /// Reads to the present end, and from the beginning when the file was cut.
    fn read(&mut self, stop: &AtomicBool, send: &mut impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<(), BoxError> {
        let now = self.metadata()?;
        if now.is_file() && now.len() < self.position {
            self.lines.end(send)?;
            self.lines.reader_mut().seek(SeekFrom::Start(0))?;
            self.position = 0;
        }
        let read = self.lines.read(stop, send)?;
        self.position += read;
        if read > 0 {
            self.grown = Instant::now();
        }
        Ok(())
    }
}

/// Sends every line of the file at `path`, and of those that replace it, until `stop`.
///
/// # Errors
/// When the file, or a new one of its name, cannot be read, and what `send` says.
pub fn follow(path: &Path, stop: &AtomicBool, send: &mut impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<(), BoxError> {
    let unreadable = |error| format!("cannot read {}: {error}", path.display());
    let mut tails = vec![Tail::new(File::open(path).map_err(unreadable)?)];
    while !stop.load(Ordering::Relaxed) {
        // Looked for before reading: what was written before the file was replaced is read before the first line of the new one.
        // A file that is open keeps its inode, so that no new one can have the same.
        if let Some(newest) = tails.last_mut() {
            match replacement(path, newest) {
                Ok(Some(file)) => {
                    newest.grown = Instant::now();
                    tails.push(Tail::new(file));
                }
                Ok(None) => {}
                // Between the old file's move and the new file's creation.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(error).into()),
            }
        }
        for tail in &mut tails {
            tail.read(stop, send)?;
        }
        let replaced = tails.len() - 1;
        for index in (0..replaced).rev() {
            if tails[index].grown.elapsed() >= PATIENCE {
                tails.remove(index).lines.end(send)?;
            }
        }
        std::thread::sleep(INTERVAL);
    }
    Ok(())
}

/// The file that has the name now, if it is another one.
fn replacement(path: &Path, newest: &Tail) -> std::io::Result<Option<File>> {
    let is_same = is_same_file(&std::fs::metadata(path)?, &newest.metadata()?);
    if is_same { Ok(None) } else { File::open(path).map(Some) }
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread::JoinHandle;

    use super::*;

    struct Followed {
        _folder: tempfile::TempDir,
        path: PathBuf,
        stop: Arc<AtomicBool>,
        lines: Receiver<String>,
        thread: Option<JoinHandle<()>>,
    }

    impl Followed {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("app.log");
            std::fs::write(&path, text).expect("it can be written");
            let (sender, lines) = channel();
            let stop = Arc::new(AtomicBool::new(false));
            let (followed, stopped) = (path.clone(), Arc::clone(&stop));
            let thread = std::thread::spawn(move || {
                let mut send = |line: &[u8]| Ok(sender.send(String::from_utf8_lossy(line).into_owned())?);
                follow(&followed, &stopped, &mut send).expect("it can be followed");
            });
            Self { _folder: folder, path, stop, lines, thread: Some(thread) }
        }

        fn append(&self, path: &Path, text: &str) {
            OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("it can be written");
        }

        fn rotate(&self, generation: u32) -> PathBuf {
            let old = self.path.with_extension(generation.to_string());
            std::fs::rename(&self.path, &old).expect("it can be moved");
            old
        }

        fn take(&self, count: usize) -> Vec<String> {
            let next = |_| self.lines.recv_timeout(Duration::from_secs(30)).expect("a line");
            (0..count).map(next).collect()
        }
    }

    impl Drop for Followed {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
            let ended = self.thread.take().map(JoinHandle::join);
            assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
        }
    }

    #[test]
    fn a_rotation_right_after_a_write_loses_nothing_also_when_the_new_file_is_shorter() {
        let followed = Followed::new("1\n");
        let mut expected = followed.take(1);
        for generation in 0..5 {
            let written: Vec<String> = (0..20).map(|line| format!("line {line} of {generation}")).collect();
            followed.append(&followed.path, &(written.join("\n") + "\n"));
            followed.rotate(generation);
            std::fs::write(&followed.path, "n\n").expect("it can be written");
            expected.extend(written);
            expected.push("n".to_owned());
            assert_eq!(followed.take(21), expected[expected.len() - 21..]);
        }
    }

    #[test]
    fn a_line_whose_second_half_comes_after_the_rotation_is_one_line() {
        let followed = Followed::new("1\nfirst ha");
        assert_eq!(followed.take(1), ["1"]);
        let old = followed.rotate(0);
        std::fs::write(&followed.path, "new\n").expect("it can be written");
        assert_eq!(followed.take(1), ["new"], "the new file is open");
        followed.append(&old, "lf\nlate\n");
        assert_eq!(followed.take(2), ["first half", "late"]);
        followed.append(&followed.path, "newer\n");
        assert_eq!(followed.take(1), ["newer"]);
    }

    #[test]
    fn a_line_of_a_replaced_file_that_gets_no_end_is_sent_as_it_is() {
        let followed = Followed::new("1\nhalf");
        assert_eq!(followed.take(1), ["1"]);
        followed.rotate(0);
        std::fs::write(&followed.path, "new\n").expect("it can be written");
        assert_eq!(followed.take(2), ["new", "half"]);
    }

    #[test]
    fn a_file_that_is_cut_is_read_from_its_beginning() {
        let followed = Followed::new("1\n2\n3\n");
        assert_eq!(followed.take(3), ["1", "2", "3"]);
        std::fs::write(&followed.path, "4\n").expect("it can be written");
        assert_eq!(followed.take(1), ["4"]);
    }
}
