//! Judges an expression. An attribute that the host lacks fails every test, so its negation holds.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::parser::{Expression, Node, Order, Test};

impl Expression {
    /// Whether a host with these attributes is a member.
    pub fn holds(&self, attributes: &BTreeMap<String, String>) -> bool {
        self.0.holds(attributes)
    }

    /// Names of the attributes that the expression asks for.
    pub fn attributes(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.0.collect(&mut names);
        names
    }
}

impl Node {
    fn holds(&self, attributes: &BTreeMap<String, String>) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.holds(attributes)),
            Self::Or(nodes) => nodes.iter().any(|node| node.holds(attributes)),
            Self::Not(node) => !node.holds(attributes),
            Self::Test { attribute, test } => attributes
                .get(attribute)
                .is_some_and(|value| test.holds(value)),
        }
    }

    fn collect<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => {
                for node in nodes {
                    node.collect(names);
                }
            }
            Self::Not(node) => node.collect(names),
            Self::Test { attribute, .. } => {
                names.insert(attribute);
            }
        }
    }
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::Equals(wanted) => value == wanted,
            Self::Matches(pattern) => pattern.is_match(value),
            Self::Compare(order, bound) => compare(value, bound).is_some_and(|found| match order {
                Order::Greater => found.is_gt(),
                Order::GreaterOrEqual => found.is_ge(),
                Order::Less => found.is_lt(),
                Order::LessOrEqual => found.is_le(),
            }),
            Self::In(values) => values.iter().any(|wanted| value == wanted),
        }
    }
}

/// As numbers if both are, else as text.
fn compare(value: &str, bound: &str) -> Option<Ordering> {
    match (value.parse::<f64>(), bound.parse::<f64>()) {
        (Ok(value), Ok(bound)) => value.partial_cmp(&bound),
        _ => Some(value.cmp(bound)),
    }
}
