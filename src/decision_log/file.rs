//! A file that is put aside when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

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

    /// Opens it, if it is not open.
    pub(super) fn open(&mut self) -> io::Result<&mut (File, u64)> {
        if self.open.is_none() {
            let mut options = OpenOptions::new();
            options.append(true).create(true);
            // It tells who may what: for its owner alone.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&self.path)?;
            let size = file.metadata()?.len();
            self.open = Some((file, size));
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("it was closed"))
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
