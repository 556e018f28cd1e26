//! Files that are written whole or not at all: under a temporary name first, then renamed.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::ReportError;

/// A single file outside a run folder that is known to be writable.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    /// A pipe or a device is written as it is, a file replaced.
    replace: bool,
}

impl OutputFile {
    /// Claims a file before any computing; like a folder it must be new or empty unless `force`.
    ///
    /// # Errors
    /// The file holds something, or can't be written.
    pub fn claim(path: &Path, force: bool) -> Result<Self, ReportError> {
        let fail = |source| ReportError::Write {
            path: path.to_owned(),
            source,
        };
        // Through links, so that what they point at is replaced.
        let (path, replace) = match path.canonicalize() {
            Err(_) => (path.to_owned(), true),
            Ok(found) => {
                let metadata = found.metadata().map_err(fail)?;
                if metadata.is_dir() {
                    return Err(fail(io::ErrorKind::IsADirectory.into()));
                }
                if metadata.is_file() && metadata.len() > 0 && !force {
                    return Err(ReportError::FileExists(path.to_owned()));
                }
                (found, metadata.is_file())
            }
        };
        if replace {
            NamedTempFile::new_in(folder_of(&path)).map_err(fail)?;
        }
        Ok(Self { path, replace })
    }

    /// Writes it.
    ///
    /// # Errors
    /// It can't be written; what was there is left as it was.
    pub fn write(&self, text: &str) -> Result<(), ReportError> {
        if self.replace {
            return write_atomically(&self.path, |out| out.write_all(text.as_bytes()));
        }
        std::fs::write(&self.path, text).map_err(|source| ReportError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Writes `content` to `path`, which an earlier file of that name keeps until all is written.
pub(super) fn write_atomically(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&NamedTempFile>) -> io::Result<()>,
) -> Result<(), ReportError> {
    let write = || -> io::Result<()> {
        let file = tempfile::Builder::new()
            .permissions_like_created()
            .tempfile_in(folder_of(path))?;
        let mut out = BufWriter::new(&file);
        content(&mut out)?;
        out.flush()?;
        drop(out);
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| ReportError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Temporary files are private by default; a finished file should be as readable as any other.
trait PermissionsLikeCreated {
    fn permissions_like_created(&mut self) -> &mut Self;
}

impl PermissionsLikeCreated for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_like_created(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        // The system takes the umask off, as for a file made the ordinary way.
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_like_created(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_taken_and_one_that_holds_something_only_with_force() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("summary.md");
        OutputFile::claim(&path, false).unwrap();
        assert!(!path.exists(), "a claim writes nothing");
        std::fs::write(&path, "").unwrap();
        let file = OutputFile::claim(&path, false).unwrap();
        file.write("good").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "good");
        let refused = OutputFile::claim(&path, false).unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        OutputFile::claim(&path, true)
            .unwrap()
            .write("new")
            .unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn folders_and_files_in_folders_that_are_not_there_are_refused() {
        let home = tempfile::tempdir().unwrap();
        assert!(OutputFile::claim(home.path(), true).is_err());
        assert!(OutputFile::claim(&home.path().join("no/junit.xml"), true).is_err());
    }
}
