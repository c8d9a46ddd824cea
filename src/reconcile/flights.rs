//! Actions under way: started after the commit that they rest on, taken in when they are over.
//!
//! **Invariant.** At most one action is under way for a subject. One that panics has failed and may be tried again.

use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::boundary::ErrorKind;
use crate::boundary::secrets::SecretValues;
use crate::domain::definition::ContainerDefinition;
use crate::domain::ids::{TaskArn, UnixMillis};

use super::action::{Action, Failure, Outcome, Subject, Verb};
use super::entry::{FlightHandle, Input};
use super::observe::Observation;
use super::plan::Flight;
use super::worker::{Finished, Reconciler};

impl Reconciler {
    pub(super) fn launch(&mut self, arn: &TaskArn, action: Action, now: UnixMillis) {
        let Some(entry) = self.entries.get_mut(arn) else {
            return;
        };
        if entry.flights.contains_key(&action.subject) {
            return;
        }
        debug!(task.arn = %arn, action = %action, "acting");
        let cancel = CancellationToken::new();
        let flight = Flight {
            step: action.verb.step(),
            since: now,
        };
        entry.flights.insert(
            action.subject.clone(),
            FlightHandle {
                flight,
                cancel: cancel.clone(),
                doubted: false,
            },
        );
        let (executor, key, step) = (self.executor.clone(), arn.clone(), action.clone());
        let handle = self.flights.spawn(async move {
            let work = executor.execute(key.task_id(), &step);
            let outcome = if matches!(step.verb, Verb::Pull { .. }) {
                cancel
                    .run_until_cancelled(work)
                    .await
                    .unwrap_or_else(cancelled)
            } else {
                work.await
            };
            (key, step, outcome)
        });
        self.flight_keys.insert(handle.id(), (arn.clone(), action));
    }

    pub(super) fn take_finished(
        &mut self,
        finished: Result<(tokio::task::Id, Finished), JoinError>,
    ) {
        let (arn, action, outcome) = match finished {
            Ok((id, finished)) => {
                self.flight_keys.remove(&id);
                finished
            }
            Err(failure) => {
                let Some((arn, action)) = self.flight_keys.remove(&failure.id()) else {
                    return;
                };
                error!(event = "action-panicked", task.arn = %arn, action = %action, error = %failure, "an action panicked");
                let outcome = Outcome::Failed(Failure {
                    kind: ErrorKind::Transient,
                    name: None,
                    message: "the action panicked".to_owned(),
                    permanent: false,
                    port_holder: None,
                });
                (arn, action, outcome)
            }
        };
        let outcome = match self.entries.get(&arn) {
            Some(entry) => {
                let definition = &entry.task.desired.definition;
                let gets = |it: &ContainerDefinition| it.secrets_used().next().is_some();
                let given = if definition.containers.iter().any(gets) {
                    self.deps.secrets.held(arn.task_id())
                } else {
                    SecretValues::default()
                };
                outcome.concealed(definition, &given)
            }
            None => outcome,
        };
        if let Outcome::Failed(failure) = &outcome {
            debug!(task.arn = %arn, action = %action, kind = failure.kind.as_str(), error = failure.message, "failed");
            if failure.kind == ErrorKind::Unavailable {
                self.mark_down(&failure.message);
                self.nudge.notify_one();
            }
        }
        let now = self.deps.clock.now();
        if let Some(entry) = self.entries.get_mut(&arn) {
            let flight = entry.flights.remove(&action.subject);
            let subject = action.subject.clone();
            entry.inputs.push(Input::Done(action, outcome));
            if let Subject::Container(name) = subject {
                entry.fact_at.insert(name.clone(), Instant::now());
                if flight.is_some_and(|flight| flight.doubted) {
                    entry.see(name, Observation::Changed);
                }
            }
            self.queue.wake(&arn, now);
        } else {
            // What came for a task that is gone is held for nobody.
            self.deps.secrets.forget(arn.task_id());
        }
    }
}

fn cancelled() -> Outcome {
    Outcome::Failed(Failure {
        kind: ErrorKind::Cancelled,
        name: None,
        message: "not needed any more".to_owned(),
        permanent: false,
        port_holder: None,
    })
}
