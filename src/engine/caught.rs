//! Work that may panic: graphics drivers, and the libraries above them, fail in this way, too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

/// Waits for work; its panic ends it alone.
///
/// # Errors
/// What the panic said. What the work held may be half changed.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = std::pin::pin!(work);
    let panic = std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    });
    panic.await.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{block_on, pause};

    #[test]
    fn a_panic_is_a_message_also_after_waiting() {
        let said = |what: &'static str| async move {
            pause().await;
            assert!(what.is_empty(), "{what} fell over");
            7
        };
        assert_eq!(block_on(caught(said(""))).unwrap(), Ok(7));
        assert_eq!(block_on(caught(said("the driver"))).unwrap(), Err("the driver fell over".to_string()));
    }
}
