//! A word from one part of the node to another.
//!
//! All parts are polled in one task, so one waker is enough, and the newest is the right one. A library's signal may wake the waker that it replaces, since it
//! could be another task's; where an executor's wakers do not recognise themselves (`Waker::will_wake` may say no of a clone), the task would wake itself for ever.
use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Poll, Waker};

/// Holds the newest value until it is taken. One part waits at a time.
pub struct Signal<T> {
    value: Cell<Option<T>>,
    waker: Cell<Option<Waker>>,
}

impl<T> Default for Signal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Signal<T> {
    pub const fn new() -> Signal<T> {
        Signal { value: Cell::new(None), waker: Cell::new(None) }
    }
    pub fn signal(&self, value: T) {
        self.value.set(Some(value));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
    /// Forgets what was signalled.
    pub fn reset(&self) {
        self.value.set(None);
    }
    pub async fn wait(&self) -> T {
        poll_fn(|cx| match self.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake};

    #[derive(Default)]
    struct Count(AtomicU32);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn waiting_wakes_nobody_whatever_waker_it_is_polled_with() {
        let (signal, counts) = (Signal::new(), [(); 2].map(|()| Arc::new(Count::default())));
        let mut wait = pin!(signal.wait());
        for n in 0..4 {
            // Two wakers that do not recognise each other, as clones of one may not.
            let waker = Waker::from(counts[n % 2].clone());
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert!(counts.iter().all(|c| c.0.load(Ordering::Relaxed) == 0));
        signal.signal(7);
        assert_eq!(counts[1].0.load(Ordering::Relaxed), 1, "the newest");
        let waker = Waker::from(counts[0].clone());
        assert_eq!(wait.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(7));
    }
}
