//! Ctrl-C and SIGTERM: the first asks the run to stop, the second ends the program at once.

use super::exit::Exit;
use crate::env::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;

/// From now on a signal sets `cancel` and calls `on_first`; another one ends the program with exit code 130. Where the
/// system refuses to watch signals they end the program as usual.
pub(super) fn watch(cancel: Cancel, on_first: impl Fn() + Send + 'static) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let watcher = move || {
        let mut asked = false;
        for _ in signals.forever() {
            if asked {
                // The live display hides the cursor.
                let _ = std::io::stderr().write_all(b"\x1b[?25h");
                signal_hook::low_level::exit(i32::from(Exit::Interrupted.code()));
            }
            asked = true;
            cancel.set();
            on_first();
        }
    };
    // Without the thread a signal would be swallowed, but a system that cannot start one cannot run stages either.
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(watcher);
}
