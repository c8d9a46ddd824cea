//! Typed reading of query strings: every complaint names its parameter, and unknown ones are complaints too.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::problem::{Problem, ProblemKind};
use super::wire::FieldError;

/// The parameters of a request, taken one by one. [`Params::finish`] says what was wrong with them.
#[derive(Debug, Default)]
pub(super) struct Params {
    given: BTreeMap<String, String>,
    errors: Vec<FieldError>,
}

impl Params {
    fn of_pairs(pairs: Vec<(String, String)>) -> Self {
        let mut params = Self::default();
        for (name, value) in pairs {
            if params.given.insert(name.clone(), value).is_some() {
                params.complain(&name, "is given twice");
            }
        }
        params
    }

    /// The text of a parameter.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.given.remove(name)
    }

    /// A parameter that is true if it is there without a value, or as it says.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.given.remove(name).as_deref() {
            None | Some("false" | "0") => false,
            Some("" | "true" | "1") => true,
            Some(other) => {
                let message = format!("is {other:?}, allowed are true and false");
                self.complain(name, message);
                false
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(&mut self, name: &str, allowed: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let text = self.given.remove(name)?;
        match text.parse() {
            Ok(number) if allowed.contains(&number) => Some(number),
            _ => {
                let (lowest, highest) = allowed.into_inner();
                let message =
                    format!("is {text:?}, allowed are whole numbers from {lowest} to {highest}");
                self.complain(name, message);
                None
            }
        }
    }

    /// One of a set of words.
    pub(super) fn choice<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
        allowed: &str,
    ) -> Option<T> {
        let text = self.given.remove(name)?;
        let value = read(&text);
        if value.is_none() {
            self.complain(name, format!("is {text:?}, allowed are {allowed}"));
        }
        value
    }

    /// Every parameter whose name begins so, without that beginning.
    pub(super) fn prefixed(&mut self, prefix: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        self.given
            .retain(|name, value| match name.strip_prefix(prefix) {
                Some(rest) => {
                    found.insert(rest.to_owned(), std::mem::take(value));
                    false
                }
                None => true,
            });
        found
    }

    /// Adds a complaint about a parameter.
    pub(super) fn complain(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError {
            path: format!("query.{name}"),
            message: message.into(),
        });
    }

    /// Succeeds if everything given was taken and fits.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self.given.keys().cloned().collect();
        for name in unknown {
            self.complain(&name, "is not a parameter of this path");
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::new(ProblemKind::BadRequest).errors(self.errors))
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::field("query", "is not of the form name=value&name=value"))?;
        Ok(Self::of_pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let uri = format!("/x?{query}").parse().expect("a uri");
        let Query(pairs) = Query::try_from_uri(&uri).expect("pairs");
        Params::of_pairs(pairs)
    }

    #[test]
    fn every_bad_parameter_is_named() {
        let mut bad = params("follow=perhaps&tail=-1&tial=3&a=1&a=2");
        bad.flag("follow");
        bad.number::<u32>("tail", 0..=10);
        bad.text("a");
        let problem = format!("{:?}", bad.finish().expect_err("a problem"));
        for name in ["query.follow", "query.tail", "query.tial", "query.a"] {
            assert!(problem.contains(name), "{name} in {problem}");
        }
    }

    #[test]
    fn values_are_taken_as_they_are_meant() {
        let mut good = params("follow&raw=true&tail=7&var.A=x%26y&var.B=");
        assert!(good.flag("follow") && good.flag("raw") && !good.flag("absent"));
        assert_eq!(good.number::<u32>("tail", 0..=10), Some(7));
        let variables = good.prefixed("var.");
        assert_eq!(variables.get("A").map(String::as_str), Some("x&y"));
        assert_eq!(variables.len(), 2);
        assert!(good.finish().is_ok());
    }
}
