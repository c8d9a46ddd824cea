//! The service manager of Windows: being a service, and installing, starting and stopping it.
//!
//! **Invariant.** The process connects to the manager before it does anything else.

use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceDependency, ServiceErrorControl, ServiceExitCode, ServiceFailureActions,
    ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceStatus,
    ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{define_windows_service, service_dispatcher};

use crate::platform::service::{
    Control, Course, DESCRIPTION, DISPLAY_NAME, Exit, Installation, NAME, ServiceError, Start,
    State,
};
use crate::platform::service_course::{self, Known, Phase, Told};

/// Waits before the first, the second and each further start after an end with an error.
const RECOVERY: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

/// After that long without an error the next one counts as the first.
const RECOVERY_RESET: Duration = Duration::from_mins(5);

/// How long an ordered end may take: 25 s for the tasks of ECS when the host goes down, the grace of each group of
/// components, and some.
const END_LIMIT: Duration = Duration::from_secs(65);

/// How long `start` and `stop` wait at most.
const WAIT_LIMIT: Duration = Duration::from_mins(1);

/// How often they look.
const WAIT_PACE: Duration = Duration::from_millis(100);

const FILE_NOT_FOUND: i32 = 2;
const ACCESS_DENIED: i32 = 5;
const NOT_STARTED_BY_MANAGER: i32 = 1063;
const CANNOT_TAKE_IT: i32 = 1061;
const ALREADY_RUNNING: i32 = 1056;
const NO_SUCH_SERVICE: i32 = 1060;
const NOT_ACTIVE: i32 = 1062;

/// The service manager does not know what is asked of it: that of Wine knows little.
const UNKNOWN_LEVEL: i32 = 124;

/// The manager has asked for the end. A word that nobody has taken yet is kept.
static ASKED_TO_END: Notify = Notify::const_new();

/// The manager has said that the host goes down.
static HOST_GOES_DOWN: AtomicBool = AtomicBool::new(false);

type Agent = Box<dyn FnOnce() -> u8 + Send>;

/// What the manager's thread runs: it takes no arguments of ours.
static AGENT: Mutex<Option<Agent>> = Mutex::new(None);

/// Waits until the manager asks for the end. Cancel safe.
pub(super) async fn asked_to_end() {
    ASKED_TO_END.notified().await;
}

/// Whether the manager has said that the host goes down, and not the agent alone.
pub async fn host_goes_down() -> bool {
    HOST_GOES_DOWN.load(Ordering::Acquire)
}

define_windows_service!(service_main, live);

/// Lets the manager run the agent in this process; returns when it has ended.
///
/// # Errors
/// [`ServiceError::NoManager`] if the manager did not start this process.
pub fn run(agent: impl FnOnce() -> u8 + Send + 'static) -> Result<(), ServiceError> {
    *AGENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(agent));
    service_dispatcher::start(NAME, service_main).map_err(|error| {
        if code_of(&error) == Some(NOT_STARTED_BY_MANAGER) {
            ServiceError::NoManager
        } else {
            failed("connect to the service manager")(error)
        }
    })
}

/// The service's life, on a thread of the manager's.
fn live(_args: Vec<OsString>) {
    let agent = AGENT.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(agent) = agent else { return };
    let (course, told) = Course::begin();
    let course = std::sync::Arc::new(Mutex::new(course));
    let handle: std::sync::Arc<OnceLock<ServiceStatusHandle>> = std::sync::Arc::default();
    let handler = {
        let (course, handle) = (course.clone(), handle.clone());
        move |control| {
            let asked = control_of(control);
            HOST_GOES_DOWN.fetch_or(asked.is_of_host(), Ordering::AcqRel);
            // Held until the manager is told: it must not hear of the service what was true before its end.
            let mut course = course.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = course.on(asked);
            if let (Some(state), Some(handle)) = (answer.report, handle.get()) {
                report(*handle, state);
            }
            drop(course);
            if answer.tell {
                ASKED_TO_END.notify_one();
            }
            if asked == Control::Other {
                ServiceControlHandlerResult::NotImplemented
            } else {
                ServiceControlHandlerResult::NoError
            }
        }
    };
    // Without a handler the manager cannot be told anything either.
    let Ok(registered) = service_control_handler::register(NAME, handler) else {
        return;
    };
    let registered = *handle.get_or_init(|| registered);
    for state in told {
        report(registered, state);
    }
    let code = agent();
    let mut course = course.lock().unwrap_or_else(PoisonError::into_inner);
    for state in course.ended(code) {
        report(registered, state);
    }
}

fn control_of(control: ServiceControl) -> Control {
    let known = [
        (ServiceControl::Stop, Control::Stop),
        (ServiceControl::Shutdown, Control::Shutdown),
        (ServiceControl::Preshutdown, Control::Preshutdown),
        (ServiceControl::Interrogate, Control::Interrogate),
    ];
    let mut known = known.into_iter();
    known
        .find(|(theirs, _)| *theirs == control)
        .map_or(Control::Other, |(_, ours)| ours)
}

fn report(handle: ServiceStatusHandle, state: State) {
    if let Err(error) = handle.set_service_status(status_of(state)) {
        tracing::warn!(event = "service-manager-unheard", %error, "the service manager does not listen");
    }
}

/// What the manager is told of a state: which controls are taken then, and how the end was.
fn status_of(state: State) -> ServiceStatus {
    let takes = ServiceControlAccept::STOP
        | ServiceControlAccept::SHUTDOWN
        | ServiceControlAccept::PRESHUTDOWN;
    let (current_state, controls_accepted) = match state {
        State::StartPending => (ServiceState::StartPending, ServiceControlAccept::empty()),
        State::Running => (ServiceState::Running, takes),
        State::StopPending => (ServiceState::StopPending, ServiceControlAccept::empty()),
        State::Stopped(_) => (ServiceState::Stopped, ServiceControlAccept::empty()),
    };
    let exit_code = match state {
        State::Stopped(Exit::Code(code)) => ServiceExitCode::ServiceSpecific(code),
        State::Stopped(Exit::Well) | State::StartPending | State::Running | State::StopPending => {
            ServiceExitCode::Win32(0)
        }
    };
    let pending = matches!(state, State::StartPending | State::StopPending);
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted,
        exit_code,
        checkpoint: u32::from(pending),
        wait_hint: if pending { END_LIMIT } else { Duration::ZERO },
        process_id: None,
    }
}

/// Installs the service, or changes one that is there. What this system's service manager does not know is left out and
/// told.
///
/// # Errors
/// [`ServiceError`].
pub fn install(wanted: &Installation) -> Result<Vec<&'static str>, ServiceError> {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = manager(access, "install the service")?;
    let info = info_of(wanted);
    let rights = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::QUERY_STATUS;
    let service = match manager.open_service(NAME, rights) {
        Ok(service) => {
            let changed = service.change_config(&info);
            changed.map_err(failed("change the service"))?;
            service
        }
        Err(error) if code_of(&error) == Some(NO_SUCH_SERVICE) => manager
            .create_service(&info, rights)
            .map_err(failed("install the service"))?,
        Err(error) => return Err(failed("open the service")(error)),
    };
    let steps = configure(&service, wanted.start);
    let mut left_out = Vec::new();
    for (step, done) in steps {
        match done {
            Err(error) if code_of(&error) == Some(UNKNOWN_LEVEL) => left_out.push(step),
            done => done.map_err(failed(step))?,
        }
    }
    Ok(left_out)
}

/// The service as the manager keeps it: of the account `LocalSystem`, in a process of its own.
fn info_of(wanted: &Installation) -> ServiceInfo {
    ServiceInfo {
        name: NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: match wanted.start {
            Start::Delayed => ServiceStartType::AutoStart,
            Start::Manual => ServiceStartType::OnDemand,
            Start::Disabled => ServiceStartType::Disabled,
        },
        error_control: ServiceErrorControl::Normal,
        executable_path: wanted.program.clone(),
        launch_arguments: wanted.args.iter().map(OsString::from).collect(),
        // Docker may be installed later, restarted, or elsewhere: the agent waits for it. Of an empty list the manager
        // makes "as before", which may be Docker where another ECS agent was installed; an empty name is none.
        dependencies: vec![ServiceDependency::Service(OsString::new())],
        account_name: None,
        account_password: None,
    }
}

/// What a service is told beside its program: each is one level of `ChangeServiceConfig2`.
trait Configure {
    fn describe(&self, words: &str) -> windows_service::Result<()>;
    fn delay(&self, delayed: bool) -> windows_service::Result<()>;
    fn recover(&self, actions: ServiceFailureActions) -> windows_service::Result<()>;
    fn recover_from_errors(&self, also: bool) -> windows_service::Result<()>;
    fn end_within(&self, limit: Duration) -> windows_service::Result<()>;
}

impl Configure for Service {
    fn describe(&self, words: &str) -> windows_service::Result<()> {
        self.set_description(words)
    }

    fn delay(&self, delayed: bool) -> windows_service::Result<()> {
        self.set_delayed_auto_start(delayed)
    }

    fn recover(&self, actions: ServiceFailureActions) -> windows_service::Result<()> {
        self.update_failure_actions(actions)
    }

    fn recover_from_errors(&self, also: bool) -> windows_service::Result<()> {
        self.set_failure_actions_on_non_crash_failures(also)
    }

    fn end_within(&self, limit: Duration) -> windows_service::Result<()> {
        self.set_preshutdown_timeout(limit)
    }
}

type Step = (&'static str, windows_service::Result<()>);

/// What the service is, when it starts, what the manager does when it ends with an error, and how long the host waits
/// for it when it goes down.
fn configure(service: &impl Configure, start: Start) -> [Step; 5] {
    let restart = |delay| ServiceAction {
        action_type: ServiceActionType::Restart,
        delay,
    };
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(RECOVERY_RESET),
        reboot_msg: None,
        command: None,
        actions: Some(RECOVERY.map(restart).to_vec()),
    };
    [
        ("describe the service", service.describe(DESCRIPTION)),
        (
            "say whether the start of the service is delayed",
            service.delay(start == Start::Delayed),
        ),
        ("say how the service recovers", service.recover(actions)),
        (
            "say that it recovers from an end with an error too",
            service.recover_from_errors(true),
        ),
        (
            "say how long the service may take to end",
            service.end_within(END_LIMIT),
        ),
    ]
}

/// Removes the service after its end; one that is not there is as good.
///
/// # Errors
/// [`ServiceError`].
pub fn uninstall() -> Result<(), ServiceError> {
    let rights = ServiceAccess::DELETE | ServiceAccess::STOP | ServiceAccess::QUERY_STATUS;
    let mut service = match open(rights, "remove the service") {
        Err(ServiceError::Missing) => return Ok(()),
        opened => opened?,
    };
    service_course::stop(&mut service)?;
    let deleted = service.service.delete();
    deleted.map_err(failed("remove the service"))
}

/// Starts the service and waits until it runs; one that runs is as good.
///
/// # Errors
/// [`ServiceError`].
pub fn start() -> Result<(), ServiceError> {
    let rights = ServiceAccess::START | ServiceAccess::QUERY_STATUS;
    service_course::start(&mut open(rights, "start the service")?)
}

/// Stops the service and waits for its end; one that does not run is as good.
///
/// # Errors
/// [`ServiceError`].
pub fn stop() -> Result<(), ServiceError> {
    let rights = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS;
    service_course::stop(&mut open(rights, "stop the service")?)
}

/// Where the service is, as one word; `None` = it is not installed.
///
/// # Errors
/// [`ServiceError`].
pub fn status() -> Result<Option<&'static str>, ServiceError> {
    match open(ServiceAccess::QUERY_STATUS, "ask for the service") {
        Err(ServiceError::Missing) => Ok(None),
        opened => Ok(Some(opened?.phase()?.word())),
    }
}

/// The service, and since when something is waited for.
struct Opened {
    service: Service,
    since: Instant,
}

impl Known for Opened {
    fn phase(&self) -> Result<Phase, ServiceError> {
        let status = self.service.query_status();
        Ok(phase_of(&status.map_err(failed("ask for the service"))?))
    }

    fn tell_start(&self) -> Result<Told, ServiceError> {
        match self.service.start::<&OsStr>(&[]) {
            Ok(()) => Ok(Told::Yes),
            Err(error) if code_of(&error) == Some(ALREADY_RUNNING) => Ok(Told::Moved),
            Err(error) => Err(failed("start the service")(error)),
        }
    }

    fn tell_stop(&self) -> Result<Told, ServiceError> {
        match self.service.stop() {
            Ok(_) => Ok(Told::Yes),
            Err(error) if matches!(code_of(&error), Some(NOT_ACTIVE | CANNOT_TAKE_IT)) => {
                Ok(Told::Moved)
            }
            Err(error) => Err(failed("stop the service")(error)),
        }
    }

    fn pause(&mut self, now: Phase, wanted: &'static str) -> Result<(), ServiceError> {
        if self.since.elapsed() > WAIT_LIMIT {
            return Err(ServiceError::Late {
                now: now.word().to_owned(),
                wanted,
                limit: WAIT_LIMIT,
            });
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a command that waits for the service manager has no runtime to block"
        )]
        std::thread::sleep(WAIT_PACE);
        Ok(())
    }
}

fn phase_of(status: &ServiceStatus) -> Phase {
    let code = match status.exit_code {
        ServiceExitCode::Win32(code) | ServiceExitCode::ServiceSpecific(code) => code,
    };
    match status.current_state {
        ServiceState::Stopped => Phase::Stopped(code),
        ServiceState::StartPending => Phase::Starting,
        ServiceState::StopPending => Phase::Stopping,
        ServiceState::Running => Phase::Running,
        ServiceState::ContinuePending => Phase::Elsewhere("continuing"),
        ServiceState::PausePending => Phase::Elsewhere("pausing"),
        ServiceState::Paused => Phase::Elsewhere("paused"),
    }
}

fn manager(
    access: ServiceManagerAccess,
    step: &'static str,
) -> Result<ServiceManager, ServiceError> {
    ServiceManager::local_computer(None::<&OsStr>, access).map_err(failed(step))
}

fn open(access: ServiceAccess, step: &'static str) -> Result<Opened, ServiceError> {
    let manager = manager(ServiceManagerAccess::CONNECT, step)?;
    let opened = manager.open_service(NAME, access);
    Ok(Opened {
        service: opened.map_err(failed(step))?,
        since: Instant::now(),
    })
}

fn code_of(error: &windows_service::Error) -> Option<i32> {
    if let windows_service::Error::Winapi(error) = error {
        error.raw_os_error()
    } else {
        None
    }
}

fn failed(step: &'static str) -> impl Fn(windows_service::Error) -> ServiceError {
    move |error| match code_of(&error) {
        Some(ACCESS_DENIED) => ServiceError::Denied(step),
        Some(NO_SUCH_SERVICE | FILE_NOT_FOUND) => ServiceError::Missing,
        Some(_) | None => ServiceError::Failed {
            step,
            source: io::Error::other(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A service that keeps what it is told: Wine's takes it and does nothing with it. Figures are those of the
    /// structures that the library hands to `ChangeServiceConfig2`.
    #[derive(Default)]
    struct Told(RefCell<Vec<String>>);

    impl Told {
        fn note(&self, line: String) {
            self.0.borrow_mut().push(line);
        }
    }

    impl Configure for Told {
        fn describe(&self, words: &str) -> windows_service::Result<()> {
            self.note(format!("SERVICE_DESCRIPTION {words}"));
            Ok(())
        }

        fn delay(&self, delayed: bool) -> windows_service::Result<()> {
            let raw = i32::from(delayed);
            self.note(format!("SERVICE_DELAYED_AUTO_START_INFO {raw}"));
            Ok(())
        }

        fn recover(&self, actions: ServiceFailureActions) -> windows_service::Result<()> {
            assert_eq!((actions.reboot_msg, actions.command), (None, None));
            let each = actions.actions.unwrap();
            let each = each.iter().map(ServiceAction::to_raw);
            let each: Vec<String> = each
                .map(|raw| format!("{}:{}", raw.Type, raw.Delay))
                .collect();
            let reset = actions.reset_period.to_raw();
            let (count, each) = (each.len(), each.join(" "));
            self.note(format!("SERVICE_FAILURE_ACTIONS {reset} {count} {each}"));
            Ok(())
        }

        fn recover_from_errors(&self, also: bool) -> windows_service::Result<()> {
            let raw = i32::from(also);
            self.note(format!("SERVICE_FAILURE_ACTIONS_FLAG {raw}"));
            Ok(())
        }

        fn end_within(&self, limit: Duration) -> windows_service::Result<()> {
            let millis = limit.as_millis();
            self.note(format!("SERVICE_PRESHUTDOWN_INFO {millis}"));
            Ok(())
        }
    }

    #[test]
    fn the_service_is_of_localsystem_and_needs_no_docker_to_start() {
        for (start, kind) in [
            (Start::Delayed, ServiceStartType::AutoStart),
            (Start::Manual, ServiceStartType::OnDemand),
            (Start::Disabled, ServiceStartType::Disabled),
        ] {
            let info = info_of(&Installation {
                program: r"C:\Program Files\Amazon\ECS\berth.exe".into(),
                args: vec!["service".to_owned(), "run".to_owned()],
                start,
            });
            assert_eq!(
                (&*info.name, &*info.display_name),
                (OsStr::new("AmazonECS"), OsStr::new("Amazon ECS"))
            );
            assert_eq!(info.start_type, kind);
            assert_eq!(info.launch_arguments, ["service", "run"]);
            let none = ServiceDependency::Service(OsString::new());
            assert_eq!(info.dependencies, [none]);
            assert!(info.account_name.is_none());
        }
    }

    #[test]
    fn the_manager_is_told_how_the_service_starts_recovers_and_ends() {
        for (start, delayed) in [
            (Start::Delayed, 1),
            (Start::Manual, 0),
            (Start::Disabled, 0),
        ] {
            let told = Told::default();
            let steps = configure(&told, start);
            assert!(steps.iter().all(|(_, done)| done.is_ok()));
            assert_eq!(
                told.0.into_inner(),
                [
                    format!("SERVICE_DESCRIPTION {DESCRIPTION}"),
                    format!("SERVICE_DELAYED_AUTO_START_INFO {delayed}"),
                    // Seconds, how many, and each as its type (1 = start again) and a wait in milliseconds.
                    "SERVICE_FAILURE_ACTIONS 300 3 1:5000 1:30000 1:60000".to_owned(),
                    "SERVICE_FAILURE_ACTIONS_FLAG 1".to_owned(),
                    "SERVICE_PRESHUTDOWN_INFO 65000".to_owned(),
                ],
                "{start:?}"
            );
        }
    }

    #[test]
    fn ends_are_taken_while_it_runs_and_an_error_is_the_services_own() {
        let ends = ServiceControlAccept::STOP
            | ServiceControlAccept::SHUTDOWN
            | ServiceControlAccept::PRESHUTDOWN;
        let none = ServiceControlAccept::empty();
        let (well, own) = (ServiceExitCode::Win32(0), ServiceExitCode::ServiceSpecific);
        for (state, now, takes, exit) in [
            (State::StartPending, ServiceState::StartPending, none, well),
            (State::Running, ServiceState::Running, ends, well),
            (State::StopPending, ServiceState::StopPending, none, well),
            (
                State::Stopped(Exit::Well),
                ServiceState::Stopped,
                none,
                well,
            ),
            (
                State::Stopped(Exit::Code(1)),
                ServiceState::Stopped,
                none,
                own(1),
            ),
        ] {
            let told = status_of(state);
            assert_eq!(told.current_state, now);
            assert_eq!(told.controls_accepted, takes, "{state:?}");
            assert_eq!(told.exit_code, exit, "{state:?}");
        }
    }

    #[test]
    fn the_service_takes_stop_shutdown_and_preshutdown_and_no_pause() {
        for (control, expected) in [
            (ServiceControl::Stop, Control::Stop),
            (ServiceControl::Shutdown, Control::Shutdown),
            (ServiceControl::Preshutdown, Control::Preshutdown),
            (ServiceControl::Interrogate, Control::Interrogate),
            (ServiceControl::Pause, Control::Other),
            (ServiceControl::Continue, Control::Other),
        ] {
            assert_eq!(control_of(control), expected);
        }
    }
}
