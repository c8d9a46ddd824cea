//! The fuzz entry points on generated input: every parser of what people or other programs hand in.

use berth::config::ecs_env;
use berth::testing::fuzz;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Words and signs of placement expressions.
const PLACEMENT: [&str; 24] = [
    "memberOf(",
    "(",
    ")",
    " ",
    " and ",
    " or ",
    "not ",
    "!",
    "==",
    "!=",
    "=~",
    "!~",
    ">=",
    "<",
    " in ",
    "[",
    "]",
    ",",
    "attribute:",
    "ecs.os-type",
    "'linux'",
    "exists ",
    "task:group",
    "é",
];

/// Pieces of settings files.
const SETTINGS: [&str; 20] = [
    "{",
    "}",
    "\"",
    ":",
    ",",
    "\"ECS_CLUSTER\"",
    "\"Cluster\"",
    "\"ECS_DATADIR\"",
    "\"../../etc\"",
    "\"DataDir\"",
    "ECS_CLUSTER=",
    "\n",
    "#",
    "true",
    "1e99",
    "[1,2]",
    "null",
    "\u{0}",
    "'",
    "é",
];

fn joined(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    vec(select(pieces), 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_bytes_are_harmless_to_every_parser(data in vec(any::<u8>(), 0..200)) {
        fuzz::definition(&data);
        fuzz::label(&data);
        fuzz::image_reference(&data);
        fuzz::task_arn(&data);
        fuzz::settings_file(&data);
        fuzz::placement(&data);
    }

    #[test]
    fn placement_expressions_are_read_or_refused_with_a_place(data in joined(&PLACEMENT)) {
        fuzz::placement(&data);
    }

    #[test]
    fn settings_files_are_read_or_refused_in_words(data in joined(&SETTINGS)) {
        fuzz::settings_file(&data);
    }

    #[test]
    fn every_setting_takes_any_text_or_refuses_it_in_words(
        setting in select(ecs_env::ALL),
        text in "[ -~]{0,40}|[0-9]{1,30}[a-z]{0,3}|[\\[{\",:}\\]a-z0-9]{0,40}",
    ) {
        fuzz::setting(setting.name, text.as_bytes());
    }

    #[test]
    fn image_references_and_arns_are_read_or_refused(text in "[a-z0-9:/@._<>A-Z-]{0,80}") {
        fuzz::image_reference(text.as_bytes());
        fuzz::task_arn(format!("arn:aws:ecs:r:1:task/{text}").as_bytes());
    }
}
