//! Every spec in the documents for users is one that loads without a word.

use slo_specs::{SourceFile, load};

const DOCUMENTS: [(&str, &str); 2] = [
    ("docs/specs.md", include_str!("../../../docs/specs.md")),
    ("README.md", include_str!("../../../README.md")),
];

/// The fenced blocks of YAML with the number of their first line.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_end()) {
            (None, "```yaml") => open = Some((number + 2, String::new())),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some((_, block)), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

#[test]
fn every_example_loads_without_a_word() {
    let mut specs = 0;
    for (document, text) in DOCUMENTS {
        for (line, block) in blocks(text) {
            if !block.lines().any(|line| line.starts_with("apiVersion:")) {
                continue;
            }
            specs += 1;
            let loaded = load(&[SourceFile {
                path: format!("{document}:{line}"),
                text: block,
            }]);
            assert_eq!(loaded.problems, []);
        }
    }
    assert!(specs >= 5, "{specs} examples");
}
