//! Text into steps, with the line and what was expected there.

use std::time::Duration;

use berth::boundary::ErrorKind;
use berth::domain::ids::ContainerName;
use berth::domain::image::PullBehavior;
use berth::domain::status::TaskStatus;
use berth::testing::sim::CrashAt;
use berth::testing::world::{Effect, EventFate, Fault, Operation};

use super::step::{Agent, ByHand, Database, Dockerd, Line, Place, Show, Step};
use super::tasks::TaskText;

/// Why a line is no step.
type Wrong = String;

/// Reads a scenario; an error is `LINE: what is wrong`.
pub(super) fn read(text: &str) -> Result<Vec<Line>, String> {
    let mut lines: Vec<Line> = Vec::new();
    let mut task: Option<(usize, TaskText)> = None;
    let numbered = (1..).zip(text.lines()).chain([(0, "end")]);
    for (number, line) in numbered {
        let indented = line.starts_with(' ');
        if let Some((_, open)) = task.as_mut().filter(|_| indented) {
            open.take_line(line.trim())
                .map_err(|wrong| format!("{number}: {wrong}: {line:?}"))?;
            continue;
        }
        if let Some((begun, done)) = task.take() {
            lines.push(done.finish().map_err(|wrong| format!("{begun}: {wrong}"))?);
        }
        if number == 0 || line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("task ") {
            task = Some((number, TaskText::new(name)));
            continue;
        }
        let step = step(line).map_err(|wrong| format!("{number}: {wrong}: {line:?}"))?;
        let text = line.to_owned();
        lines.push(Line { text, step });
    }
    Ok(lines)
}

fn step(line: &str) -> Result<Step, Wrong> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let name = |text: &str| text.to_owned();
    Ok(match words.as_slice() {
        ["put", task] => Step::Put(name(task)),
        ["stop", "agent"] => Step::Agent(Agent::Stop),
        ["stop", task] => Step::Stop(name(task)),
        ["drain"] => Step::Drain(true),
        ["undrain"] => Step::Drain(false),
        ["rm", task] => Step::Remove(name(task)),
        ["die", at, "oom"] => Step::Die {
            place: place(at)?,
            code: 137,
            oom: true,
        },
        ["die", at, code] => Step::Die {
            place: place(at)?,
            code: number(code)?,
            oom: false,
        },
        ["docker", verb, at, rest @ ..] => Step::ByHand(place(at)?, by_hand(verb, rest)?),
        [
            "fail" | "hang" | "delay" | "lose",
            "next" | "every" | "answer",
            ..,
        ] => Step::Break(fault(&words)?),
        ["release"] => Step::Release,
        ["heal"] => Step::Heal,
        ["delay", "events", time] => Step::Events(EventFate::Delay(duration(time)?)),
        [fate, "events"] => Step::Events(event_fate(fate)?),
        ["dockerd", rest @ ..] => Step::Dockerd(dockerd(rest)?),
        ["start", "agent"] => Step::Agent(Agent::Start),
        ["crash", "agent"] => Step::Agent(Agent::Crash),
        ["lose", "power"] => Step::Agent(Agent::LosePower),
        ["crash", "agent", "at", "next", call, at] => {
            Step::Agent(Agent::CrashAt(name(call), crash_at(at)?))
        }
        ["lose", "database"] => Step::Database(Database::Lose),
        ["fill", "database"] => Step::Database(Database::Fill),
        ["empty", "database"] => Step::Database(Database::Empty),
        ["lose", times, "commit", "answers"] => {
            Step::Database(Database::LoseAnswers(number(times)?))
        }
        ["port", port, state @ ("taken" | "free")] => Step::Port {
            port: number(port)?,
            taken: *state == "taken",
        },
        [state @ ("healthy" | "unhealthy"), container] => Step::Health {
            container: container_name(container)?,
            healthy: *state == "healthy",
        },
        ["pulls", behavior] => Step::Pulls(pull_behavior(behavior)?),
        ["advance", time] => Step::Advance(duration(time)?),
        ["clock", time] => Step::Clock(clock(time)?),
        ["until", task, status, "within", time] => Step::Until {
            task: name(task),
            status: status_or_gone(status)?,
            within: duration(time)?,
        },
        ["show", rest @ ..] => Step::Show(show(rest)?),
        _ => return Err("is no step".to_owned()),
    })
}

fn place(text: &str) -> Result<Place, Wrong> {
    let (task, container) = text
        .split_once('/')
        .ok_or_else(|| format!("{text} is no TASK/CONTAINER"))?;
    Ok(Place {
        task: task.to_owned(),
        container: container_name(container)?,
    })
}

pub(super) fn container_name(text: &str) -> Result<ContainerName, Wrong> {
    ContainerName::parse(text).map_err(|error| format!("container {text} {error}"))
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// `250ms`, `30s`, `5m`, `3h`.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let at = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(at.unwrap_or(text.len()));
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{text} is no time: 250ms, 30s, 5m, 3h")),
    };
    Ok(Duration::from_millis(number::<u64>(digits)? * millis))
}

fn clock(text: &str) -> Result<i64, Wrong> {
    let millis = |text| -> Result<i64, Wrong> {
        let millis = duration(text)?.as_millis();
        i64::try_from(millis).map_err(|_| format!("{text} is too long"))
    };
    match text.split_at_checked(1) {
        Some(("+", rest)) => millis(rest),
        Some(("-", rest)) => Ok(-millis(rest)?),
        _ => Err("the clock is set by +TIME or -TIME".to_owned()),
    }
}

fn by_hand(verb: &str, rest: &[&str]) -> Result<ByHand, Wrong> {
    Ok(match (verb, rest) {
        ("rm", []) => ByHand::Remove,
        ("stop", []) => ByHand::Stop,
        ("kill", []) => ByHand::Kill,
        ("start", []) => ByHand::Start,
        ("restart", []) => ByHand::Restart,
        ("pause", []) => ByHand::Pause,
        ("unpause", []) => ByHand::Unpause,
        ("rename", [name]) => ByHand::Rename((*name).to_owned()),
        _ => {
            let known = "rm, stop, kill, start, restart, pause, unpause or rename TO";
            return Err(format!("docker {verb} is not {known}"));
        }
    })
}

fn event_fate(word: &str) -> Result<EventFate, Wrong> {
    Ok(match word {
        "deliver" => EventFate::Deliver,
        "drop" => EventFate::Drop,
        "repeat" => EventFate::Repeat,
        "reorder" => EventFate::Reorder,
        _ => return Err("events can be delivered, dropped, repeated or reordered".to_owned()),
    })
}

fn dockerd(words: &[&str]) -> Result<Dockerd, Wrong> {
    Ok(match words {
        ["stop"] => Dockerd::Stop,
        ["start"] => Dockerd::Start,
        ["crash"] => Dockerd::Crash,
        ["restart"] => Dockerd::Restart { live: false },
        ["restart", "live"] => Dockerd::Restart { live: true },
        _ => return Err("dockerd can stop, start, crash, restart, restart live".to_owned()),
    })
}

fn crash_at(word: &str) -> Result<CrashAt, Wrong> {
    Ok(match word {
        "before" => CrashAt::Before,
        "after" => CrashAt::After,
        "late" => CrashAt::Late,
        _ => return Err("a crash is before, after, or late".to_owned()),
    })
}

fn pull_behavior(word: &str) -> Result<PullBehavior, Wrong> {
    Ok(match word {
        "default" => PullBehavior::Default,
        "always" => PullBehavior::Always,
        "once" => PullBehavior::Once,
        "prefer-cached" => PullBehavior::PreferCached,
        _ => return Err("an agent pulls default, always, once or prefer-cached".to_owned()),
    })
}

fn status_or_gone(word: &str) -> Result<Option<TaskStatus>, Wrong> {
    if word == "gone" {
        return Ok(None);
    }
    let status = TaskStatus::from_text(word);
    status
        .map(Some)
        .ok_or_else(|| format!("{word} is no status of a task"))
}

fn show(words: &[&str]) -> Result<Show, Wrong> {
    Ok(match words {
        ["tasks"] => Show::Tasks,
        ["why"] => Show::Why,
        ["events", task] => Show::Events((*task).to_owned()),
        ["containers"] => Show::Containers,
        ["left"] => Show::Left,
        _ => return Err("can show tasks, why, events TASK, containers, left".to_owned()),
    })
}

/// `fail next 2 create of app with transient`, `hang every stop`, `delay next pull by 5s`,
/// `lose answer of next start of app after 30s`.
fn fault(words: &[&str]) -> Result<Fault, Wrong> {
    let (verb, rest) = match words {
        ["lose", "answer", "of", rest @ ..] => ("lose", rest),
        [verb, rest @ ..] => (*verb, rest),
        [] => ("", words),
    };
    let (times, rest) = match rest {
        ["every", rest @ ..] => (u32::MAX, rest),
        ["next", count, rest @ ..] if count.parse::<u32>().is_ok() => (number(count)?, rest),
        ["next", rest @ ..] => (1, rest),
        _ => return Err("which call: next, next 3 or every".to_owned()),
    };
    let (call, rest) = rest.split_first().ok_or("which call is missing")?;
    let operation = operation(call)?;
    let (about, rest) = match rest {
        ["of", about, rest @ ..] if operation == Operation::Pull => ((*about).to_owned(), rest),
        ["of", about, rest @ ..] => (format!("-{about}-"), rest),
        rest => (String::new(), rest),
    };
    let effect = match (verb, rest) {
        ("fail", ["with", kind]) => Effect::Fail(kind_of(kind)?),
        ("hang", []) => Effect::Hang(Duration::from_hours(10)),
        ("hang", ["for", time]) => Effect::Hang(duration(time)?),
        ("delay", ["by", time]) => Effect::Delay(duration(time)?),
        ("lose", ["after", time]) => Effect::ActThenTimeOut(duration(time)?),
        _ => {
            let known = "with KIND, for TIME, by TIME or after TIME";
            return Err(format!("{verb} … {known}"));
        }
    };
    Ok(Fault {
        operation,
        about,
        times,
        effect,
    })
}

fn operation(word: &str) -> Result<Operation, Wrong> {
    const ALL: [(&str, Operation); 11] = [
        ("info", Operation::Info),
        ("list", Operation::List),
        ("inspect", Operation::Inspect),
        ("create", Operation::Create),
        ("start", Operation::Start),
        ("stop", Operation::Stop),
        ("kill", Operation::Kill),
        ("remove", Operation::Remove),
        ("create-volume", Operation::CreateVolume),
        ("remove-volume", Operation::RemoveVolume),
        ("pull", Operation::Pull),
    ];
    let found = ALL.iter().find(|(name, _)| *name == word);
    let names = || ALL.map(|(name, _)| name).join(", ");
    found
        .map(|(_, operation)| *operation)
        .ok_or_else(|| format!("{word} is no call: {}", names()))
}

fn kind_of(word: &str) -> Result<ErrorKind, Wrong> {
    const ALL: [(&str, ErrorKind); 9] = [
        ("transient", ErrorKind::Transient),
        ("unavailable", ErrorKind::Unavailable),
        ("not-found", ErrorKind::NotFound),
        ("conflict", ErrorKind::Conflict),
        ("invalid", ErrorKind::Invalid),
        ("denied", ErrorKind::Denied),
        ("log-driver", ErrorKind::LogDriver),
        ("port-taken", ErrorKind::PortTaken),
        ("no-space", ErrorKind::NoSpace),
    ];
    let found = ALL.iter().find(|(name, _)| *name == word);
    let names = || ALL.map(|(name, _)| name).join(", ");
    found
        .map(|(_, kind)| *kind)
        .ok_or_else(|| format!("{word} is no kind of error: {}", names()))
}

#[cfg(test)]
mod tests {
    use super::read;

    fn check(text: &str, wrong: &str) {
        let said = read(text).expect_err(text);
        assert!(said.contains(wrong), "{text:?}: {said}");
    }

    #[test]
    fn says_where_and_what_was_expected() {
        check("put a\nptu b\n", "2: is no step: \"ptu b\"");
        check("die web 3", "web is no TASK/CONTAINER");
        check("die web/a three", "three is no number");
        check("docker explode web/a", "docker explode is not rm, stop");
        check("docker rename web/a", "rename TO");
        check(
            "fail next jump with transient",
            "jump is no call: info, list",
        );
        check(
            "fail next create with love",
            "love is no kind of error: transient",
        );
        check("fail next create", "with KIND");
        check("pulls never", "default, always, once or prefer-cached");
        check("advance 3 days", "is no step");
        check("advance 3d", "3d is no time: 250ms, 30s, 5m, 3h");
        check("clock 3h", "+TIME or -TIME");
        check("until web WALKING within 3s", "WALKING is no status");
        check("show me", "can show tasks");
        check(
            "task web\n  app: dances",
            "2: dances is not what a container does",
        );
        check("task web\n  app: serve, wings", "2: wings is no option");
        check("task web\n  app serve", "2: is no `NAME: …`");
        check("task web\nput web", "1: task web has no containers");
        check(
            "task web\n  app: serve, after db NEVER",
            "NEVER is no condition",
        );
        check("task web\n  a: serve, port eighty", "eighty is no number");
    }
}
