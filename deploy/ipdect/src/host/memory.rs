//! `handsets/<ipei>.json`: what a virtual handset remembers while it is switched off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use ipdect_dect::identity::Ipei;
use ipdect_node::StartError;
use ipdect_node::run_file::{create_dir, write_whole};
use ipdect_portable::Memory;
use serde::{Deserialize, Serialize};

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Number of its user, if known.
    #[serde(default)]
    pub(crate) number: String,
    /// Code for a subscription; empty: none.
    #[serde(default)]
    pub(crate) access_code: String,
    /// What the subscription left behind.
    #[serde(default)]
    pub(crate) subscription: Option<Memory>,
}

/// The folder of all files.
#[derive(Clone, Debug)]
pub(crate) struct Shelf(PathBuf);

impl Shelf {
    /// The files in a folder, which is made if need be.
    ///
    /// # Errors
    /// [`StartError::File`].
    pub(crate) fn open(folder: &Path) -> Result<Self, StartError> {
        create_dir(folder)?;
        Ok(Self(folder.to_owned()))
    }

    fn path(&self, ipei: Ipei) -> PathBuf {
        self.0.join(format!("{}.json", ipei.digits()))
    }

    /// What is remembered; nothing if there is no file.
    ///
    /// # Errors
    /// [`StartError`] if the file cannot be read or understood.
    pub(crate) fn read(&self, ipei: Ipei) -> Result<Kept, StartError> {
        let path = self.path(ipei);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(error) => {
                return Err(StartError::file(
                    path,
                    error,
                    "make it readable for this user",
                ));
            }
        };
        serde_json::from_slice(&text).map_err(|error| StartError::Content {
            path,
            what: error.to_string(),
            remedy: "remove the file: the handset then subscribes anew".into(),
        })
    }

    /// Writes a file whole or not at all, readable for this user only.
    ///
    /// # Errors
    /// [`StartError::File`]; the old file is then still there.
    pub(crate) fn write(&self, ipei: Ipei, kept: &Kept) -> Result<(), StartError> {
        let path = self.path(ipei);
        let remedy = "make room, or make the folder writable for this user";
        let text = serde_json::to_vec_pretty(kept)
            .map_err(|error| StartError::file(&path, io::Error::other(error), remedy))?;
        write_whole(&path, &text, 0o600).map_err(|error| StartError::file(&path, error, remedy))
    }
}

/// Writes memories one after the other on a thread of its own: the disk may take its time, the air does not wait.
///
/// What was given is written before this is gone.
#[derive(Debug)]
pub(crate) struct Saver {
    queue: Option<Sender<(Ipei, Kept)>>,
    writer: Option<JoinHandle<()>>,
}

impl Saver {
    /// Begins to write to a shelf.
    pub(crate) fn start(shelf: Shelf) -> Self {
        let (queue, orders) = channel::<(Ipei, Kept)>();
        let writer = std::thread::spawn(move || {
            for (ipei, kept) in orders {
                if let Err(error) = shelf.write(ipei, &kept) {
                    tracing::error!(%error, "a portable's memory is not saved");
                }
            }
        });
        Self {
            queue: Some(queue),
            writer: Some(writer),
        }
    }

    /// Has a memory written.
    pub(crate) fn save(&self, ipei: Ipei, kept: Kept) {
        if let Some(queue) = &self.queue {
            // The writer lives as long as this.
            let _ = queue.send((ipei, kept));
        }
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_dect::identity::Ari;
    use ipdect_dect::security::Key;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_memory_is_found_again_and_is_nobody_elses_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&folder.path().join("handsets")).unwrap();
        let ipei = "65535 0000001 3".parse().unwrap();
        assert_eq!(shelf.read(ipei).unwrap(), Kept::default());
        let kept = Kept {
            number: "1001".into(),
            access_code: "12345678".into(),
            subscription: Some(Memory {
                ipei,
                uak: Key::new([7; 16]),
                park: Ari::class_b(0x1002, 0x345).unwrap().park(),
                tpui: None,
            }),
        };
        let saver = Saver::start(shelf.clone());
        saver.save(ipei, Kept::default());
        saver.save(ipei, kept.clone());
        drop(saver);
        assert_eq!(shelf.read(ipei).unwrap(), kept);
        let mode = std::fs::metadata(shelf.path(ipei))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_spoilt_file_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        let ipei = "65535 0000001 3".parse().unwrap();
        std::fs::write(shelf.path(ipei), "{\"subscription\":{\"uak\":\"00\"}}").unwrap();
        let said = shelf.read(ipei).unwrap_err().to_string();
        assert!(
            said.contains(".json") && said.contains("remove the file"),
            "{said}"
        );
    }
}
