//! What is shown when there is no such page, or when something went wrong.

use askama::Template;

use crate::Text;
use crate::markup::Markup;
use crate::panels::frame;
use crate::view::{Page, Shell};

#[derive(Template)]
#[template(
    source = r#"<h1 class="verdict">{{ head }}</h1><p class="sub"><bdi>{{ detail }}</bdi></p><p class="acts"><a class="btn" href="/oncall">On-call</a><a class="btn" href="/slos">All objectives</a></p>"#,
    ext = "html"
)]
struct Body<'a> {
    head: &'a str,
    detail: &'a Text,
}

/// A page that says what went wrong: `head` in a sentence, `detail` with the name of what was asked for or
/// a reference id.
pub fn render_error(shell: &Shell, head: &str, detail: &Text) -> String {
    frame::layout(&frame::Frame {
        shell,
        page: Page::Elsewhere,
        title: head.to_owned(),
        head: frame::row_name("sloburn"),
        chips: Vec::new(),
        body: Markup::of(&Body { head, detail }),
    })
}
