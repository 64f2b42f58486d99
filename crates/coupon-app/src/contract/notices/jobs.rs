//! Who runs a job, and what its last run did.

use super::NoticeHarness;
use super::exam::{NoticeExam, after_start};
use crate::JobRun;
use coupon_core::Span;
use std::sync::Arc;

fn lease() -> Span {
    Span::from_micros(100).unwrap()
}

fn job_run(began: i64, error: Option<&str>) -> JobRun {
    JobRun {
        began_at: after_start(began),
        ended_at: after_start(began + 5),
        done: 7,
        error: error.map(Into::into),
    }
}

pub fn a_job_has_one_owner_until_its_lease_ends(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        for (name, owner, micros, has) in [
            ("expire", "a", 0, true),
            ("expire", "b", 50, false),
            ("remind", "b", 50, true),
            ("expire", "a", 50, true),
            ("expire", "b", 149, false),
            ("expire", "b", 150, true),
            ("expire", "a", 151, false),
        ] {
            let jobs = Arc::clone(&exam.office().jobs);
            let taken = jobs
                .take_job(name, owner, after_start(micros), lease())
                .await
                .unwrap();
            assert_eq!(taken, has, "{owner} takes {name} at {micros}");
            exam.crash().await;
        }
    });
}

pub fn the_last_run_is_kept(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let jobs = Arc::clone(&exam.office().jobs);
        assert_eq!(jobs.jobs().await.unwrap(), []);
        jobs.end_job("expire", "a", &job_run(0, None)).await.unwrap();
        assert_eq!(jobs.jobs().await.unwrap(), [], "whoever has it not cannot end it");
        jobs.take_job("expire", "a", after_start(0), lease())
            .await
            .unwrap();
        let held = jobs.jobs().await.unwrap().remove(0);
        assert_eq!((&*held.name, held.last), ("expire", None));
        assert_eq!(held.lease, Some(("a".into(), after_start(100))));
        jobs.end_job("expire", "b", &job_run(1, None)).await.unwrap();
        let failed = job_run(1, Some("저장소가 없다"));
        jobs.end_job("expire", "a", &failed).await.unwrap();
        let ended = jobs.jobs().await.unwrap().remove(0);
        assert_eq!((ended.lease, ended.last), (None, Some(failed)));
        assert!(
            jobs.take_job("expire", "b", after_start(2), lease())
                .await
                .unwrap()
        );
        jobs.end_job("expire", "b", &job_run(3, None)).await.unwrap();
        assert_eq!(jobs.jobs().await.unwrap()[0].last, Some(job_run(3, None)));
    });
}

pub fn of_many_who_ask_at_once_one_has_the_job(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let jobs = Arc::clone(&exam.office().jobs);
        let owners: Vec<String> = (0..16).map(|number| format!("worker-{number}")).collect();
        for round in 0..4 {
            let now = after_start(round * 1_000);
            let asking = owners
                .iter()
                .map(|owner| jobs.take_job("deliver", owner, now, lease()));
            let taken = futures_util::future::join_all(asking).await;
            let had = taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count();
            assert_eq!(had, 1, "round {round}");
        }
    });
}
