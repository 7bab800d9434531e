//! The folder of a check: named and empty, or temporary.

use std::io;
use std::path::{Path, PathBuf};

/// Where a check keeps its files; a temporary folder goes when this is dropped.
#[derive(Debug)]
pub(crate) enum Folder {
    Named(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    /// The folder named, which must be absent or empty; else a temporary one.
    ///
    /// # Errors
    /// What is wrong with the folder, and what to do.
    pub(crate) fn prepare(named: Option<PathBuf>) -> Result<Self, String> {
        let Some(path) = named else {
            return tempfile::Builder::new()
                .prefix("ipdect-check-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|error| {
                    format!("no temporary folder: {error}; name an empty one with --data")
                });
        };
        match std::fs::read_dir(&path).map(|mut entries| entries.next().is_some()) {
            Ok(false) => Ok(Self::Named(path)),
            Ok(true) => Err(format!(
                "--data {}: not empty; a check needs an absent or empty folder",
                path.display()
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Named(path)),
            Err(error) => Err(format!(
                "--data {}: {error}; name an absent or empty folder",
                path.display()
            )),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Named(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let prepare = |path: &Path| Folder::prepare(Some(path.to_owned()));
        assert!(prepare(folder.path()).is_ok());
        assert!(prepare(&folder.path().join("absent")).is_ok());
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(prepare(folder.path()).unwrap_err().contains("not empty"));
        assert!(prepare(&folder.path().join("file")).is_err());
    }

    #[test]
    fn a_temporary_folder_goes_with_the_check() {
        let folder = Folder::prepare(None).unwrap();
        let path = folder.path().to_owned();
        assert!(path.exists());
        drop(folder);
        assert!(!path.exists());
    }
}
