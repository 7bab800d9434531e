//! A disk in memory that can lose its power, tear what was not synced, and run full.

use ipdect_cluster::embedded::Opener;
use ipdect_cluster::{Embedded, StoreError};
use rand_core::RngCore;
use redb::{Database, StorageBackend};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

const SECTOR: usize = 512;

/// A disk with one file; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is there after the power came back, at least.
    synced: Vec<u8>,
    /// What readers see.
    seen: Vec<u8>,
    unsynced: Vec<Unsynced>,
    /// Writes, syncs and changes of length so far.
    steps: u64,
    /// The power fails at this step.
    fails_at: Option<u64>,
    /// Octets that fit.
    room: Option<u64>,
}

#[derive(Debug)]
enum Unsynced {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Disk {
    pub(crate) fn holding(image: Vec<u8>) -> Disk {
        Disk(Arc::new(Mutex::new(State {
            synced: image.clone(),
            seen: image,
            ..State::default()
        })))
    }

    pub(crate) fn fail_at(&self, step: u64) {
        self.0.lock().unwrap().fails_at = Some(step);
    }

    pub(crate) fn set_room(&self, octets: Option<u64>) {
        self.0.lock().unwrap().room = octets;
    }

    pub(crate) fn steps(&self) -> u64 {
        self.0.lock().unwrap().steps
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        self.0.lock().unwrap().seen.clone()
    }

    /// What is on the disk when the power is back: of what was not synced, each write is there, or not, or some of its
    /// sectors are, whatever came before or after it.
    pub(crate) fn after_power_loss(&self, rng: &mut dyn RngCore) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut image = state.synced.clone();
        for unsynced in &state.unsynced {
            match (unsynced, rng.next_u32() % 3) {
                (_, 0) => {}
                (Unsynced::Length(length), _) => image.resize(*length, 0),
                (Unsynced::Write(at, octets), 1) => put(&mut image, *at, octets),
                (Unsynced::Write(at, octets), _) => tear(&mut image, *at, octets, rng),
            }
        }
        image
    }

    pub(crate) fn open(&self) -> Result<Embedded, StoreError> {
        let disk = self.clone();
        let opener: Opener = Box::new(move || {
            Database::builder()
                .set_check_integrity_on_open(true)
                .create_with_backend(disk.clone())
        });
        Embedded::open_with(Path::new("disk"), opener, 100)
    }
}

/// Writes some sectors of a write only, and the last of them perhaps in part.
fn tear(image: &mut Vec<u8>, at: usize, octets: &[u8], rng: &mut dyn RngCore) {
    let mut done = 0;
    while done < octets.len() {
        let length = (SECTOR - (at + done) % SECTOR).min(octets.len() - done);
        match rng.next_u32() % 4 {
            0 => put(
                image,
                at + done,
                &octets[done..done + rng.next_u32() as usize % (length + 1)],
            ),
            1 | 2 => put(image, at + done, &octets[done..done + length]),
            _ => {}
        }
        done += length;
    }
}

fn put(image: &mut Vec<u8>, at: usize, octets: &[u8]) {
    let end = at + octets.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[at..end].copy_from_slice(octets);
}

impl State {
    fn step(&mut self) -> Result<(), io::Error> {
        if self.fails_at.is_some_and(|at| self.steps >= at) {
            return Err(io::Error::other("no power"));
        }
        self.steps += 1;
        Ok(())
    }

    fn make_room(&self, end: usize) -> Result<(), io::Error> {
        match self.room {
            Some(room) if end as u64 > room => Err(io::Error::from(io::ErrorKind::StorageFull)),
            _ => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.0.lock().unwrap();
        let at = offset as usize;
        let found = state
            .seen
            .get(at..at + out.len())
            .ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        state.make_room(length as usize)?;
        state.seen.resize(length as usize, 0);
        state.unsynced.push(Unsynced::Length(length as usize));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        for unsynced in std::mem::take(&mut state.unsynced) {
            match unsynced {
                Unsynced::Length(length) => state.synced.resize(length, 0),
                Unsynced::Write(at, octets) => put(&mut state.synced, at, &octets),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, octets: &[u8]) -> Result<(), io::Error> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        let at = offset as usize;
        state.make_room(at + octets.len())?;
        put(&mut state.seen, at, octets);
        state.unsynced.push(Unsynced::Write(at, octets.to_vec()));
        Ok(())
    }
}
