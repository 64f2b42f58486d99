//! Who waits for whom on a busy machine: what is done behind a sale gives way to it.

/// Has this thread give way to every other at once (`SCHED_IDLE`). A low priority alone does not: the scheduler lets a
/// thread that runs have its slice, of milliseconds, whatever its priority. Elsewhere than on Linux nothing is done.
pub(crate) fn step_back(who: &'static str) {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
            tracing::warn!(who, %error, "a thread keeps its priority, and may slow a sale down");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = who;
}
