//! Waking up on time. Tokio's timers tick in milliseconds, which at ten thousand arrivals a second would release
//! them ten at a time and count a millisecond of our own lateness as the server's latency. Linux has a better
//! clock to offer; elsewhere the ticks must do.

#[cfg(target_os = "linux")]
pub(crate) use precise::Alarm;

#[cfg(not(target_os = "linux"))]
pub(crate) use ticking::Alarm;

#[cfg(target_os = "linux")]
mod precise {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    /// A timer of the kernel's, waited for like a socket.
    #[derive(Debug)]
    pub(crate) struct Alarm {
        timer: AsyncFd<OwnedFd>,
    }

    impl Alarm {
        /// Makes one. Needs a running runtime.
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "the replacement is unsafe; an OwnedFd cannot change its descriptor under the reactor"
            )]
            let timer = AsyncFd::new(timer)?;
            Ok(Self { timer })
        }

        /// Waits this long, to some tens of microseconds.
        pub(crate) async fn sleep(&self, duration: Duration) -> io::Result<()> {
            timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once(duration))?;
            loop {
                let mut ready = self.timer.readable().await?;
                let mut expirations = [0; 8];
                match ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?)) {
                    Ok(read) => return read.map(|_| ()),
                    Err(_not_yet) => {}
                }
            }
        }
    }

    /// Zero would disarm the timer, so the shortest wait is a nanosecond.
    fn once(duration: Duration) -> Itimerspec {
        let duration = duration.max(Duration::from_nanos(1));
        Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: duration.subsec_nanos().into(),
            },
        }
    }

    #[cfg(test)]
    mod tests {
        use super::Alarm;
        use std::time::{Duration, Instant};

        #[tokio::test]
        async fn an_alarm_never_rings_early() {
            let alarm = Alarm::new().unwrap();
            for wait in [
                Duration::ZERO,
                Duration::from_micros(200),
                Duration::from_millis(3),
            ] {
                let began = Instant::now();
                alarm.sleep(wait).await.unwrap();
                assert!(began.elapsed() >= wait);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod ticking {
    use std::io;
    use std::time::Duration;

    /// Tokio's own timer.
    #[derive(Debug)]
    pub(crate) struct Alarm;

    impl Alarm {
        /// Makes one.
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Waits this long, to a millisecond or two.
        pub(crate) async fn sleep(&self, duration: Duration) -> io::Result<()> {
            tokio::time::sleep(duration).await;
            Ok(())
        }
    }
}
