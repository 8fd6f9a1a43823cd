//! A small disk of its own, that can be filled.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A tmpfs; unmounted when dropped, with all that is in it.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts one of this size over a directory, which is made if it is not there.
    pub fn mount(place: &Path, mebibytes: u32) -> Result<Disk> {
        std::fs::create_dir_all(place)?;
        let size = format!("size={mebibytes}m");
        run("mount", &["-t", "tmpfs", "-o", &size, "sloburn"], place)
            .context("this test needs the right to mount a tmpfs: run it as root")?;
        Ok(Disk(place.to_owned()))
    }

    /// Takes all space that is left.
    pub fn fill(&self) -> Result<()> {
        let mut filler = std::fs::File::create(self.filler())?;
        let zeros = vec![0; 4096];
        while filler.write_all(&zeros).is_ok() {}
        Ok(())
    }

    /// Gives it back.
    pub fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }

    /// Makes it read-only, or writable again.
    pub fn read_only(&self, read_only: bool) -> Result<()> {
        let how = if read_only {
            "remount,ro"
        } else {
            "remount,rw"
        };
        run("mount", &["-o", how], &self.0)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazy: the server may still be going.
        drop(run("umount", &["-l"], &self.0));
    }
}

fn run(program: &str, arguments: &[&str], place: &Path) -> Result<()> {
    let output = Command::new(program).args(arguments).arg(place).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {told}");
    Ok(())
}
