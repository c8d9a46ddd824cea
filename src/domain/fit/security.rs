//! Rules about privileges, security options and kernel parameters.

use super::finding::{Case, Findings};
use crate::domain::credential_spec::{SpecError, parse};
use crate::domain::definition::{IpcMode, NetworkMode};
use crate::domain::host::OsType;

pub(super) fn privileged(case: &Case<'_>, findings: &mut Findings) {
    if !case.policy.disable_privileged {
        return;
    }
    for (path, _) in case.containers().filter(|(_, c)| c.privileged) {
        findings.refused(
            format!("{path}.privileged"),
            "privileged containers are switched off on this host (ECS_DISABLE_PRIVILEGED)",
        );
    }
}

pub(super) fn options(case: &Case<'_>, findings: &mut Findings) {
    for (path, container) in case.containers() {
        for (index, option) in container.docker_security_options.iter().enumerate() {
            let path = format!("{path}.dockerSecurityOptions[{index}]");
            let kind = option.split([':', '=']).next().unwrap_or_default();
            if case.host.os_type == OsType::Windows {
                if !names_account(option) {
                    let words = format!(
                        "security option not supported: {kind}: Windows containers take credential specs alone"
                    );
                    findings.refused(path, words);
                }
                continue;
            }
            match kind {
                "credentialspec" | "credentialspecdomainless" => {
                    findings.refused(path, "not supported yet by this version");
                }
                "apparmor" if !case.host.apparmor => {
                    findings.refused(path, "this host has no AppArmor");
                }
                "label" if !case.host.selinux => {
                    findings.ignored(path, "this host has no SELinux");
                }
                "apparmor" | "label" | "no-new-privileges" | "seccomp" => {}
                _ => findings.refused(
                    path,
                    format!("Docker does not know the security option {option:?}"),
                ),
            }
        }
    }
}

/// Whether the option is the one that Docker on Windows knows, in the form of ECS or in Docker's own. What it names is
/// judged with the credential specs of the container.
fn names_account(option: &str) -> bool {
    parse(option) != Err(SpecError::Prefix) || option.starts_with("credentialspec=")
}

pub(super) fn kernel_parameters(case: &Case<'_>, findings: &mut Findings) {
    if case.host.os_type != OsType::Linux {
        return;
    }
    for (path, container) in case.containers() {
        for name in container.system_controls.keys() {
            let why = match namespace_of(name) {
                Some(Namespace::Network) if case.network == NetworkMode::Host => {
                    "belongs to the host's network, which the task uses"
                }
                Some(Namespace::Ipc) if case.definition.ipc_mode == IpcMode::Host => {
                    "belongs to the host's IPC namespace, which the task uses"
                }
                Some(Namespace::Network | Namespace::Ipc) => continue,
                None => "is not a parameter that a container can have of its own",
            };
            findings.refused(format!("{path}.systemControls"), format!("{name} {why}"));
        }
    }
}

enum Namespace {
    Network,
    Ipc,
}

/// The namespace that owns a kernel parameter; `None` if it is the whole kernel's (Linux, `proc(5)`).
fn namespace_of(name: &str) -> Option<Namespace> {
    const IPC: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    if name.starts_with("net.") {
        Some(Namespace::Network)
    } else if name.starts_with("fs.mqueue.") || IPC.contains(&name) {
        Some(Namespace::Ipc)
    } else {
        None
    }
}
