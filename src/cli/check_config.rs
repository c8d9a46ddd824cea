//! `berth check-config`: every setting as it counts, where it came from, and what is wrong.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::app::network::unusable;
use crate::config::{Config, Origin, Problem};

/// With what is wrong with the proxies and the authorities.
pub fn with_network(mut config: Config) -> Config {
    let told = unusable(&config.network).into_iter();
    let told: Vec<Problem> = told
        .map(|(setting, message)| {
            let given = config.effective.iter().find(|it| {
                it.setting.eq_ignore_ascii_case(setting) && it.origin != Origin::Default
            });
            Problem {
                setting: given.map_or(setting, |it| it.setting).to_owned(),
                origin: given.map_or(Origin::Default, |it| it.origin),
                message,
            }
        })
        .collect();
    config.problems.extend(told);
    config
}

/// Prints the settings as a table, or as JSON.
///
/// # Errors
/// If they cannot be written.
pub fn check_config(config: &Config, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    if as_json {
        return writeln!(out, "{:#}", json(config));
    }
    let name_width = width(config.effective.iter().map(|setting| setting.setting));
    let value_width = width(
        config
            .effective
            .iter()
            .map(|setting| setting.value.as_str()),
    )
    .min(48);
    let origins = config.effective.iter();
    let origins: Vec<String> = origins.map(|it| it.origin.to_string()).collect();
    let origin_width = width(origins.iter().map(String::as_str));
    for (setting, origin) in config.effective.iter().zip(origins) {
        let value = if setting.value.is_empty() {
            "-"
        } else {
            &setting.value
        };
        writeln!(
            out,
            "{:name_width$}  {value:value_width$}  {origin:origin_width$}  {}",
            setting.setting, setting.about
        )?;
    }
    if !config.problems.is_empty() {
        writeln!(out, "\nProblems:")?;
    }
    for problem in &config.problems {
        writeln!(
            out,
            "  {} ({}): {}",
            problem.setting, problem.origin, problem.message
        )?;
    }
    Ok(())
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(str::len).max().unwrap_or_default()
}

fn json(config: &Config) -> Value {
    let settings: Map<String, Value> = config
        .effective
        .iter()
        .map(|setting| {
            let value = json!({
                "value": Some(&setting.value).filter(|value| !value.is_empty()),
                "origin": setting.origin.to_string(),
                "about": setting.about,
            });
            (setting.setting.to_owned(), value)
        })
        .collect();
    let problems: Vec<Value> = config
        .problems
        .iter()
        .map(|problem| {
            json!({
                "setting": problem.setting,
                "origin": problem.origin.to_string(),
                "message": problem.message,
            })
        })
        .collect();
    json!({ "settings": settings, "problems": problems })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Strings};

    fn printed(as_json: bool) -> String {
        let texts = [("ECS_CLUSTER", "edge"), ("ECS_CLUSTR", "x")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let config = Config::read(&Strings::new().below(Origin::Environment, texts));
        let mut out = Vec::new();
        check_config(&config, as_json, &mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_table_shows_value_origin_and_problems() {
        let text = printed(false);
        let cluster = text.lines().find(|line| line.starts_with("ECS_CLUSTER "));
        let words: Vec<&str> = cluster
            .expect("a line")
            .split_whitespace()
            .take(3)
            .collect();
        assert_eq!(words, ["ECS_CLUSTER", "edge", "environment"]);
        assert!(text.ends_with(
            "Problems:\n  ECS_CLUSTR (environment): is no setting; did you mean ECS_CLUSTER?\n"
        ));
    }

    #[test]
    fn what_is_wrong_with_the_network_is_told_too() {
        let config = Config::of_environment(&[("https_proxy", "https://u:marked@proxy:1")]);
        let problems = with_network(config).problems;
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        assert_eq!(problem.setting, "https_proxy");
        assert_eq!(problem.origin, Origin::Environment);
        assert!(!problem.message.contains("marked"), "{problem:?}");
    }

    #[test]
    fn the_json_has_the_same() {
        let value: Value = serde_json::from_str(&printed(true)).expect("JSON");
        assert_eq!(value["settings"]["ECS_CLUSTER"]["value"], "edge");
        assert_eq!(value["settings"]["ECS_DATADIR"]["value"], Value::Null);
        assert_eq!(value["problems"][0]["setting"], "ECS_CLUSTR");
    }
}
