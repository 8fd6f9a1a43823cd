//! Writes every page in every state to a directory, with its style and script, to be looked at:
//! `cargo run -p dashboards --example render -- DIRECTORY [light|dark]`.

use std::error::Error;
use std::path::Path;

use dashboards::samples::{self, STATES};
use dashboards::view::Theme;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("say where to write to")?;
    let theme = match arguments.next().as_deref() {
        Some("dark") => Some(Theme::Dark),
        Some("light") => Some(Theme::Light),
        _ => None,
    };
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory.join("static"))?;
    for file in dashboards::static_files() {
        std::fs::write(directory.join("static").join(&file.name), file.bytes)?;
    }
    for (name, state) in STATES {
        let (mut executive, mut oncall, mut slos) = (
            samples::executive(state),
            samples::oncall(state),
            samples::slos(state),
        );
        let (mut slo, mut debug) = (samples::slo(state), samples::debug(state));
        let mut specs = samples::specs(state);
        for shell in [
            &mut executive.shell,
            &mut oncall.shell,
            &mut slos.shell,
            &mut slo.shell,
            &mut debug.shell,
            &mut specs.shell,
        ] {
            shell.theme = theme;
        }
        let pages = [
            ("executive", dashboards::render_executive(&executive)),
            ("oncall", dashboards::render_oncall(&oncall)),
            ("slos", dashboards::render_slos(&slos)),
            ("slo", dashboards::render_slo(&slo)),
            ("debug", dashboards::render_debug(&debug)),
            ("specs", dashboards::render_specs(&specs)),
        ];
        for (page, html) in pages {
            let html = html.replace("\"/static/", "\"static/");
            std::fs::write(directory.join(format!("{page}-{name}.html")), html)?;
        }
    }
    Ok(())
}
