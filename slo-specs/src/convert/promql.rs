//! The part of `PromQL` that service-level objectives are written in: selectors, rates, sums, differences and quotients.
//!
//! What is beyond it could not be counted here anyway, so a whole grammar would only tell more exactly what is refused.

/// Deepest nesting of an expression.
const DEPTH: usize = 32;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Number(f64),
    /// A selector, and whether it has a range.
    Select(Selector, bool),
    /// A function or an aggregation, the labels it groups by, and what it is of.
    Call(String, Vec<String>, Vec<Expr>),
    Binary(char, Box<Expr>, Box<Expr>),
}

/// Series of one metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selector {
    pub(super) metric: String,
    /// In the order of their labels.
    pub(super) matchers: Vec<Matcher>,
}

/// A label and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) op: MatchOp,
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(f64),
    Text(String),
    /// `[5m]`, whatever is within.
    Range,
    Sign(&'static str),
}

/// Reads an expression; the answer says otherwise where it stops.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        depth: 0,
    };
    let expr = parser.sum()?;
    match parser.tokens.first() {
        None => Ok(expr),
        Some(token) => Err(beyond(token)),
    }
}

/// Reads a selector and nothing else.
pub(super) fn parse_selector(text: &str) -> Result<Selector, String> {
    match parse(text)? {
        Expr::Select(selector, false) => Ok(selector),
        _ => Err("it is more than a selector".to_owned()),
    }
}

fn beyond(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{word}` is beyond sums and rates of selectors"),
        Token::Number(number) => format!("`{number}` is not expected there"),
        Token::Text(_) | Token::Range => "a part of it is not expected there".to_owned(),
        Token::Sign(sign) => format!("`{sign}` is beyond sums and rates of selectors"),
    }
}

const SIGNS: [&str; 17] = [
    "=~", "!~", "!=", ">=", "<=", "==", "=", "{", "}", "(", ")", ",", "+", "-", "*", "/", "<",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if let Some(found) = quoted(rest)? {
            found
        } else if first == '[' {
            let (inner, after) = rest.split_once(']').ok_or("a range `[` has no end")?;
            if inner.replace("{{", "").contains(':') {
                return Err("a subquery is beyond sums and rates of selectors".to_owned());
            }
            (Token::Range, after)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (
                Token::Sign(sign),
                rest.strip_prefix(sign).unwrap_or_default(),
            )
        } else {
            word(rest)?
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn word(text: &str) -> Result<(Token, &str), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
    let end = text.find(|c| !inner(c)).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    match (word.chars().next(), word.parse()) {
        (None, _) => {
            let first: String = text.chars().take(1).collect();
            Err(format!("`{first}` is beyond sums and rates of selectors"))
        }
        (Some(first), Ok(number)) if first.is_ascii_digit() || first == '.' => {
            Ok((Token::Number(number), after))
        }
        (Some(_), _) => Ok((Token::Word(word.to_owned()), after)),
    }
}

/// A text in any of the three quotes; in backquotes nothing is escaped.
fn quoted(text: &str) -> Result<Option<(Token, &str)>, String> {
    let mut chars = text.chars();
    let Some(quote) = chars.next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
        return Ok(None);
    };
    let mut value = String::new();
    while let Some(c) = chars.next() {
        match c {
            _ if c == quote => return Ok(Some((Token::Text(value), chars.as_str()))),
            '\\' if quote != '`' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(c @ ('\\' | '"' | '\'')) => value.push(c),
                _ => return Err("a quoted text has an escape that is not taken".to_owned()),
            },
            _ => value.push(c),
        }
    }
    Err("a quoted text has no end".to_owned())
}

struct Parser<'t> {
    tokens: &'t [Token],
    depth: usize,
}

impl<'t> Parser<'t> {
    fn sum(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let mut left = self.product()?;
        while let Some(sign) = self.take_one_of(&["+", "-"]) {
            left = Expr::Binary(sign, Box::new(left), Box::new(self.product()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr, String> {
        let mut left = self.atom()?;
        while let Some(sign) = self.take_one_of(&["*", "/"]) {
            left = Expr::Binary(sign, Box::new(left), Box::new(self.atom()?));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Expr, String> {
        match self.next() {
            Some(Token::Number(number)) => Ok(Expr::Number(*number)),
            Some(Token::Sign("(")) => {
                let inner = self.sum()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Sign("{")) => self.selector(String::new()),
            Some(Token::Word(word)) => match self.tokens.first() {
                Some(Token::Sign("(")) => self.call(word),
                Some(Token::Word(by)) if matches!(by.as_str(), "by" | "without") => self.call(word),
                _ => self.selector(word.clone()),
            },
            Some(token) => Err(beyond(token)),
            None => Err("it ends too early".to_owned()),
        }
    }

    /// `name [by (…)] (…) [by (…)]`
    fn call(&mut self, name: &str) -> Result<Expr, String> {
        let mut labels = self.grouping()?;
        self.expect("(")?;
        let mut inner = vec![self.sum()?];
        while self.take_one_of(&[","]).is_some() {
            inner.push(self.sum()?);
        }
        self.expect(")")?;
        labels.extend(self.grouping()?);
        Ok(Expr::Call(name.to_owned(), labels, inner))
    }

    fn grouping(&mut self) -> Result<Vec<String>, String> {
        match self.tokens.first() {
            Some(Token::Word(by)) if by == "by" => self.next(),
            Some(Token::Word(without)) if without == "without" => {
                return Err("`without` is beyond sums and rates of selectors".to_owned());
            }
            _ => return Ok(Vec::new()),
        };
        self.expect("(")?;
        let mut labels = Vec::new();
        while let Some(Token::Word(label)) = self.tokens.first() {
            labels.push(label.clone());
            self.next();
            self.take_one_of(&[","]);
        }
        self.expect(")")?;
        Ok(labels)
    }

    fn selector(&mut self, mut metric: String) -> Result<Expr, String> {
        let mut matchers = Vec::new();
        let braces = metric.is_empty() || self.take_one_of(&["{"]).is_some();
        while braces && self.tokens.first() != Some(&Token::Sign("}")) {
            let matcher = self.matcher()?;
            if matcher.label == "__name__" && matcher.op == MatchOp::Equal && metric.is_empty() {
                metric = matcher.value;
            } else {
                matchers.push(matcher);
            }
            if self.take_one_of(&[","]).is_none() {
                break;
            }
        }
        if braces {
            self.expect("}")?;
        }
        if metric.is_empty() {
            return Err("a selector names no metric".to_owned());
        }
        matchers.sort();
        let range = self.tokens.first() == Some(&Token::Range);
        if range {
            self.next();
        }
        Ok(Expr::Select(Selector { metric, matchers }, range))
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let Some(Token::Word(label)) = self.next() else {
            return Err("a matcher has no label".to_owned());
        };
        let op = match self.next() {
            Some(Token::Sign("=")) => MatchOp::Equal,
            Some(Token::Sign("!=")) => MatchOp::NotEqual,
            Some(Token::Sign("=~")) => MatchOp::Regex,
            Some(Token::Sign("!~")) => MatchOp::NotRegex,
            _ => return Err(format!("the matcher of `{label}` has no operator")),
        };
        let Some(Token::Text(value)) = self.next() else {
            return Err(format!("the matcher of `{label}` has no quoted value"));
        };
        let (label, value) = (label.clone(), value.clone());
        Ok(Matcher { label, op, value })
    }

    fn next(&mut self) -> Option<&'t Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take_one_of(&mut self, signs: &[&str]) -> Option<char> {
        match self.tokens.first() {
            Some(Token::Sign(sign)) if signs.contains(sign) => {
                self.next();
                sign.chars().next()
            }
            _ => None,
        }
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        match self.next() {
            Some(Token::Sign(found)) if *found == sign => Ok(()),
            Some(token) => Err(beyond(token)),
            None => Err(format!("`{sign}` is missing")),
        }
    }
}

#[cfg(test)]
#[path = "promql_tests.rs"]
mod tests;
