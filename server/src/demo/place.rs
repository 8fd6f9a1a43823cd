//! Where a demo keeps its store and its specs: folders that people gave, or a temporary one that goes away.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::catalog;

/// Folders of one run of the demo.
#[derive(Debug)]
pub(crate) struct Place {
    data: PathBuf,
    specs: PathBuf,
    /// Removed when the demo ends.
    temporary: PathBuf,
}

impl Place {
    /// Takes the folders given and makes those that were not; the specs of the demo are written out.
    pub(crate) fn open(data: Option<&Path>, specs: Option<&Path>) -> anyhow::Result<Self> {
        let name = format!("sloburn-demo-{:016x}", rand::random::<u64>());
        let temporary = std::env::temp_dir().join(name);
        let place = Self {
            data: data.map_or_else(|| temporary.join("data"), Path::to_owned),
            specs: specs.map_or_else(|| temporary.join("specs"), Path::to_owned),
            temporary,
        };
        std::fs::create_dir_all(&place.temporary)
            .with_context(|| format!("cannot make the folder {}", place.temporary.display()))?;
        if specs.is_none() {
            catalog::write(&place.specs)
                .with_context(|| format!("cannot write specs to {}", place.specs.display()))?;
        }
        Ok(place)
    }

    /// Folder of the store.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Keeps the inbox's secret in a file that only this user can read; returns its path.
    pub(crate) fn keep_secret(&self, secret: &str) -> anyhow::Result<PathBuf> {
        let path = self.temporary.join("inbox-secret");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(secret.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Folder of the specs.
    pub(crate) fn specs(&self) -> &Path {
        &self.specs
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.temporary) {
            tracing::warn!(error = %error, folder = %self.temporary.display(), "cannot remove the demo's folder");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_temporary_place_has_the_specs_and_goes_away() {
        let place = Place::open(None, None).unwrap();
        let (data, specs) = (place.data().to_owned(), place.specs().to_owned());
        assert!(specs.join("checkout.yaml").is_file());
        assert_eq!(data.parent(), specs.parent());
        drop(place);
        assert!(!specs.exists());
    }

    #[test]
    fn folders_that_were_given_stay() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::open(Some(folder.path()), Some(folder.path())).unwrap();
        assert_eq!(
            (place.data(), place.specs()),
            (folder.path(), folder.path())
        );
        drop(place);
        assert!(folder.path().is_dir());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
