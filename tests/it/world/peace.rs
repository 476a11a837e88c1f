//! Who may disturb the broker, and who has to be left alone, in this process and in others.

use std::fs::File;
use std::path::Path;

use super::bus::variable;

/// The right to use the broker as it is, or to disturb it.
pub(crate) struct Peace {
    _lock: File,
}

/// Waits until nobody disturbs the broker, and keeps it so.
pub(crate) async fn shared() -> Peace {
    acquire(File::lock_shared).await
}

/// Waits until nobody else uses the broker, and keeps it so.
pub(crate) async fn alone() -> Peace {
    acquire(File::lock).await
}

async fn acquire(lock: fn(&File) -> std::io::Result<()>) -> Peace {
    let acquire = move || {
        // Whoever waits stands in the turnstile, so that others cannot pass him for ever.
        let turnstile = open("turnstile");
        turnstile.lock().unwrap();
        let peace = open("peace");
        lock(&peace).unwrap();
        Peace { _lock: peace }
    };
    tokio::task::spawn_blocking(acquire).await.unwrap()
}

fn open(name: &str) -> File {
    let ctl = variable("POINTSMAN_TEST_BROKER_CTL");
    let folder = Path::new(&ctl).parent().unwrap();
    let options = &mut File::options();
    options.create(true).truncate(false).write(true).open(folder.join(name)).unwrap()
}
