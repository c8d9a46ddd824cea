//! The service manager of Windows: being a service, and installing, starting and stopping it.
//!
//! **Invariant.** The process connects to the manager before it does anything else.

use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod,
    ServiceInfo, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
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

/// Waits before the first, the second and each further start after an end with an error.
const RECOVERY: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

/// After that long without an error the next one counts as the first.
const RECOVERY_RESET: Duration = Duration::from_mins(5);

/// How long an ordered end may take: the grace of each group of components, and some.
const END_LIMIT: Duration = Duration::from_secs(40);

/// How long `start` and `stop` wait.
const WAIT_LIMIT: Duration = Duration::from_mins(1);

/// How often they look.
const WAIT_PACE: Duration = Duration::from_millis(100);

const FILE_NOT_FOUND: i32 = 2;
const ACCESS_DENIED: i32 = 5;
const NOT_STARTED_BY_MANAGER: i32 = 1063;
const ALREADY_RUNNING: i32 = 1056;
const NO_SUCH_SERVICE: i32 = 1060;
const NOT_ACTIVE: i32 = 1062;

/// The service manager does not know what is asked of it: that of Wine knows little.
const UNKNOWN_LEVEL: i32 = 124;

/// The manager has asked for the end. A word that nobody has taken yet is kept.
static ASKED_TO_END: Notify = Notify::const_new();

type Agent = Box<dyn FnOnce() -> u8 + Send>;

/// What the manager's thread runs: it takes no arguments of ours.
static AGENT: Mutex<Option<Agent>> = Mutex::new(None);

/// Waits until the manager asks for the end. Cancel safe.
pub(super) async fn asked_to_end() {
    ASKED_TO_END.notified().await;
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
            let answer = course
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .on(asked);
            if let (Some(state), Some(handle)) = (answer.report, handle.get()) {
                report(*handle, state);
            }
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
    let told = course
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .ended(code);
    for state in told {
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
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted,
        exit_code,
        checkpoint: u32::from(pending),
        wait_hint: if pending { END_LIMIT } else { Duration::ZERO },
        process_id: None,
    };
    if let Err(error) = handle.set_service_status(status) {
        tracing::warn!(event = "service-manager-unheard", %error, "the service manager does not listen");
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
    let info = ServiceInfo {
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
        // Docker may be installed later, restarted, or elsewhere: the agent waits for it.
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
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
    let mut steps = vec![("describe the service", service.set_description(DESCRIPTION))];
    if wanted.start == Start::Delayed {
        let set = service.set_delayed_auto_start(true);
        steps.push(("delay the start of the service", set));
    }
    steps.extend(recovery(&service));
    let mut left_out = Vec::new();
    for (step, done) in steps {
        match done {
            Err(error) if code_of(&error) == Some(UNKNOWN_LEVEL) => left_out.push(step),
            done => done.map_err(failed(step))?,
        }
    }
    Ok(left_out)
}

/// What the manager does when the service ends with an error, and how long the host waits for it when it goes down.
fn recovery(service: &Service) -> [(&'static str, windows_service::Result<()>); 3] {
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
        (
            "say how the service recovers",
            service.update_failure_actions(actions),
        ),
        (
            "say that it recovers from an end with an error too",
            service.set_failure_actions_on_non_crash_failures(true),
        ),
        (
            "say how long the service may take to end",
            service.set_preshutdown_timeout(END_LIMIT),
        ),
    ]
}

/// Removes the service after its end; one that is not there is as good.
///
/// # Errors
/// [`ServiceError`].
pub fn uninstall() -> Result<(), ServiceError> {
    let rights = ServiceAccess::DELETE | ServiceAccess::STOP | ServiceAccess::QUERY_STATUS;
    let service = match open(rights, "remove the service") {
        Err(ServiceError::Missing) => return Ok(()),
        opened => opened?,
    };
    end(&service)?;
    service.delete().map_err(failed("remove the service"))
}

/// Starts the service and waits until it runs; one that runs is as good.
///
/// # Errors
/// [`ServiceError`].
pub fn start() -> Result<(), ServiceError> {
    let rights = ServiceAccess::START | ServiceAccess::QUERY_STATUS;
    let service = open(rights, "start the service")?;
    match service.start::<&OsStr>(&[]) {
        Err(error) if code_of(&error) != Some(ALREADY_RUNNING) => {
            return Err(failed("start the service")(error));
        }
        Ok(()) | Err(_) => {}
    }
    wait_for(&service, ServiceState::Running, "running")
}

/// Stops the service and waits for its end; one that does not run is as good.
///
/// # Errors
/// [`ServiceError`].
pub fn stop() -> Result<(), ServiceError> {
    let rights = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS;
    end(&open(rights, "stop the service")?)
}

/// Where the service is, as one word; `None` = it is not installed.
///
/// # Errors
/// [`ServiceError`].
pub fn status() -> Result<Option<&'static str>, ServiceError> {
    let service = match open(ServiceAccess::QUERY_STATUS, "ask for the service") {
        Err(ServiceError::Missing) => return Ok(None),
        opened => opened?,
    };
    let status = service
        .query_status()
        .map_err(failed("ask for the service"))?;
    Ok(Some(word(status.current_state)))
}

fn word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Stopped => "stopped",
        ServiceState::StartPending => "starting",
        ServiceState::StopPending => "stopping",
        ServiceState::Running => "running",
        ServiceState::ContinuePending => "continuing",
        ServiceState::PausePending => "pausing",
        ServiceState::Paused => "paused",
    }
}

fn end(service: &Service) -> Result<(), ServiceError> {
    match service.stop() {
        Err(error) if code_of(&error) == Some(NOT_ACTIVE) => return Ok(()),
        Err(error) => return Err(failed("stop the service")(error)),
        Ok(_) => {}
    }
    wait_for(service, ServiceState::Stopped, "stopped")
}

fn wait_for(
    service: &Service,
    state: ServiceState,
    wanted: &'static str,
) -> Result<(), ServiceError> {
    let began = Instant::now();
    loop {
        let status = service
            .query_status()
            .map_err(failed("ask for the service"))?;
        if status.current_state == state {
            return Ok(());
        }
        if began.elapsed() > WAIT_LIMIT {
            return Err(ServiceError::Late {
                now: word(status.current_state).to_owned(),
                wanted,
                limit: WAIT_LIMIT,
            });
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a command that waits for the service manager has no runtime to block"
        )]
        std::thread::sleep(WAIT_PACE);
    }
}

fn manager(
    access: ServiceManagerAccess,
    step: &'static str,
) -> Result<ServiceManager, ServiceError> {
    ServiceManager::local_computer(None::<&OsStr>, access).map_err(failed(step))
}

fn open(access: ServiceAccess, step: &'static str) -> Result<Service, ServiceError> {
    let manager = manager(ServiceManagerAccess::CONNECT, step)?;
    manager.open_service(NAME, access).map_err(failed(step))
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
