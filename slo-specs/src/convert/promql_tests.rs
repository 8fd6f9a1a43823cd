//! Expressions that are taken, and where the others stop.

use proptest::prelude::*;

use super::*;

fn select(metric: &str, matchers: &[(&str, MatchOp, &str)]) -> Selector {
    Selector {
        metric: metric.to_owned(),
        matchers: matchers
            .iter()
            .map(|(label, op, value)| Matcher {
                label: (*label).to_owned(),
                op: *op,
                value: (*value).to_owned(),
            })
            .collect(),
    }
}

#[test]
fn selectors_are_read_whole() {
    for (text, expected) in [
        ("up", select("up", &[])),
        ("up{}", select("up", &[])),
        ("job:up:sum{ }", select("job:up:sum", &[])),
        (
            "{__name__=\"up\",a='b'}",
            select("up", &[("a", MatchOp::Equal, "b")]),
        ),
        (
            "up{b!~`5\\d`, a=~\"x|y\",c!=\"q\\\"\",}",
            select(
                "up",
                &[
                    ("a", MatchOp::Regex, "x|y"),
                    ("b", MatchOp::NotRegex, "5\\d"),
                    ("c", MatchOp::NotEqual, "q\""),
                ],
            ),
        ),
    ] {
        assert_eq!(parse_selector(text).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn rates_sums_and_quotients_are_read_with_their_precedence() {
    let rate = |name: &str| {
        Expr::Call(
            "rate".into(),
            vec![],
            vec![Expr::Select(select(name, &[]), true)],
        )
    };
    let sum = |name: &str, by: &[&str]| {
        Expr::Call(
            "sum".into(),
            by.iter().map(|l| (*l).to_owned()).collect(),
            vec![rate(name)],
        )
    };
    let binary = |op, a, b| Expr::Binary(op, Box::new(a), Box::new(b));
    for (text, expected) in [
        ("sum(rate(a[{{.window}}]))", sum("a", &[])),
        ("sum by (x, y) (rate(a[5m]))", sum("a", &["x", "y"])),
        ("sum(rate(a[5m])) by (x)", sum("a", &["x"])),
        (
            "1 - sum(rate(a[5m])) / sum(rate(b[5m]))",
            binary(
                '-',
                Expr::Number(1.0),
                binary('/', sum("a", &[]), sum("b", &[])),
            ),
        ),
        (
            "(rate(a[5m]) - rate(b[5m]))",
            binary('-', rate("a"), rate("b")),
        ),
    ] {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_beyond_says_where_it_stops() {
    for (text, why) in [
        (
            "sum(rate(a[5m])) or vector(0)",
            "`or` is beyond sums and rates of selectors",
        ),
        (
            "count(a < 0.5)",
            "`<` is beyond sums and rates of selectors",
        ),
        (
            "rate(a[5m] offset 1d)",
            "`offset` is beyond sums and rates of selectors",
        ),
        (
            "max_over_time(a[5m:1m])",
            "a subquery is beyond sums and rates of selectors",
        ),
        (
            "sum without (x) (a)",
            "`without` is beyond sums and rates of selectors",
        ),
        ("a{b=\"c}", "a quoted text has no end"),
        ("a{b}", "the matcher of `b` has no operator"),
        ("a{b=1}", "the matcher of `b` has no quoted value"),
        ("sum(a", "`)` is missing"),
        ("{a=\"b\"}", "a selector names no metric"),
        ("a ^ b", "`^` is beyond sums and rates of selectors"),
        ("", "it ends too early"),
        ("rate(a[5m)", "a range `[` has no end"),
    ] {
        assert_eq!(parse(text), Err(why.to_owned()), "{text}");
    }
    let deep = "(".repeat(1000);
    assert_eq!(parse(&deep), Err("it is nested too deeply".to_owned()));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z{}()\\[\\]=~!,\"' 0-9.+*/-]{0,60}") {
        parse(&text).ok();
    }

    #[test]
    fn a_selector_is_read_as_it_was_written(
        metric in "[a-z_:][a-z0-9_:]{0,10}",
        labels in proptest::collection::btree_map("[a-z]{1,5}", "[ -~é]{0,10}", 0..4),
    ) {
        let inner: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        let read = parse_selector(&format!("{metric}{{{}}}", inner.join(",")));
        let expected: Vec<(&str, MatchOp, &str)> =
            labels.iter().map(|(l, v)| (l.as_str(), MatchOp::Equal, v.as_str())).collect();
        prop_assert_eq!(read, Ok(select(&metric, &expected)));
    }
}
