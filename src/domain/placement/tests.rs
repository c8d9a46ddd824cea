//! Tables of expressions with their verdicts and errors, and the property that no text makes the parser panic.

use proptest::prelude::*;

use super::*;
use crate::domain::sample;

fn check(expected: bool, expressions: &[&str]) {
    let attributes = sample::host().attributes;
    for text in expressions {
        match Expression::parse(text) {
            Ok(expression) => assert_eq!(expression.holds(&attributes), expected, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

fn error(text: &str) -> String {
    Expression::parse(text).unwrap_err().to_string()
}

#[test]
fn every_operator_has_a_sign_and_a_word() {
    check(
        true,
        &[
            "attribute:stack == prod",
            "attribute:stack equals prod",
            "attribute:stack != test",
            "attribute:stack not_equals test",
            "attribute:stack =~ pr.*",
            "attribute:stack matches 'p(r|l)od'",
            "attribute:stack !~ ro",
            "attribute:rack > 9",
            "attribute:rack greater_than 9",
            "attribute:rack >= 12",
            "attribute:rack greater_than_equal 12.0",
            "attribute:rack < 100",
            "attribute:rack less_than 100",
            "attribute:rack <= 12",
            "attribute:rack less_than_equal 12",
            "attribute:stack in [test, 'prod']",
            "attribute:stack !in [test]",
            "attribute:stack not_in [test, dev]",
            "attribute:stack exists",
            "attribute:gpu !exists",
            "attribute:gpu not_exists",
        ],
    );
    check(
        false,
        &[
            "attribute:stack == Prod",
            "attribute:stack =~ pro",
            "attribute:rack > 12",
            "attribute:stack in [test]",
            "attribute:gpu exists",
        ],
    );
}

#[test]
fn subjects_and_values_may_be_written_in_several_ways() {
    check(
        true,
        &[
            "attribute:ecs.os-type==linux",
            "ecs.os-type=='linux'",
            "memberOf(ecs.os-type == \"linux\")",
            "memberof (attribute:ecs.os-type == linux)",
            "  attribute:stack\n==\tprod  ",
            "attribute:stack == 'prod'",
        ],
    );
}

#[test]
fn connectives_bind_not_before_and_before_or() {
    check(
        true,
        &[
            "attribute:stack == prod or attribute:rack == 1 and attribute:rack == 2",
            "not attribute:stack == test and attribute:rack == 12",
            "not(attribute:stack == test)",
            "!(attribute:stack == test) && !attribute:rack == 1",
            "attribute:gpu exists || attribute:stack exists",
            "not not attribute:stack == prod",
        ],
    );
    check(
        false,
        &[
            "(attribute:stack == prod or attribute:rack == 1) and attribute:rack == 2",
            "NOT attribute:stack == prod",
        ],
    );
}

#[test]
fn what_the_host_lacks_fails_every_test_but_a_negated_one() {
    check(
        false,
        &[
            "attribute:gpu == a",
            "attribute:gpu =~ .*",
            "attribute:gpu < 5",
            "attribute:gpu in [a]",
        ],
    );
    check(
        true,
        &[
            "attribute:gpu != a",
            "attribute:gpu !~ .*",
            "attribute:gpu !in [a]",
        ],
    );
}

#[test]
fn errors_say_what_and_where() {
    for (text, expected) in [
        ("", "expected an attribute, found the end at character 1"),
        (
            "attribute:a",
            "expected an operator, found the end at character 12",
        ),
        (
            "attribute:a ==",
            "expected a value, found the end at character 15",
        ),
        (
            "attribute:a == b c",
            "expected an operator or the end, found \"c\" at character 18",
        ),
        (
            "(attribute:a == b",
            "expected ), found the end at character 18",
        ),
        (
            "memberOf(attribute:a == b",
            "expected ), found the end at character 26",
        ),
        (
            "attribute:a in b",
            "expected [, found \"b\" at character 16",
        ),
        (
            "attribute:a in [b c]",
            "expected ',' or ']', found \"c\" at character 19",
        ),
        (
            "attribute:a ! b",
            "expected exists or in, found \"b\" at character 15",
        ),
        (
            "attribute:ä == 'b",
            "the quoted text does not end at character 16",
        ),
        ("attribute:a = b", "'=' means nothing here at character 13"),
        (
            "attribute:a =~ '(b'",
            "\"(b\" is not a pattern at character 16",
        ),
        (
            "attribute: == b",
            "\"attribute:\" cannot be judged on a single host, only attribute:<name> can at character 1",
        ),
        (
            "task:group == service:x",
            "\"task:group\" cannot be judged on a single host, only attribute:<name> can at character 1",
        ),
        (
            "not runningTasksCount == 1",
            "\"runningTasksCount\" cannot be judged on a single host, only attribute:<name> can at character 5",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn length_and_depth_have_limits() {
    assert_eq!(
        error(&"x".repeat(2001)),
        "the expression is longer than 2000 bytes at character 1"
    );
    assert_eq!(
        error(&"(".repeat(1000)),
        "the expression is nested too deeply at character 34"
    );
    assert_eq!(
        error(&"not ".repeat(400)),
        "the expression is nested too deeply at character 133"
    );
}

#[test]
fn an_expression_tells_which_attributes_it_asks_for() {
    let expression =
        Expression::parse("attribute:b exists or not (ecs.a == 1 and attribute:b == 2)").unwrap();
    assert_eq!(
        expression.attributes().into_iter().collect::<Vec<_>>(),
        ["b", "ecs.a"]
    );
}

/// Texts made of pieces that mean something, so that they get past the first token.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "attribute:stack",
        "ecs.os-type",
        "==",
        "!",
        "=~",
        "in",
        "[",
        "]",
        ",",
        "(",
        ")",
        "and",
        "||",
        "not",
        "exists",
        "'x y'",
        "memberOf",
        "prod",
        ">",
        "(?",
        "\\",
        "*",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), pieces()]) {
        let attributes = sample::host().attributes;
        if let Ok(expression) = Expression::parse(&text) {
            expression.holds(&attributes);
        }
    }
}
