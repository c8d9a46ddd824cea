//! Both routes before anything was read; what is read is tested where it is read, and end to end.

use crate::api::admin::testing::{Rig, snapshot_of, task};

#[tokio::test]
async fn nothing_was_read_yet() {
    let mut rig = Rig::new(snapshot_of([task("a")]));
    let all = rig.get("/v1/usage").await;
    assert_eq!(all.status, 200);
    let all = all.json();
    assert_eq!(all["tasks"], serde_json::json!([]));
    assert!(all.get("readAt").is_none() && all.get("host").is_none());
    let one = rig.get("/v1/tasks/a/usage").await;
    assert_eq!(one.status, 200);
    assert_eq!(one.json()["history"], serde_json::json!([]));
    for (path, status) in [
        ("/v1/tasks/b/usage", 404),
        ("/v1/tasks/a/usage?x=1", 400),
        ("/v1/usage?x=1", 400),
    ] {
        assert_eq!(rig.get(path).await.status, status, "{path}");
    }
}
