//! The spec language and the judge from outside: documents in, objectives and verdicts out.

mod calendar;
mod convert;
mod corrections;
mod derived;
mod documents;
mod given;
mod judge;
mod load;
mod problems;
mod rules;
mod scenarios;
mod schema;
mod segments;
mod selectors;
mod signals;
mod strict;
mod timeline;
mod windows;
