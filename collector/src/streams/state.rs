//! The state of one stream.

use crate::codec::{CodecError, put_varint, seal, unseal};

const VERSION: u8 = 1;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) latest: u64,
}

impl State {
    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.latest);
        seal(VERSION, &out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<State, CodecError> {
        let mut reader = unseal(VERSION, bytes)?;
        let state = State {
            latest: reader.varint()?,
        };
        reader.done()?;
        Ok(state)
    }
}
