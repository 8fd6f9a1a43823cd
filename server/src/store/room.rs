//! Room kept on the disk of the data directory, so that a disk that is full does not silence the pager.
//!
//! A file of zeros lies beside the database. When a write that pages depend on finds the disk full, the file is
//! let go and the write made again; requests never get that room. When there is space again the file is made anew,
//! and requests are committed again.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::{Engine, Store, StoreError};

const FILE: &str = "ballast";
/// Alert states and pages are small: this lasts for days.
const MOST: u64 = 64 << 20;
/// A disk without room for more than this beside the file is still full.
const LEAST_FREE: u64 = 256 << 10;
const BLOCK: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that the file should have.
    wanted: u64,
    /// Bytes that it has.
    held: u64,
    /// A write found no space, and there was none since.
    full: bool,
}

impl Room {
    /// Keeps 64 MiB, or a quarter of what is free.
    pub(super) fn keep(directory: &Path) -> Room {
        let held = std::fs::metadata(directory.join(FILE)).map_or(0, |file| file.len());
        let free = free(directory).unwrap_or_default();
        let room = Room {
            directory: directory.to_owned(),
            state: Mutex::new(State {
                wanted: MOST.min((free + held) / 4),
                held,
                full: false,
            }),
        };
        let mut state = room.state();
        if let Err(error) = room.make(&mut state) {
            tracing::warn!(%error, "no room could be kept on the disk for pages");
        }
        drop(state);
        room
    }

    /// Keeps nothing: the store is only read.
    pub(super) fn none(directory: &Path) -> Room {
        Room {
            directory: directory.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Bytes held.
    pub(super) fn held(&self) -> u64 {
        self.state().held
    }

    /// A write found no space.
    pub(super) fn filled(&self) {
        let mut state = self.state();
        if !state.full {
            tracing::error!("the disk of the data directory is full; requests are refused");
        }
        state.full = true;
    }

    /// Lets the room go, for a write that pages depend on; false if there is none left.
    pub(super) fn release(&self) -> bool {
        let mut state = self.state();
        if state.held == 0 {
            return false;
        }
        // Cut short, not deleted: an entry in a full directory may be impossible to make again.
        match OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.file())
        {
            Ok(_) => {
                tracing::warn!(
                    disk.bytes = state.held,
                    "the room kept for pages is used now"
                );
                state.held = 0;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the room kept for pages cannot be used");
                false
            }
        }
    }

    /// Whether requests may be committed: if the disk was full, there must be space again, for the room too.
    pub(super) fn has_space(&self) -> bool {
        let mut state = self.state();
        if !state.full {
            return true;
        }
        let Ok(free) = free(&self.directory) else {
            return false;
        };
        if free + state.held < state.wanted + state.wanted / 4 + LEAST_FREE {
            return false;
        }
        if let Err(error) = self.make(&mut state) {
            tracing::warn!(%error, "the disk has too little space still");
            return false;
        }
        tracing::info!("the disk of the data directory has space again; requests are accepted");
        state.full = false;
        true
    }

    fn make(&self, state: &mut State) -> std::io::Result<()> {
        if state.held >= state.wanted {
            return Ok(());
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.file())?;
        let made = reserve(&file, state.wanted);
        if made.is_err() {
            // Part of it would keep others from the space and help nobody.
            file.set_len(0)?;
        }
        state.held = if made.is_ok() { state.wanted } else { 0 };
        made
    }

    fn file(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Bytes kept on the disk for pages; none with PostgreSQL.
    pub fn room_held(&self) -> Option<u64> {
        self.room().map(Room::held)
    }

    fn room(&self) -> Option<&Room> {
        match &*self.engine {
            Engine::Sqlite(engine) => Some(&engine.room),
            Engine::Postgres(_) => None,
        }
    }

    /// After the disk was full there must be space again.
    pub(super) fn space(&self) -> Result<(), StoreError> {
        match self.room() {
            Some(room) if !room.has_space() => Err(StoreError::Full),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn or_full<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(error), Some(room)) = (&outcome, self.room())
            && error.is_full()
        {
            room.filled();
        }
        outcome
    }

    /// True if the error is a full disk, and room was made on it.
    pub(super) fn makes_room(&self, error: &StoreError) -> bool {
        let Some(room) = self.room().filter(|_| error.is_full()) else {
            return false;
        };
        room.filled();
        room.release()
    }
}

/// Gives the file that many bytes which the disk really holds.
fn reserve(mut file: &File, bytes: u64) -> std::io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error.into()),
    }
    let zeros = vec![0; BLOCK];
    let mut left = bytes;
    while left > 0 {
        let part = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
        file.write_all(&zeros[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

/// Bytes that an ordinary user may still write.
fn free(directory: &Path) -> std::io::Result<u64> {
    let disk = statvfs(directory)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_kept_let_go_once_and_made_again() {
        let place = tempfile::tempdir().unwrap();
        let room = Room::keep(place.path());
        let held = room.held();
        assert!(held > 0 && held <= MOST);
        let size = || std::fs::metadata(place.path().join(FILE)).unwrap().len();
        assert_eq!(size(), held);
        assert!(room.has_space(), "nothing failed yet");

        room.filled();
        assert!(room.release());
        assert_eq!((room.held(), size()), (0, 0));
        assert!(!room.release(), "there is none left");

        assert!(room.has_space(), "this disk has space");
        assert_eq!((room.held(), size()), (held, held));
    }
}
