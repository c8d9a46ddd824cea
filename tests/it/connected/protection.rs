//! Protection of tasks, as it goes out to ECS.

use berth::boundary::protection::{
    Protection, ProtectionAnswer, ProtectionCall, ProtectionError, TaskProtection as _,
};
use berth::domain::credentials::{Credentials, Expiration};
use berth::domain::ids::{TaskArn, UnixMillis};
use serde_json::json;

use super::{Host, arn};

fn role() -> Credentials {
    Credentials {
        access_key_id: "ROLEKEY".to_owned().into(),
        secret_access_key: "role-secret".to_owned().into(),
        session_token: "role-token".to_owned().into(),
        expiration: Expiration {
            text: String::new(),
            at: UnixMillis(i64::MAX),
        },
    }
}

#[tokio::test]
async fn check_142_protection_is_asked_for_with_the_key_of_the_role() {
    let mut host = Host::unconnected().await;
    let task = TaskArn::parse(&arn("a")).expect("an ARN");
    let role = role();
    let early = host
        .protection
        .call(&task, &role, ProtectionCall::Get)
        .await;
    assert!(matches!(early, Err(ProtectionError::Unreachable(_))));
    host.start();
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
    let set = ProtectionCall::Set {
        enabled: true,
        minutes: Some(5),
    };
    let answer = host.protection.call(&task, &role, set).await;
    let expected = ProtectionAnswer {
        protected: vec![Protection {
            task: arn("a"),
            enabled: true,
            expires_at: None,
        }],
        failures: Vec::new(),
    };
    assert_eq!(answer, Ok(expected));
    let expected = json!({"cluster": "lab", "tasks": [arn("a")], "protectionEnabled": true, "expiresInMinutes": 5});
    assert_eq!(host.plane.calls("UpdateTaskProtection"), [expected]);
    // The double knows the host's key only, and names the one that it saw.
    let others = host.plane.bad_signatures();
    assert_eq!(others.len(), 1);
    assert!(others[0].starts_with("credential ROLEKEY/"), "{others:?}");
    host.plane
        .fail("GetTaskProtection", 1, 400, "ClientException");
    let refused = host
        .protection
        .call(&task, &role, ProtectionCall::Get)
        .await;
    let Err(ProtectionError::Refused { status, code, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((status, code.as_str()), (400, "ClientException"));
}
