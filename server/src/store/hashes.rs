//! The hashes of the requests of one commit, as one value of the store.

use super::StoreError;

/// Bytes of a request's hash.
const HASH: usize = 16;
/// Bytes of the checksum behind the hashes.
const SUM: usize = 8;

/// The hashes with a checksum behind them, of the hashes and when they came; nothing for none.
pub(super) fn sealed<'a>(received_s: i64, hashes: impl Iterator<Item = &'a [u8; HASH]>) -> Vec<u8> {
    let mut bytes: Vec<u8> = hashes.flatten().copied().collect();
    if !bytes.is_empty() {
        let sum = checksum(received_s, &bytes);
        bytes.extend_from_slice(&sum);
    }
    bytes
}

/// The hashes of a stored value; also a bare hash, as older versions stored each.
pub(super) fn unsealed(received_s: i64, bytes: &[u8]) -> Result<Vec<[u8; HASH]>, StoreError> {
    let damaged = || StoreError::Damaged {
        what: "the hashes of requests",
        value: format!("{} bytes whose checksum is wrong", bytes.len()),
    };
    if bytes.len() <= HASH {
        return match bytes.try_into() {
            Ok(hash) => Ok(vec![hash]),
            Err(_) if bytes.is_empty() => Ok(Vec::new()),
            Err(_) => Err(damaged()),
        };
    }
    let (body, sum) = bytes.split_last_chunk::<SUM>().ok_or_else(damaged)?;
    let (hashes, rest) = body.as_chunks::<HASH>();
    if !rest.is_empty() || checksum(received_s, body) != *sum {
        return Err(damaged());
    }
    Ok(hashes.to_vec())
}

fn checksum(received_s: i64, bytes: &[u8]) -> [u8; SUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&received_s.to_le_bytes()).update(bytes);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..SUM]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_come_back_and_damage_is_told() {
        for count in [0, 1, 2, 300_usize] {
            let hashes: Vec<[u8; HASH]> = (0..count)
                .map(|number| (number as u128).to_be_bytes())
                .collect();
            let stored = sealed(9, hashes.iter());
            assert_eq!(unsealed(9, &stored).unwrap(), hashes);
            assert!(count == 0 || unsealed(8, &stored).is_err());
            for at in 0..stored.len() {
                let mut flipped = stored.clone();
                flipped[at] ^= 1;
                assert!(
                    unsealed(9, &flipped).is_err(),
                    "byte {at} of {count} hashes"
                );
                assert!(
                    count == 0
                        || at == HASH
                        || unsealed(9, &stored[..at]).map_or(true, |some| some.is_empty())
                );
            }
        }
    }

    #[test]
    fn a_bare_hash_is_one_hash() {
        assert_eq!(unsealed(9, &[7; HASH]).unwrap(), [[7; HASH]]);
    }
}
