//! What a crash left of SQLite's log, looked at before SQLite does: it takes the log up to the first frame whose
//! checksum fails, and says nothing of what lies behind.
//!
//! Each commit is on the disk before the next begins. So the frames of one commit may be torn, that nobody was told
//! of; when whole commits follow the damage, they were acknowledged, and are lost.

use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Commits behind the first damaged frame of the log; none if it is whole, or torn at its end.
pub(super) fn lost_commits(log: &Path) -> usize {
    std::fs::read(log).map_or(0, |bytes| lost(&bytes).unwrap_or(0))
}

fn lost(log: &[u8]) -> Option<usize> {
    let header = log.get(..HEADER)?;
    let big_endian = match word(header, 0, true)? {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return None,
    };
    let page = usize::try_from(word(header, 8, true)?).ok()?;
    let salts = &header[16..24];
    let mut sum = checksum((0, 0), &header[..24], big_endian)?;
    let mut damaged = false;
    let mut commits = 0;
    for frame in log[HEADER..].chunks_exact(FRAME_HEADER + page) {
        // Frames of an earlier round of the log have other salts.
        let ours = frame.get(8..16)? == salts;
        if !damaged {
            let next = checksum(sum, &frame[..8], big_endian)?;
            let next = checksum(next, &frame[FRAME_HEADER..], big_endian)?;
            let stored = (word(frame, 16, true)?, word(frame, 20, true)?);
            damaged = !ours || stored != next;
            sum = next;
        }
        if damaged && ours && word(frame, 4, true)? != 0 {
            commits += 1;
        }
    }
    // The first may be the one that was torn.
    Some(if commits > 1 { commits } else { 0 })
}

/// As SQLite sums its log: pairs of words, each added to what is before.
fn checksum((mut one, mut two): (u32, u32), bytes: &[u8], big_endian: bool) -> Option<(u32, u32)> {
    for at in (0..bytes.len()).step_by(8) {
        one = one
            .wrapping_add(word(bytes, at, big_endian)?)
            .wrapping_add(two);
        two = two
            .wrapping_add(word(bytes, at + 4, big_endian)?)
            .wrapping_add(one);
    }
    Some((one, two))
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let word = *bytes.get(at..)?.first_chunk::<4>()?;
    Some(if big_endian {
        u32::from_be_bytes(word)
    } else {
        u32::from_le_bytes(word)
    })
}
