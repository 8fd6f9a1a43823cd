//! Configuration files as fingers, editors and templates break them: told, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What files are broken with: what means something to TOML, to durations or to nobody.
const PIECES: [&str; 20] = [
    "\"",
    "'''",
    "[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    "\n",
    "\r",
    "#",
    "-",
    "99999999999999999999",
    "s",
    "d",
    "\\u0000",
    "€",
    "[limits]\n",
    "[[receivers]]\n",
    "1979-05-27",
];

/// Files that are right, and some that never were: those that the fuzzer begins with.
fn files() -> Vec<String> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/config");
    let files = fs::read_dir(seeds).unwrap();
    let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let mut texts: Vec<_> = texts.collect();
    texts.sort();
    texts
}

/// Takes characters out at a place, and puts a piece in.
fn mutate(text: &str, at: Index, out: usize, piece: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = at.index(characters.len() + 1);
    let rest = characters.get(at + out..).unwrap_or_default();
    let kept = characters.get(..at).unwrap_or_default();
    kept.iter()
        .copied()
        .chain(piece.chars())
        .chain(rest.iter().copied())
        .collect()
}

fn resolved(text: &str) -> Result<String, Problems> {
    let args = ServeArgs {
        specs: Some(PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
        ..ServeArgs::default()
    };
    let config = Config::from_text(&args, text, "sloburn.toml")?;
    Ok(format!("{config:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_broken_file_is_told_where_and_how(
        file in any::<Index>(),
        mutations in prop::collection::vec(
            (any::<Index>(), 0_usize..12, prop::sample::select(&PIECES[..])),
            0..6,
        ),
    ) {
        let files = files();
        let mut text = file.get(&files).clone();
        for (at, out, piece) in mutations {
            text = mutate(&text, at, out, piece);
        }
        let outcome = resolved(&text);
        prop_assert_eq!(&outcome, &resolved(&text));
        if let Err(Problems(problems)) = outcome {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(!problem.place.is_empty() && !problem.message.is_empty());
                prop_assert!(problem.message.len() < 2000, "{}", problem.message);
            }
        } else {
            prop_assert!(text.parse::<toml::Table>().is_ok(), "{}", text);
        }
    }
}
