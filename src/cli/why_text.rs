//! Explanations as text. Pure: the API's answer in, lines out.

use super::output::{plain, wrap};
use crate::api::observe::events::wire::EventRecord;
use crate::api::observe::task::wire::{Condition, Container, InFlightStep};
use crate::api::observe::why::human::{bytes, span};
use crate::api::observe::why::wire::{Engine, WhyAnswer, WhyList, WhyTask};
use crate::api::wire::Time;

/// Column where the text begins.
const MARGIN: usize = 12;

/// Next steps shown; the first ones matter.
const MAX_STEPS: usize = 5;

/// Lines of a fixed width.
struct Page {
    width: usize,
    lines: Vec<String>,
}

impl Page {
    fn new(width: usize) -> Self {
        Self {
            width: width.max(2 * MARGIN),
            lines: Vec::new(),
        }
    }

    /// A labelled text, its further lines indented to the first.
    fn entry(&mut self, label: &str, text: &str) {
        let room = self.width.saturating_sub(MARGIN);
        for (index, line) in wrap(&plain(text), room).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let line = format!("{label:MARGIN$}{line}");
            self.lines.push(line.trim_end().to_owned());
        }
    }

    fn gap(&mut self) {
        self.lines.push(String::new());
    }
}

/// One task.
pub(super) fn one(answer: &WhyAnswer, width: usize) -> Vec<String> {
    let mut page = Page::new(width);
    engine(&mut page, &answer.engine, answer.now);
    let task = &answer.task;
    head(&mut page, task, answer.now);
    if let Some(condition) = &task.blocking {
        page.gap();
        blocking(&mut page, condition, answer.now);
    }
    for step in &task.in_flight {
        page.entry("under way", &step_words(step, answer.now));
    }
    for step in task.planned.iter().take(MAX_STEPS) {
        page.entry("then", step);
    }
    for condition in &task.others {
        page.entry("also", &condition_words(condition));
    }
    page.gap();
    for container in &task.containers {
        page.entry("container", &container_words(container));
    }
    timeline(&mut page, answer);
    page.lines
}

/// All that wait.
pub(super) fn all(list: &WhyList, width: usize) -> Vec<String> {
    let mut page = Page::new(width);
    engine(&mut page, &list.engine, list.now);
    for task in &list.tasks {
        head(&mut page, task, list.now);
        if let Some(condition) = &task.blocking {
            page.entry("", &times(condition, list.now));
        }
        page.gap();
    }
    if list.left_off > 0 {
        page.entry("", &format!("{} more tasks wait", list.left_off));
    }
    let settled = match list.settled {
        0 if list.tasks.is_empty() => "there are no tasks".to_owned(),
        0 => "no other tasks".to_owned(),
        1 => "1 task is where it should be".to_owned(),
        count => format!("{count} tasks are where they should be"),
    };
    page.lines.push(settled);
    page.lines
}

/// What is wrong around all tasks, on top.
fn engine(page: &mut Page, engine: &Engine, now: Time) {
    let before = page.lines.len();
    let since = |at: Option<Time>| match at {
        Some(at) => format!(" (last good {} ago)", span(now.0.since(at.0))),
        None => String::new(),
    };
    match &engine.runtime_error {
        Some(error) => {
            let age = since(engine.runtime_answered_at);
            page.entry("DOCKER", &format!("does not answer{age}: {error}"));
        }
        None if !engine.runtime_seen => page.entry("DOCKER", "has not answered yet"),
        None => {}
    }
    if let Some(error) = &engine.store_error {
        let age = since(engine.committed_at);
        page.entry("STATE", &format!("cannot be written{age}: {error}"));
    }
    if let Some(words) = &engine.draining {
        page.entry("DRAINS", words);
    }
    for damage in &engine.damage {
        page.entry("SET ASIDE", damage);
    }
    if page.lines.len() > before {
        page.gap();
    }
}

fn head(page: &mut Page, task: &WhyTask, now: Time) {
    let revision = match task.revision {
        0 => String::new(),
        revision => format!(":{revision}"),
    };
    let state = if task.status == task.desired_status {
        task.status.clone()
    } else {
        format!("{}, should be {}", task.status, task.desired_status)
    };
    let age = span(now.0.since(task.arrived_at.0));
    page.entry(
        "task",
        &format!("{} ({}{revision}), {age} old", task.task_id, task.family),
    );
    page.entry("is", &state);
    page.entry("why", &task.headline);
}

fn blocking(page: &mut Page, condition: &Condition, now: Time) {
    let of = match &condition.container {
        Some(container) => format!(" of container {container}"),
        None => String::new(),
    };
    // The message is in the sentence already.
    let times = times(condition, now);
    page.entry("blocked", &format!("{}{of} {times}", condition.cause));
}

fn times(condition: &Condition, now: Time) -> String {
    let age = span(std::time::Duration::from_secs(condition.age_seconds));
    let deadline = condition
        .deadline
        .map(|at| format!(", given up {}", relative(at, now)));
    let next_at = condition
        .next_at
        .map(|at| format!(" {}", relative(at, now)));
    [
        format!("for {age}"),
        deadline.unwrap_or_default(),
        format!("; next: {}", condition.next_action),
        next_at.unwrap_or_default(),
    ]
    .concat()
}

/// `in 5 s`, or `now` for what is due.
fn relative(at: Time, now: Time) -> String {
    if at <= now {
        "now".to_owned()
    } else {
        format!("in {}", span(at.0.since(now.0)))
    }
}

fn condition_words(condition: &Condition) -> String {
    match &condition.container {
        Some(container) => format!("{} of {container}: {}", condition.cause, condition.message),
        None => format!("{}: {}", condition.cause, condition.message),
    }
}

fn step_words(step: &InFlightStep, now: Time) -> String {
    let object = match &step.container {
        Some(container) => format!("{} of {container}", step.step),
        None => step.step.clone(),
    };
    let mut words = vec![format!("{object} for {}", span(now.0.since(step.since.0)))];
    words.extend(
        step.deadline
            .map(|at| format!("given up {}", relative(at, now))),
    );
    if let Some(progress) = &step.progress {
        let total = bytes(progress.download_total_bytes);
        words.extend(
            progress
                .percent
                .map(|percent| format!("{percent} % of {total}")),
        );
        words.extend(
            progress
                .bytes_per_second
                .map(|rate| format!("{}/s", bytes(rate))),
        );
        let (done, total) = (progress.layers_done, progress.layers_total);
        words.push(format!("layer {done} of {total}"));
    }
    words.join(", ")
}

fn container_words(container: &Container) -> String {
    let mut state = format!("{} {}", container.name, container.status);
    if container.health != "UNKNOWN" {
        state = format!("{state} {}", container.health);
    }
    let mut words = vec![state];
    if let Some(exit) = &container.exit {
        words.push(match exit.code {
            Some(code) => format!("exit code {code}"),
            None => "exit code unknown".to_owned(),
        });
        words.extend(
            exit.oom_killed
                .then(|| "killed for its memory use".to_owned()),
        );
    }
    if container.restart_count > 0 {
        words.push(match container.restart_count {
            1 => "restarted once".to_owned(),
            count => format!("restarted {count} times"),
        });
    }
    if container.degraded_log {
        words.push("logs with the fallback driver".to_owned());
    }
    words.extend(container.reason.clone());
    words.join(", ")
}

fn timeline(page: &mut Page, answer: &WhyAnswer) {
    if !answer.timeline.is_empty() {
        page.gap();
    }
    for event in &answer.timeline {
        page.entry(&clock(event.at, answer.now), &event_words(event));
    }
    if let Some(error) = &answer.timeline_error {
        page.gap();
        page.entry("timeline", error);
    }
}

/// `03:04:05`, or `01-02 03:04` on another day than `now`, in UTC.
fn clock(at: Time, now: Time) -> String {
    let (at, now) = (at.to_string(), now.to_string());
    // `2026-01-02T03:04:05.678Z`
    let part = |text: &str, range| text.get::<std::ops::Range<usize>>(range).map(str::to_owned);
    let text = if part(&at, 0..10) == part(&now, 0..10) {
        part(&at, 11..19)
    } else {
        part(&at, 5..16).map(|text| text.replace('T', " "))
    };
    text.unwrap_or(at)
}

/// `app Started: …`, or without a container the kind alone.
pub(super) fn event_words(event: &EventRecord) -> String {
    let container = event.container.iter().map(|name| format!("{name} "));
    let container: String = container.collect();
    format!("{container}{}: {}", event.kind, event.message)
}
