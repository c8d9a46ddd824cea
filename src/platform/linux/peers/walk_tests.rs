//! Walks through descriptors that a test has made.

use std::os::unix::fs::symlink;

use super::*;

/// A directory as `/proc` is, with processes and sockets as descriptors.
struct Shown(tempfile::TempDir);

impl Shown {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A process with these sockets and something else.
    fn process(&self, pid: u32, inodes: impl Iterator<Item = u64>) {
        let place = self.0.path().join(pid.to_string()).join("fd");
        std::fs::create_dir_all(&place).unwrap();
        symlink("/dev/null", place.join("other")).unwrap();
        for inode in inodes {
            symlink(format!("socket:[{inode}]"), place.join(inode.to_string())).unwrap();
        }
    }
}

/// Somebody who waits for that socket.
fn wants<H>(inode: u64, hint: H) -> (Wanted<H>, oneshot::Receiver<Step>) {
    let (tell, told) = oneshot::channel();
    (Wanted { inode, hint, tell }, told)
}

type All<H> = (Vec<Wanted<H>>, Vec<oneshot::Receiver<Step>>);

fn told(all: Vec<oneshot::Receiver<Step>>) -> Vec<Step> {
    let told = |mut told: oneshot::Receiver<Step>| told.try_recv().unwrap();
    all.into_iter().map(told).collect()
}

#[test]
fn one_walk_finds_all_and_leaves_the_many_descriptors_of_one_for_later() {
    let shown = Shown::new();
    let many = u64::try_from(2 * SHALLOW).unwrap();
    shown.process(7, [1, 2].into_iter());
    shown.process(8, 1_000..1_000 + many);
    let proc = shown.0.path();
    let inodes: Vec<u64> = [1, 2, 3].into_iter().chain(1_000..1_000 + many).collect();
    let (wanted, waiting): All<_> = inodes.iter().map(|inode| wants(*inode, ())).unzip();
    shallow(proc, wanted, [8, 7, 8, 9].into_iter());
    let steps = told(waiting);
    let is_held = |step: &Step, pid, inode| matches!(step, Step::Found(held) if held.pid == pid && held.has(proc, inode));
    assert!(is_held(&steps[0], 7, 1) && is_held(&steps[1], 7, 2));
    let left: Vec<u64> = inodes
        .iter()
        .zip(&steps)
        .filter(|(_, step)| matches!(step, Step::Deeper(_)))
        .map(|(inode, _)| *inode)
        .collect();
    assert!(left.len() > SHALLOW, "{} are left", left.len());
    let more: Arc<[u32]> = [8].into();
    assert_eq!(steps[2], Step::Deeper(Arc::clone(&more)));
    let (wanted, waiting): All<_> = left
        .iter()
        .map(|inode| wants(*inode, Arc::clone(&more)))
        .unzip();
    deep(proc, wanted);
    for (inode, step) in left.into_iter().zip(told(waiting)) {
        let expected = inode != 3;
        assert_eq!(is_held(&step, 8, inode), expected, "{inode}: {step:?}");
    }
}

#[tokio::test]
async fn whoever_comes_while_a_walk_runs_is_in_the_next_with_all_others() {
    let lane = Arc::new(Lane::default());
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let mut first = tokio::task::JoinSet::new();
    let own = Arc::clone(&lane);
    first.spawn(async move {
        let walk = move |wanted: Vec<Wanted<()>>| {
            gone.recv().unwrap();
            shallow(Path::new("/none"), wanted, std::iter::empty());
        };
        own.find(1, (), walk).await
    });
    while !lane.wanted().is_empty() || lane.turn.available_permits() == 1 {
        tokio::task::yield_now().await;
    }
    let walks = Arc::new(Mutex::new(Vec::new()));
    let mut later = tokio::task::JoinSet::new();
    for inode in 2..42 {
        let (lane, walks) = (Arc::clone(&lane), Arc::clone(&walks));
        later.spawn(async move {
            let walk = move |wanted: Vec<Wanted<()>>| {
                walks.lock().unwrap().push(wanted.len());
                shallow(Path::new("/none"), wanted, std::iter::empty());
            };
            lane.find(inode, (), walk).await
        });
    }
    while lane.wanted().len() < 40 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let nobody = Some(Step::Deeper(Arc::default()));
    assert_eq!(first.join_all().await, std::slice::from_ref(&nobody));
    assert!(later.join_all().await.iter().all(|step| *step == nobody));
    assert_eq!(*walks.lock().unwrap(), [40]);
}
