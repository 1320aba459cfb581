//! The status that a script ended with.

use std::sync::Mutex;

/// The status that a script asked for, if it did.
#[derive(Debug, Default)]
pub struct ExitStatus(Mutex<Option<u8>>);

impl ExitStatus {
    /// The status that the last script ended with by `exit`.
    pub fn get(&self) -> Option<u8> {
        self.0.lock().map_or(None, |status| *status)
    }

    pub(super) fn clear(&self) {
        self.put(None);
    }

    pub(super) fn put(&self, status: Option<u8>) {
        if let Ok(mut place) = self.0.lock() {
            *place = status;
        }
    }
}
