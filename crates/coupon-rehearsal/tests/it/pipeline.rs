//! Whole rehearsals against the tiny server: the honest one passes, every other is found out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coupon_rehearsal::{
    AdminClient, Callers, CouponChoice, Credential, Fault, FindingKind, History, Outcome, Progress,
    Rehearsal, RehearsalError, RehearsalPlan, Retries, Shape, Target, audit, run,
};

use crate::server::{KEY, Nature, TestServer};

fn plan(server: &TestServer, output: &Path) -> RehearsalPlan {
    RehearsalPlan {
        coupon: CouponChoice::Create {
            name: "Test".to_owned(),
            quantity: Some(200),
            opens_after: Duration::ZERO,
            closes_after: None,
        },
        users: 600,
        duration: Duration::from_millis(300),
        duplicate_share: 0.3,
        connections: 16,
        seed: Some(11),
        ..RehearsalPlan::new(
            &server.base_url,
            Credential::bearer(KEY),
            output.to_owned(),
            server.now,
        )
    }
}

async fn rehearse(nature: Nature) -> Rehearsal {
    let server = TestServer::start(nature).await;
    let output = tempfile::tempdir().unwrap();
    let plan = plan(&server, output.path());
    run(&plan, Vec::new(), &mut |_: &Progress| {}).await.unwrap()
}

fn found(rehearsal: &Rehearsal) -> Vec<FindingKind> {
    rehearsal.verdict.findings().map(|finding| finding.kind).collect()
}

#[tokio::test]
async fn an_honest_server_passes_and_every_number_adds_up() {
    let rehearsal = rehearse(Nature::Honest).await;
    assert_eq!(found(&rehearsal), []);
    let summary = &rehearsal.summary;
    assert_eq!((summary.users, summary.count(Outcome::Issued)), (600, 200));
    assert_eq!(summary.attempts, rehearsal.history.header.plan.asks);
    assert_eq!(
        summary.issued.count + summary.refusals() + summary.failures(),
        summary.attempts
    );
    assert!(summary.sold_out_ns.is_some());
    let answered: u64 = summary
        .intervals
        .iter()
        .map(|one| one.issued + one.refused + one.failed)
        .sum();
    assert_eq!(answered, summary.attempts);
}

#[tokio::test]
async fn a_flaky_server_that_keeps_its_promises_passes() {
    let rehearsal = rehearse(Nature::Flaky).await;
    assert_eq!(found(&rehearsal), []);
    for outcome in [Outcome::Unknown, Outcome::Unavailable, Outcome::RateLimited] {
        assert!(rehearsal.summary.count(outcome) > 0, "{outcome:?}");
    }
    assert_eq!(rehearsal.summary.unserved_users, 0);
}

#[tokio::test]
async fn a_server_that_issues_too_many_is_found_out() {
    assert_eq!(
        found(&rehearse(Nature::OverIssues).await),
        [FindingKind::OverIssued]
    );
}

#[tokio::test]
async fn a_server_that_loses_acknowledged_issues_is_found_out() {
    assert_eq!(
        found(&rehearse(Nature::LosesAcknowledgements).await),
        [FindingKind::LostAcknowledgement]
    );
}

#[tokio::test]
async fn a_server_that_gives_a_second_coupon_is_found_out() {
    let found = found(&rehearse(Nature::AnswersTwice).await);
    assert!(found.contains(&FindingKind::DuplicateUser), "{found:?}");
}

#[tokio::test]
async fn a_server_that_refuses_untruly_is_found_out() {
    let found = found(&rehearse(Nature::RefusesUntruly).await);
    assert!(found.contains(&FindingKind::UntrueSoldOut), "{found:?}");
}

#[tokio::test]
async fn a_server_that_does_not_keep_the_order_is_found_out() {
    let found = found(&rehearse(Nature::IssuesBackwards).await);
    assert!(found.contains(&FindingKind::OrderInverted), "{found:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_one_user_is_found_out() {
    let server = TestServer::start(Nature::NeverAnswersOne).await;
    let output = tempfile::tempdir().unwrap();
    let mut plan = plan(&server, output.path());
    plan.users = 20;
    plan.retries = Retries {
        while_unknown: 3,
        ..Retries::default()
    };
    let rehearsal = run(&plan, Vec::new(), &mut |_: &Progress| {}).await.unwrap();
    assert_eq!(found(&rehearsal), [FindingKind::UnresolvedUnknown]);
}

#[tokio::test]
async fn early_users_ask_again_after_the_opening() {
    let server = TestServer::start(Nature::Honest).await;
    let output = tempfile::tempdir().unwrap();
    let mut plan = plan(&server, output.path());
    plan.coupon = CouponChoice::Create {
        name: "Later".to_owned(),
        quantity: None,
        opens_after: Duration::from_millis(150),
        closes_after: Some(Duration::from_secs(60)),
    };
    plan.shape = Shape::Rush;
    let rehearsal = run(&plan, Vec::new(), &mut |_: &Progress| {}).await.unwrap();
    assert_eq!(found(&rehearsal), []);
    assert!(rehearsal.summary.count(Outcome::NotYetOpen) > 0);
    assert_eq!(rehearsal.summary.count(Outcome::Issued), 600);
}

#[tokio::test]
async fn a_fault_strikes_at_its_time_and_is_marked() {
    let server = TestServer::start(Nature::Honest).await;
    let output = tempfile::tempdir().unwrap();
    let fault = Fault::at(Duration::from_millis(100), "a hiccup", async { Ok(()) });
    let rehearsal = run(&plan(&server, output.path()), vec![fault], &mut |_: &Progress| {})
        .await
        .unwrap();
    assert_eq!(rehearsal.history.faults.len(), 1);
    assert!(rehearsal.history.faults[0].struck_ns >= 100_000_000);
    assert_eq!(found(&rehearsal), []);
}

#[tokio::test]
async fn a_fault_that_goes_wrong_ends_the_rehearsal_without_a_verdict() {
    let server = TestServer::start(Nature::Honest).await;
    let output = tempfile::tempdir().unwrap();
    let fault = Fault::at(Duration::ZERO, "a kill", async { Err("it lives".to_owned()) });
    let error = run(&plan(&server, output.path()), vec![fault], &mut |_: &Progress| {})
        .await
        .unwrap_err();
    assert!(matches!(error, RehearsalError::Fault(_)), "{error}");
}

#[tokio::test]
async fn progress_is_told_and_ends_with_everything_answered() {
    let server = TestServer::start(Nature::Honest).await;
    let output = tempfile::tempdir().unwrap();
    let mut plan = plan(&server, output.path());
    plan.progress_every = Duration::from_millis(20);
    let mut lines = Vec::new();
    run(&plan, Vec::new(), &mut |progress: &Progress| {
        lines.push(progress.clone())
    })
    .await
    .unwrap();
    let last = lines.last().unwrap();
    assert!(lines.len() > 5, "{}", lines.len());
    assert_eq!((last.in_flight, last.waiting, last.to_come), (0, 0, 0));
    assert_eq!(last.sent, last.answers.iter().sum::<u64>());
    assert!(last.to_string().contains("issued 200"), "{last}");
}

#[tokio::test]
async fn a_wrong_key_is_an_error_and_no_verdict() {
    let server = TestServer::start(Nature::Honest).await;
    let output = tempfile::tempdir().unwrap();
    let wrong = RehearsalPlan {
        admin: Credential::bearer("wrong"),
        ..plan(&server, output.path())
    };
    let error = run(&wrong, Vec::new(), &mut |_: &Progress| {}).await.unwrap_err();
    assert!(matches!(error, RehearsalError::Admin(_)), "{error}");
    assert!(error.to_string().contains("401"), "{error}");
}

#[tokio::test]
async fn users_can_come_with_tokens_of_their_own() {
    let server = TestServer::start(Nature::Honest).await;
    let output = tempfile::tempdir().unwrap();
    let mut plan = plan(&server, output.path());
    plan.callers = Callers::Users(Arc::new(|user: &str| format!("{KEY}/{user}")));
    let rehearsal = run(&plan, Vec::new(), &mut |_: &Progress| {}).await.unwrap();
    assert_eq!(found(&rehearsal), []);
    assert_eq!(rehearsal.summary.count(Outcome::Issued), 200);
}

#[tokio::test]
async fn a_history_can_be_judged_again_later() {
    let server = TestServer::start(Nature::Flaky).await;
    let output = tempfile::tempdir().unwrap();
    let plan = plan(&server, output.path());
    let rehearsal = run(&plan, Vec::new(), &mut |_: &Progress| {}).await.unwrap();
    let history = History::read(&rehearsal.history_path).unwrap();
    assert!(
        !std::fs::read_to_string(&rehearsal.history_path)
            .unwrap()
            .contains(KEY)
    );
    let target = Target::resolve(&history.header.base_url).await.unwrap();
    let mut admin = AdminClient::new(target, Credential::bearer(KEY));
    let state = admin.final_state(&history).await.unwrap();
    assert!(audit(&history, &state).passed());
}

#[tokio::test]
async fn an_existing_coupon_can_be_rehearsed_with_new_users() {
    let server = TestServer::start(Nature::Honest).await;
    let output = tempfile::tempdir().unwrap();
    let first = RehearsalPlan {
        users: 50,
        ..plan(&server, output.path())
    };
    run(&first, Vec::new(), &mut |_: &Progress| {}).await.unwrap();
    let again = RehearsalPlan {
        coupon: CouponChoice::Existing(1),
        seed: Some(12),
        ..plan(&server, output.path())
    };
    let rehearsal = run(&again, Vec::new(), &mut |_: &Progress| {}).await.unwrap();
    assert_eq!(found(&rehearsal), []);
    assert_eq!(rehearsal.summary.count(Outcome::Issued), 150);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_and_fails() {
    let server = TestServer::start(Nature::FallsSilent).await;
    let output = tempfile::tempdir().unwrap();
    let mut plan = plan(&server, output.path());
    plan.users = 100;
    plan.connections = 4;
    plan.request_timeout = Duration::from_millis(50);
    plan.retries.patience = Duration::from_millis(200);
    let rehearsal = run(&plan, Vec::new(), &mut |_: &Progress| {}).await.unwrap();
    assert_eq!(
        found(&rehearsal),
        [FindingKind::NeverSent, FindingKind::UnresolvedUnknown]
    );
    assert_eq!(rehearsal.verdict.coupons_held, 10);
}
