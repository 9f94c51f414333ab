//! A folder of the file system.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use super::{Space, Storage, explain, folder_of};

/// Files that are kept open. Thousands of partitions must not exhaust the process's descriptors.
const OPEN_FILES: usize = 256;

/// Kafka's name of the file that keeps a second broker out.
const LOCK: &str = ".lock";

/// See the module. One broker at a time.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    open: Mutex<OpenFiles>,
    /// The lock lasts as long as the file is open, and ends with the process however that ends.
    _lock: File,
}

#[derive(Debug, Default)]
struct OpenFiles {
    files: HashMap<PathBuf, (u64, Arc<File>)>,
    uses: u64,
}

impl Directory {
    /// Opens a folder, or makes it.
    ///
    /// # Errors
    /// It cannot be made or written to; `ResourceBusy` if another broker uses it.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root).map_err(explain("create the folder", root))?;
        let path = root.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(explain("open", &path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match io::Error::from(error) {
            busy if busy.kind() == io::ErrorKind::WouldBlock => io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("another broker uses {}: stop it, or give another folder", root.display()),
            ),
            other => explain("lock", &path)(other),
        })?;
        Ok(Directory { root: root.to_path_buf(), open: Mutex::default(), _lock: lock })
    }

    /// The open file; `None` if there is none of that name and it is not to be made.
    fn file(&self, path: &Path, create: bool) -> io::Result<Option<Arc<File>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.uses += 1;
        let now = open.uses;
        if let Some((used, file)) = open.files.get_mut(path) {
            *used = now;
            return Ok(Some(Arc::clone(file)));
        }
        let full = self.root.join(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false);
        let file = match options.open(&full) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                let folder = folder_of(&full);
                fs::create_dir_all(&folder).map_err(explain("create the folder", &folder))?;
                options.open(&full).map_err(explain("create", &full))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(explain("open", &full))?,
        };
        if open.files.len() >= OPEN_FILES {
            let oldest = open.files.iter().min_by_key(|(_, (used, _))| *used).map(|(path, _)| path.clone());
            oldest.and_then(|path| open.files.remove(&path));
        }
        let file = Arc::new(file);
        open.files.insert(path.to_path_buf(), (now, Arc::clone(&file)));
        Ok(Some(file))
    }

    fn existing(&self, path: &Path) -> io::Result<Arc<File>> {
        self.file(path, false)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", self.root.join(path).display())))
    }

    /// Files under the path are another's from now on.
    fn forget(&self, path: &Path) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.files.retain(|open, _| !open.starts_with(path));
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let full = self.root.join(folder);
        File::open(&full).and_then(|folder| folder.sync_all()).map_err(explain("sync the folder", &full))
    }
}

impl Storage for Directory {
    fn root(&self) -> &Path {
        &self.root
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let full = self.root.join(folder);
        let entries = match fs::read_dir(&full) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(explain("list", &full))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(explain("list", &full))?.file_name();
            // A name that is no text is none of the broker's.
            names.extend(name.into_string());
        }
        Ok(names)
    }

    fn size(&self, file: &Path) -> io::Result<Option<u64>> {
        let full = self.root.join(file);
        match fs::metadata(&full) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(explain("look at", &full)(error)),
        }
    }

    fn read(&self, file: &Path, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.existing(file)?.read_exact_at(buffer, position).map_err(explain("read", file))
    }

    fn write(&self, file: &Path, position: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(open) = self.file(file, true)? else {
            return Ok(());
        };
        open.write_all_at(bytes, position).map_err(explain("write", file))
    }

    fn truncate(&self, file: &Path, size: u64) -> io::Result<()> {
        self.existing(file)?.set_len(size).map_err(explain("truncate", file))
    }

    fn replace(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let full = self.root.join(file);
        let temporary = full.with_extension("tmp");
        let folder = folder_of(&full);
        fs::create_dir_all(&folder).map_err(explain("create the folder", &folder))?;
        let write = || {
            let mut new = File::create(&temporary)?;
            new.write_all(bytes)?;
            new.sync_all()?;
            fs::rename(&temporary, &full)
        };
        write().map_err(explain("replace", &full))?;
        self.forget(file);
        self.sync_folder(&folder_of(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.forget(from);
        self.forget(to);
        fs::rename(self.root.join(from), self.root.join(to)).map_err(explain("rename", from))
    }

    fn delete(&self, file: &Path) -> io::Result<()> {
        self.forget(file);
        match fs::remove_file(self.root.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(explain("delete", file)(error)),
            _ => Ok(()),
        }
    }

    fn delete_folder(&self, folder: &Path) -> io::Result<()> {
        self.forget(folder);
        match fs::remove_dir_all(self.root.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(explain("delete the folder", folder)(error)),
            _ => Ok(()),
        }
    }

    fn sync(&self, file: &Path) -> io::Result<()> {
        self.existing(file)?.sync_data().map_err(explain("sync", file))?;
        self.sync_folder(&folder_of(file))
    }

    fn space(&self) -> io::Result<Space> {
        let space = rustix::fs::statvfs(&self.root).map_err(|error| explain("ask for the space of", &self.root)(error.into()))?;
        Ok(Space { total: space.f_blocks * space.f_frsize, usable: space.f_bavail * space.f_frsize })
    }
}
