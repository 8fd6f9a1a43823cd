//! A payload as it comes out of its compression: bounded in what comes out, and in the work between two steps.
//!
//! Knows nothing of the rest of the server, so that `fuzz` takes this file as it is.

use std::io::{self, BufRead, Cursor, ErrorKind, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

/// Most bytes that one step brings.
pub(super) const STEP: usize = 64 << 10;

/// Largest window a zstd frame may ask for, as a power of two: 8 MiB, which RFC 8878 tells decoders to support and
/// which every compression level up to 19 keeps to.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What zstd says when more comes out than there is room for: it has no other way to tell.
const NO_ROOM: &str = "Destination buffer is too small";

/// Bytes that come out in a turn: some milliseconds.
const TURN_OUT: usize = 1 << 20;

/// How a payload is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

/// Why there is no payload.
#[derive(Debug)]
pub(super) enum Broken {
    /// The bytes are no compressed payload, or not a whole one.
    Corrupt(io::Error),
    /// More comes out than may.
    TooLarge,
}

/// What inflating may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes that may come out.
    pub(super) most: usize,
    /// Bytes that go in in a turn.
    pub(super) turn_in: usize,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// There may be more.
    More,
    /// There may be more, and others should have their turn first.
    TurnOver,
    /// All of it is there.
    Whole,
}

/// A payload on its way out of its compression.
pub(super) struct Inflating {
    reader: Reader,
    /// What came, and zeros behind it for what comes next.
    payload: Vec<u8>,
    /// How much of it came.
    filled: usize,
    /// What came in this turn.
    in_turn: usize,
    claimed: Option<usize>,
    bounds: Bounds,
}

enum Reader {
    Gzip(Box<MultiGzDecoder<Turns>>),
    Zstd(ZstdDecoder<'static, Turns>),
}

/// Compressed bytes, of which so many are given in a turn: then it is as if the next had not come yet.
struct Turns {
    wire: Cursor<Bytes>,
    left: usize,
}

impl Inflating {
    /// Begins with the whole of the compressed bytes.
    pub(super) fn begin(
        compression: Compression,
        wire: Bytes,
        bounds: Bounds,
    ) -> Result<Inflating, Broken> {
        let claimed = claimed(compression, &wire, bounds.most);
        let wire = Turns {
            wire: Cursor::new(wire),
            left: bounds.turn_in,
        };
        let reader = match compression {
            Compression::Gzip => Reader::Gzip(Box::new(MultiGzDecoder::new(wire))),
            Compression::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(wire).map_err(Broken::Corrupt)?;
                let window = decoder.window_log_max(ZSTD_WINDOW_LOG);
                window.map_err(Broken::Corrupt)?;
                Reader::Zstd(decoder)
            }
        };
        Ok(Inflating {
            reader,
            // Reserved memory costs nothing until it is written to. So what a sender claims is reserved, and if that
            // proves too little, all that it may have: the payload never moves from one buffer to the next by doubling.
            payload: Vec::with_capacity(claimed.map_or(STEP, |size| size + 1)),
            filled: 0,
            in_turn: 0,
            claimed,
            bounds,
        })
    }

    /// Bytes that the payload takes after the next step.
    pub(super) fn needs(&self) -> usize {
        self.filled + self.next()
    }

    fn next(&self) -> usize {
        match self.claimed {
            // One byte more than claimed finds the end.
            Some(size) if self.filled <= size => STEP.min(size + 1 - self.filled),
            _ => STEP,
        }
    }

    /// Takes the next step. After an error there is none.
    pub(super) fn step(&mut self) -> Result<Step, Broken> {
        let needs = self.needs();
        if self.payload.capacity() < needs {
            let whole = self.bounds.most + STEP;
            self.payload.reserve_exact(whole - self.payload.len());
        }
        if self.payload.len() < needs {
            self.payload.resize(needs, 0);
        }
        debug_assert!(self.payload.capacity() <= self.bounds.most + STEP);
        let came = match self.reader.read(&mut self.payload[self.filled..needs]) {
            Ok(0) => return Ok(Step::Whole),
            Ok(came) => came,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.turn();
                return Ok(Step::TurnOver);
            }
            Err(error) => return Err(Broken::Corrupt(error)),
        };
        self.filled += came;
        self.in_turn += came;
        if self.filled > self.bounds.most {
            return Err(Broken::TooLarge);
        }
        if self.in_turn < TURN_OUT {
            return Ok(Step::More);
        }
        self.turn();
        Ok(Step::TurnOver)
    }

    fn turn(&mut self) {
        self.in_turn = 0;
        self.reader.turns().left = self.bounds.turn_in;
    }

    /// What came.
    pub(super) fn finish(mut self) -> Bytes {
        self.payload.truncate(self.filled);
        self.payload.shrink_to_fit();
        self.payload.into()
    }
}

impl Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Reader::Gzip(reader) => reader.read(into),
            Reader::Zstd(reader) => reader.read(into),
        }
    }

    fn turns(&mut self) -> &mut Turns {
        match self {
            Reader::Gzip(reader) => reader.get_mut(),
            Reader::Zstd(reader) => reader.get_mut(),
        }
    }
}

impl BufRead for Turns {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.wire.fill_buf()?;
        if self.left == 0 && !rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(rest.get(..self.left).unwrap_or(rest))
    }

    fn consume(&mut self, bytes: usize) {
        self.left -= bytes;
        self.wire.consume(bytes);
    }
}

impl Read for Turns {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

/// The zstd payload within `wire`, straight into its own memory, if it is of at most `size` bytes: what comes in steps
/// goes through a window of the decoder's, which may be as large as the payload.
pub(super) fn zstd_at_once(wire: &[u8], size: usize) -> Result<Option<Bytes>, Broken> {
    let inflated = || {
        // Costs when it is written to, not when it is reserved.
        let mut payload = Vec::with_capacity(size);
        let mut decoder = zstd::bulk::Decompressor::new()?;
        decoder.decompress_to_buffer(wire, &mut payload)?;
        io::Result::Ok(payload)
    };
    match inflated() {
        Ok(mut payload) => {
            payload.shrink_to_fit();
            Ok(Some(payload.into()))
        }
        Err(error) if error.to_string() == NO_ROOM => Ok(None),
        Err(error) => Err(Broken::Corrupt(error)),
    }
}

/// The size that a payload claims to become, if it says so; it may be a lie. What claims more than it may become is
/// found out when it comes, as it may be cut off or broken instead.
pub(super) fn claimed(compression: Compression, wire: &[u8], most: usize) -> Option<usize> {
    let claimed = match compression {
        // The last four bytes: of the last member, if there are several.
        Compression::Gzip => wire
            .last_chunk::<4>()
            .map(|size| u64::from(u32::from_le_bytes(*size))),
        Compression::Zstd => zstd::zstd_safe::get_frame_content_size(wire).ok().flatten(),
    };
    let claimed = claimed.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    claimed.filter(|size| *size <= most)
}
