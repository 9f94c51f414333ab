//! A storage in memory, for tests. It remembers what every change did, so that a test can begin from where a broker that was
//! killed at any moment, in the middle of any write, would have left it. It can also be full.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::storage::{Space, Storage};

/// See the module. Clones share their files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simulated {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// What a loss of power leaves: the files as they were when they were last made durable.
    durable: BTreeMap<PathBuf, Vec<u8>>,
    /// What was there before the first change.
    base: BTreeMap<PathBuf, Vec<u8>>,
    full: bool,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(PathBuf, u64, Vec<u8>),
    Truncate(PathBuf, u64),
    Replace(PathBuf, Vec<u8>),
    Rename(PathBuf, PathBuf),
    Delete(PathBuf),
}

impl State {
    fn apply(&mut self, change: Change) {
        match change.clone() {
            Change::Write(file, position, bytes) => {
                let content = self.files.entry(file).or_default();
                let end = position as usize + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[position as usize..end].copy_from_slice(&bytes);
            }
            Change::Truncate(file, size) => self.files.get_mut(&file).unwrap().resize(size as usize, 0),
            Change::Replace(file, bytes) => {
                self.durable.insert(file.clone(), bytes.clone());
                self.files.insert(file, bytes);
            }
            Change::Rename(from, to) => {
                let moved: Vec<PathBuf> = self.files.keys().filter(|file| file.starts_with(&from)).cloned().collect();
                for file in moved {
                    let rest = file.strip_prefix(&from).unwrap();
                    let target = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                    let content = self.files.remove(&file).unwrap();
                    self.files.insert(target, content);
                }
            }
            Change::Delete(path) => self.files.retain(|file, _| !file.starts_with(&path)),
        }
        self.changes.push(change);
    }
}

impl Simulated {
    fn with(files: BTreeMap<PathBuf, Vec<u8>>) -> Simulated {
        Simulated { state: Arc::new(Mutex::new(State { base: files.clone(), files, ..State::default() })) }
    }

    /// The files as they are now, in a storage of their own: what a process that is killed here leaves.
    pub(crate) fn copy(&self) -> Simulated {
        let files = self.state.lock().unwrap().files.clone();
        Simulated::with(files)
    }

    /// What is left of the files when the power is lost now.
    pub(crate) fn after_power_loss(&self) -> Simulated {
        let files = self.state.lock().unwrap().durable.clone();
        Simulated::with(files)
    }

    /// How many changes were made so far.
    pub(crate) fn changes(&self) -> usize {
        self.state.lock().unwrap().changes.len()
    }

    /// What the first changes made, and of the one after them the first `torn` bytes if it is a write. `None` if that write has no
    /// more bytes than these.
    pub(crate) fn after(&self, changes: usize, torn: usize) -> Option<Simulated> {
        let (base, all) = {
            let state = self.state.lock().unwrap();
            (state.base.clone(), state.changes.clone())
        };
        let mut state = State { files: base.clone(), base, ..State::default() };
        all[..changes].iter().for_each(|change| state.apply(change.clone()));
        if torn > 0 {
            match all.get(changes) {
                Some(Change::Write(file, position, bytes)) if bytes.len() > torn => {
                    state.apply(Change::Write(file.clone(), *position, bytes[..torn].to_vec()));
                }
                _ => return None,
            }
        }
        Some(Simulated { state: Arc::new(Mutex::new(state)) })
    }

    /// From now on there is no room for another byte.
    pub(crate) fn set_full(&self, full: bool) {
        self.state.lock().unwrap().full = full;
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.state.lock().unwrap().files.keys().cloned().collect()
    }

    pub(crate) fn edit(&self, file: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        edit(self.state.lock().unwrap().files.get_mut(Path::new(file)).unwrap_or_else(|| panic!("{file} exists")));
    }

    fn room(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let state = self.state.lock().unwrap();
        if state.full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(state) }
    }
}

impl Storage for Simulated {
    fn root(&self) -> &Path {
        Path::new("/simulated")
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock().unwrap();
        let mut names: Vec<String> = state
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(folder).ok()?.components().next())
            .map(|name| name.as_os_str().to_str().unwrap().to_owned())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn size(&self, file: &Path) -> io::Result<Option<u64>> {
        Ok(self.state.lock().unwrap().files.get(file).map(|content| content.len() as u64))
    }

    fn read(&self, file: &Path, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock().unwrap();
        let content = state.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        let bytes = content.get(position as usize..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, file: &Path, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.room()?.apply(Change::Write(file.to_path_buf(), position, bytes.to_vec()));
        Ok(())
    }

    fn truncate(&self, file: &Path, size: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        state.apply(Change::Truncate(file.to_path_buf(), size));
        Ok(())
    }

    fn replace(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        self.room()?.apply(Change::Replace(file.to_path_buf(), bytes.to_vec()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state.lock().unwrap().apply(Change::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn delete(&self, file: &Path) -> io::Result<()> {
        self.state.lock().unwrap().apply(Change::Delete(file.to_path_buf()));
        Ok(())
    }

    fn delete_folder(&self, folder: &Path) -> io::Result<()> {
        self.delete(folder)
    }

    fn sync(&self, file: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let content = state.files.get(file).cloned().ok_or(io::ErrorKind::NotFound)?;
        state.durable.insert(file.to_path_buf(), content);
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space { total: 1 << 40, usable: 1 << 40 })
    }
}
