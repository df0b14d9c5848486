//! A file that is put aside when it is full, and begun anew when somebody else has put it aside.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

/// It tells who may what: for its owner alone.
const OWNER: u32 = 0o600;

/// The file, and those that were put aside: `name.1` is the newest of them.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    most: u64,
    keep: u32,
    open: Option<(File, u64)>,
}

impl Rotating {
    pub(super) const fn new(path: PathBuf, most: u64, keep: u32) -> Self {
        Self { path, most, keep, open: None }
    }

    /// Writes lines, into as many files as they take; none is cut in two.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.look();
        let mut left = lines;
        while !left.is_empty() {
            let size = self.open()?.1;
            let room = usize::try_from(self.most.saturating_sub(size)).unwrap_or(usize::MAX);
            let (now, later) = left.split_at(fitting(left, room));
            if now.is_empty() && size > 0 {
                self.put_aside()?;
                continue;
            }
            // A line that is longer than a file may be has one of its own.
            let (now, later) =
                if now.is_empty() { left.split_at(first(left)) } else { (now, later) };
            self.append(now)?;
            left = later;
        }
        Ok(())
    }

    /// Opens it, if it is not open. What others could make of it is refused: a link, which may lead anywhere, and a file that they may
    /// read and that cannot be closed to them.
    pub(super) fn open(&mut self) -> io::Result<&mut (File, u64)> {
        if self.open.is_none() {
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(OWNER).custom_flags(libc::O_NOFOLLOW);
            let file = options.open(&self.path)?;
            let found = file.metadata()?;
            if found.is_file() && found.permissions().mode() & !OWNER & 0o777 != 0 {
                file.set_permissions(Permissions::from_mode(OWNER))?;
            }
            self.open = Some((file, found.len()));
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("it was closed"))
    }

    /// Lets go of a file that is not at its place any more, since somebody has moved or deleted it, and of what was known of its size.
    fn look(&mut self) {
        let Some((file, size)) = &mut self.open else { return };
        let id = |found: fs::Metadata| (found.dev(), found.ino(), found.len());
        match (file.metadata().map(id), fs::symlink_metadata(&self.path).map(id)) {
            (Ok(own), Ok(there)) if own == there => *size = own.2,
            _ => self.open = None,
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let (file, size) = self.open()?;
        let written = file.write_all(lines);
        if written.is_err() {
            // What stands there of a line would spoil the next one.
            let _ = file.set_len(*size);
            self.open = None;
            return written;
        }
        *size += u64::try_from(lines.len()).unwrap_or_default();
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.open = None;
        let named = |n: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        if self.keep == 0 {
            return fs::remove_file(&self.path);
        }
        for n in (1..self.keep).rev() {
            match fs::rename(named(n), named(n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, named(1))
    }
}

/// Returns how many bytes of whole lines lie within `room`.
fn fitting(lines: &[u8], room: usize) -> usize {
    if lines.len() <= room {
        return lines.len();
    }
    let within = lines.get(..room).unwrap_or_default();
    within.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn first(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: usize) -> String {
        format!("{{\"n\":{n:04}}}\n")
    }

    #[test]
    fn a_full_file_is_put_aside_and_only_so_many_are_kept_and_no_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let mut file = Rotating::new(path.clone(), 40, 2);
        let all: Vec<String> = (0..20).map(line).collect();
        // Alone, some at once, and again after having been closed.
        for lines in [&all[..1], &all[1..3], &all[3..11], &all[11..]] {
            file.write(lines.concat().as_bytes()).unwrap();
            file.open = None;
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let kept = [read("d.jsonl.2"), read("d.jsonl.1"), read("d.jsonl")];
        assert!(kept.iter().all(|text| text.len() <= 40), "{kept:?}");
        let kept = kept.concat();
        assert!(all.concat().ends_with(&kept) && kept.lines().count() >= 7, "{kept}");
        assert!(!folder.path().join("d.jsonl.3").exists());
    }

    #[test]
    fn a_line_that_is_longer_than_a_file_has_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let mut file = Rotating::new(path.clone(), 10, 1);
        let long = format!("{}\n", "x".repeat(30));
        file.write(format!("a\n{long}b\n").as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("d.jsonl.1")).unwrap(), long);
        assert_eq!(fs::read_to_string(path).unwrap(), "b\n");
    }

    #[test]
    fn what_somebody_else_moved_deleted_or_emptied_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("d.jsonl"), folder.path().join("moved"));
        let mut file = Rotating::new(path.clone(), 12, 3);
        file.write(b"a\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        file.write(b"b\n").unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "a\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
        fs::remove_file(&path).unwrap();
        file.write(b"12345678\n").unwrap();
        // Emptied at its place, as by logrotate's copytruncate: there is room in it again.
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        file.write(b"87654321\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "87654321\n");
        assert!(!folder.path().join("d.jsonl.1").exists());
    }

    #[test]
    fn a_link_is_not_followed_and_a_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("d.jsonl"), folder.path().join("other"));
        for there in [true, false] {
            if there {
                fs::write(&other, "theirs\n").unwrap();
            }
            std::os::unix::fs::symlink(&other, &path).unwrap();
            let mut file = Rotating::new(path.clone(), 100, 1);
            assert!(file.write(b"a\n").is_err());
            assert_eq!(fs::read_to_string(&other).is_ok_and(|text| text == "theirs\n"), there);
            fs::remove_file(&path).unwrap();
            let _ = fs::remove_file(&other);
        }
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let mut file = Rotating::new(path.clone(), 10, 1);
        file.write(b"a\n").unwrap();
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        file.write(b"12345678\n").unwrap();
        assert_eq!((mode(&path), mode(&folder.path().join("d.jsonl.1"))), (0o600, 0o600));
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_the_next_one_tries_again() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("not there yet");
        let mut file = Rotating::new(inside.join("d.jsonl"), 100, 1);
        assert!(file.write(b"a\n").is_err());
        fs::create_dir(&inside).unwrap();
        file.write(b"b\n").unwrap();
        assert_eq!(fs::read_to_string(inside.join("d.jsonl")).unwrap(), "b\n");
    }
}
