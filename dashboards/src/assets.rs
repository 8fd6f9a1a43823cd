//! Style sheets and the script, with names that change when they do.

use std::fmt::Write;
use std::sync::LazyLock;

/// A file to be served for a year: its name is made from its content.
#[derive(Clone, Debug)]
pub struct StaticFile {
    /// Such as `app-1f2e3d4c5b6a7988.css`.
    pub name: String,
    /// Hash of the bytes, in hexadecimal; also the `ETag`.
    pub hash: String,
    /// MIME type with its character set.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

static FILES: LazyLock<[StaticFile; 3]> = LazyLock::new(|| {
    [
        file(
            "tokens",
            "css",
            "text/css; charset=utf-8",
            include_bytes!("../static/tokens.css"),
        ),
        file(
            "app",
            "css",
            "text/css; charset=utf-8",
            include_bytes!("../static/app.css"),
        ),
        file(
            "app",
            "js",
            "text/javascript; charset=utf-8",
            include_bytes!("../static/app.js"),
        ),
    ]
});

/// All static files; pages refer to them as `/static/{name}`.
pub fn static_files() -> &'static [StaticFile] {
    &*FILES
}

/// Names of tokens, style and script, as pages link them.
pub(crate) fn names() -> [&'static str; 3] {
    let [tokens, style, script] = &*FILES;
    [&tokens.name, &style.name, &script.name]
}

fn file(stem: &str, kind: &str, content_type: &'static str, bytes: &'static [u8]) -> StaticFile {
    let mut hash = String::with_capacity(16);
    write!(hash, "{:016x}", fnv1a(bytes)).unwrap_or_default();
    StaticFile {
        name: format!("{stem}-{hash}.{kind}"),
        hash,
        content_type,
        bytes,
    }
}

/// FNV-1a: tells versions of our own files apart, nothing more is asked of it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_hash_of_the_content() {
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        for file in static_files() {
            assert!(file.name.contains(&file.hash) && !file.bytes.is_empty());
        }
    }
}
