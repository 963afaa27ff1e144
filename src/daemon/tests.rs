use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

fn config() -> Arc<Config> {
    Arc::new(Config {
        node: "lb1".to_owned(),
        nodes: Vec::new(),
        routers: Vec::new(),
        services: Vec::new(),
        files: Vec::new(),
        digest: String::new(),
    })
}

/// A queue whose thread has panicked.
fn of_a_lost_thread<T: Send + 'static>() -> mpsc::Receiver<T> {
    let (to_hub, inbox) = mpsc::channel(1);
    let thread = std::thread::spawn(move || {
        let _held = to_hub;
        panic!("as a mistake would");
    });
    assert!(thread.join().is_err());
    inbox
}

/// What the hub comes to once `lose` has taken a thread from it.
async fn end_after(lose: impl FnOnce(&mut Inboxes)) -> End {
    let runtime_dir = std::env::temp_dir().join(format!("diarch-daemon-{}", std::process::id()));
    std::fs::create_dir_all(&runtime_dir).unwrap();
    let options = Options { config: PathBuf::new(), runtime_dir, node: None };
    let config = config();
    let (mut inboxes, threads, _requests) = start_threads(&config).unwrap();
    let mut hub = assemble(&options, config, threads);
    lose(&mut inboxes);
    let signals = Signals::new().unwrap();
    let end = timeout(Duration::from_secs(5), hub.serve(&mut inboxes, signals)).await.unwrap();
    hub.stop(&mut inboxes, end);
    std::fs::remove_dir_all(options.runtime_dir).unwrap();
    end
}

#[tokio::test]
async fn a_thread_that_panics_ends_the_daemon() {
    let end = end_after(|inboxes| inboxes.election = of_a_lost_thread()).await;
    assert_eq!(end, End::Lost("election"));
    let end = end_after(|inboxes| inboxes.checks = of_a_lost_thread()).await;
    assert_eq!(end, End::Lost("checks"));
    let end = end_after(|inboxes| inboxes.balancer = of_a_lost_thread()).await;
    assert_eq!(end, End::Lost("balancer"));
    let end = end_after(|inboxes| inboxes.requests = of_a_lost_thread()).await;
    assert_eq!(end, End::Lost("api"));
}
