//! Every page in every state: golden files, escaping, and what must hold for all of them.

use dashboards::samples::{self, HOSTILE, STATES, State};
use dashboards::{
    Fragment, debug_fragments, executive_fragments, oncall_fragments, render_debug,
    render_executive, render_oncall, render_slo, render_slos, render_specs, slo_fragments,
    slos_fragments, specs_fragments,
};

/// Name, page and fragments of every page in a state.
fn pages(state: State) -> [(&'static str, String, Vec<Fragment>); 6] {
    let (executive, oncall) = (samples::executive(state), samples::oncall(state));
    let (slos, slo, debug) = (
        samples::slos(state),
        samples::slo(state),
        samples::debug(state),
    );
    let specs = samples::specs(state);
    [
        (
            "executive",
            render_executive(&executive),
            executive_fragments(&executive),
        ),
        ("oncall", render_oncall(&oncall), oncall_fragments(&oncall)),
        ("slos", render_slos(&slos), slos_fragments(&slos)),
        ("slo", render_slo(&slo), slo_fragments(&slo)),
        ("debug", render_debug(&debug), debug_fragments(&debug)),
        ("specs", render_specs(&specs), specs_fragments(&specs)),
    ]
}

fn everything() -> impl Iterator<Item = (String, State, String, Vec<Fragment>)> {
    STATES.into_iter().flat_map(|(name, state)| {
        pages(state).map(|(page, html, parts)| (format!("{page}_{name}"), state, html, parts))
    })
}

/// The page with one element a line; path data and hashed names shortened, long tables cut.
fn digest(html: &str) -> String {
    let lines = html.replace("><", ">\n<");
    let mut rows_of_table = 0;
    let mut digest = String::new();
    for line in lines.lines() {
        if line.contains("<tbody") {
            rows_of_table = 0;
        }
        if line.starts_with("<tr><td>") || line == "<tr>" {
            rows_of_table += 1;
        }
        if line.starts_with("<td>") && rows_of_table > 2 {
            continue;
        }
        digest.push_str(&shortened(line));
        digest.push('\n');
    }
    digest
}

fn shortened(line: &str) -> String {
    for (start, end) in [
        (" d=\"", '"'),
        ("/static/tokens-", '.'),
        ("/static/app-", '.'),
    ] {
        if let Some((before, rest)) = line.split_once(start)
            && let Some((value, after)) = rest.split_once(end)
        {
            let kept: String = if end == '.' {
                "HASH".to_owned()
            } else {
                value.chars().take(30).collect()
            };
            let length = if end == '.' || value.len() <= 30 {
                String::new()
            } else {
                format!("…{}", value.len())
            };
            return format!("{before}{start}{kept}{length}{end}{after}");
        }
    }
    line.to_owned()
}

#[test]
fn every_page_looks_as_it_did() {
    for (name, _, html, _) in everything() {
        insta::assert_snapshot!(name, digest(&html));
    }
}

#[test]
fn what_comes_from_outside_never_becomes_markup() {
    for (name, _, html, _) in everything().filter(|(_, state, ..)| *state == State::Hostile) {
        assert!(!html.contains("<script>"), "{name}: a script element");
        assert!(!html.contains("alert('"), "{name}: an unescaped quote");
        assert!(!html.contains("\" onload="), "{name}: an attribute");
        assert!(
            !html.contains("javascript:"),
            "{name}: a link that is a script"
        );
        assert!(
            !html.contains('\u{202e}') && !html.contains('\u{0}'),
            "{name}: what cannot be seen"
        );
        assert_eq!(
            html.matches("<title>").count(),
            1,
            "{name}: a title that closes the head"
        );
        assert!(
            html.contains("&#60;script&#62;"),
            "{name}: the hostile name is shown, escaped"
        );
    }
    assert!(HOSTILE.contains("<script>"));
}

#[test]
fn no_page_shows_a_raw_float() {
    for (name, _, html, _) in everything() {
        for wrong in ["NaN", ">inf", "e-0", ">-0", ">-1", "−0%", "Some("] {
            let visible = html.replace("alert-", "");
            assert!(!visible.contains(wrong), "{name} contains {wrong}");
        }
    }
}

#[test]
fn ids_are_unique_and_every_fragment_is_in_its_page() {
    for (name, _, html, fragments) in everything() {
        let mut ids: Vec<&str> = html
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        if !name.ends_with("hostile") {
            assert_eq!(ids.len(), all, "{name}");
        }
        for fragment in fragments {
            assert!(
                html.contains(&fragment.html),
                "{name}: {} differs from the page",
                fragment.id
            );
            assert!(
                fragment.html.contains(&format!("id=\"{}\"", fragment.id)),
                "{name}: {}",
                fragment.id
            );
        }
    }
}

#[test]
fn charts_say_what_they_show_and_have_their_table() {
    for (name, _, html, _) in everything() {
        for chart in html.split("role=\"img\"").skip(1) {
            assert!(
                chart.starts_with(" aria-label=\"") && !chart.starts_with(" aria-label=\"\""),
                "{name}"
            );
        }
        for plot in html.split("data-r=\"").skip(1) {
            let figure = plot.split("</figure>").next().unwrap();
            assert!(
                figure.contains("<details class=\"data"),
                "{name}: a chart without its table"
            );
        }
    }
}

#[test]
fn no_script_stands_in_a_page_and_styles_are_positions_only() {
    for (name, _, html, _) in everything() {
        assert_eq!(html.matches("<script").count(), 1, "{name}");
        assert!(
            !html.contains("<style") && !html.contains(" onclick"),
            "{name}"
        );
        for style in html
            .split(" style=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            for rule in style.split(';') {
                let (property, value) = rule.split_once(':').unwrap();
                assert!(
                    ["left", "top", "width", "--h"].contains(&property),
                    "{name}: {style}"
                );
                let number = value.trim_end_matches("px").trim_end_matches('%');
                assert!(number.parse::<f64>().is_ok(), "{name}: {style}");
            }
        }
    }
}

#[test]
fn pages_keep_to_their_size() {
    for (name, _, html, _) in everything() {
        let elements = html.matches('<').count() - html.matches("</").count();
        assert!(elements <= 2_000, "{name} has {elements} elements");
        assert!(html.len() <= 130_000, "{name} has {} bytes", html.len());
    }
    let size = |kind: &str| {
        dashboards::static_files()
            .iter()
            .filter(|file| file.content_type.starts_with(kind))
            .map(|file| file.bytes.len())
            .sum::<usize>()
    };
    assert!(size("text/css") <= 40_000 && size("text/javascript") <= 16_000);
}
