//! Webhooks to a receiver that does as it is told.

use crate::scene::{attempt, codes, everything, now, patience, sold_out, told};
use coupon_app::contract::at;
use coupon_app::memory::MemoryAddresses;
use coupon_app::{
    Attempt, Channel, ChannelOutcome, DisabledReason, News, NotificationKind, Webhook, WebhookDraft,
    WebhookKinds, WebhookPost, WebhookSecret, WebhookState, WebhookStore, WebhookUrl, WebhookUrlError,
};
use coupon_core::Span;
use coupon_testkit::{HttpConduct, HttpReceiver, HttpRequest};
use notify::{Network, Reach, WebhookChannel, WebhookOptions, secret_text};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A receiver, and a channel that knows one webhook there.
struct Scene {
    receiver: HttpReceiver,
    store: MemoryAddresses,
    channel: WebhookChannel,
    webhook: Webhook,
}

pub(crate) fn options(allowed: &[&str]) -> WebhookOptions {
    let allowed: Vec<Network> = allowed.iter().map(|network| network.parse().unwrap()).collect();
    WebhookOptions {
        reach: Reach::new(allowed),
        allow_http: true,
        authorities: None,
        answer_within: Duration::from_secs(10),
        patience: patience(),
    }
}

pub(crate) async fn add(store: &MemoryAddresses, url: &str, kinds: WebhookKinds) -> Webhook {
    let draft = WebhookDraft {
        url: WebhookUrl::parse(url).unwrap(),
        description: "".into(),
        kinds,
        secret: WebhookSecret::new([1; 32]),
    };
    store
        .add_webhook(&draft, at(0), &"key-1".into())
        .await
        .unwrap()
        .unwrap()
}

impl Scene {
    async fn with(options: WebhookOptions) -> Self {
        let receiver = HttpReceiver::start().unwrap();
        let store = MemoryAddresses::new();
        let webhook = add(&store, &receiver.url("/hook"), WebhookKinds::All).await;
        let channel = WebhookChannel::new(Arc::new(store.clone()), codes(), options).unwrap();
        Self {
            receiver,
            store,
            channel,
            webhook,
        }
    }

    async fn open() -> Self {
        Self::with(options(&["127.0.0.0/8"])).await
    }

    fn attempt(&self) -> Attempt {
        attempt(told(News::Issued), &self.webhook.id.to_string())
    }

    async fn deliver(&self) -> ChannelOutcome {
        self.channel.deliver(&self.attempt()).await
    }

    async fn state(&self) -> WebhookState {
        self.store.webhook(self.webhook.id).await.unwrap().unwrap().state
    }
}

fn verify(request: &HttpRequest, secret: &WebhookSecret) -> bool {
    let mut headers = http::HeaderMap::new();
    for (name, value) in &request.headers {
        let name: http::HeaderName = name.parse().unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    standardwebhooks::Webhook::new(&secret_text(secret))
        .unwrap()
        .verify(&request.body, &headers)
        .is_ok()
}

#[tokio::test]
async fn every_event_arrives_signed_as_the_specification_has_it() {
    let scene = Scene::open().await;
    for notification in everything() {
        let attempt = attempt(notification.clone(), &scene.webhook.id.to_string());
        let outcome = scene.channel.deliver(&attempt).await;
        assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
        let request = scene.receiver.requests().pop().unwrap();
        assert_eq!(request.target, "POST /hook");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.header("webhook-id"),
            Some(&*notification.id().to_string())
        );
        assert!(verify(&request, &scene.webhook.secrets.current));
        assert!(!verify(&request, &WebhookSecret::new([9; 32])));

        let event: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(event["type"], notification.kind().event());
        assert_eq!(event["data"]["coupon"]["id"], 1);
        let holder = &event["data"]["issuedCoupon"]["id"];
        assert_eq!(
            *holder == "1-17",
            notification.kind() != NotificationKind::SoldOut
        );
    }
}

#[tokio::test]
async fn a_signature_holds_for_its_second_only() {
    let scene = Scene::open().await;
    scene.deliver().await;
    let mut request = scene.receiver.requests().pop().unwrap();
    assert!(verify(&request, &scene.webhook.secrets.current));
    for (name, value) in &mut request.headers {
        if name == "webhook-timestamp" {
            *value = (value.parse::<i64>().unwrap() - 1).to_string();
        }
    }
    assert!(!verify(&request, &scene.webhook.secrets.current));
}

#[tokio::test]
async fn while_two_secrets_are_live_either_verifies_and_afterwards_only_the_new_one() {
    let scene = Scene::open().await;
    let (old, new) = (scene.webhook.secrets.current.clone(), WebhookSecret::new([2; 32]));
    let rotated = scene
        .webhook
        .clone()
        .rotated(new.clone(), now(), Span::from_secs(3_600));
    assert!(scene.store.change_webhook(&rotated, None).await.unwrap());
    scene.deliver().await;
    let request = scene.receiver.requests().pop().unwrap();
    assert!(verify(&request, &old) && verify(&request, &new));

    let ended = rotated.clone().rotated(new.clone(), now(), Span::ZERO);
    assert!(scene.store.change_webhook(&ended, None).await.unwrap());
    scene.deliver().await;
    let request = scene.receiver.requests().pop().unwrap();
    assert!(!verify(&request, &old) && verify(&request, &new));
}

#[tokio::test]
async fn every_attempt_tells_the_same_under_the_same_id() {
    let scene = Scene::open().await;
    scene.receiver.conduct(HttpConduct::status(500));
    scene.deliver().await;
    scene.receiver.conduct(HttpConduct::status(200));
    scene.deliver().await;
    let requests = scene.receiver.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
}

#[tokio::test]
async fn what_a_receiver_answers_decides_what_becomes_of_the_delivery() {
    let scene = Scene::open().await;
    for (conduct, status, after, delivered) in [
        (HttpConduct::status(200), Some(200), None, true),
        (HttpConduct::status(204), Some(204), None, true),
        (HttpConduct::body("not even JSON"), Some(200), None, true),
        (HttpConduct::status(400), Some(400), None, false),
        (HttpConduct::status(404), Some(404), None, false),
        (HttpConduct::status(500), Some(500), None, false),
        (
            HttpConduct::with_header(429, "retry-after", "120"),
            Some(429),
            Some(120),
            false,
        ),
        (
            HttpConduct::with_header(503, "retry-after", "7"),
            Some(503),
            Some(7),
            false,
        ),
        (
            HttpConduct::with_header(429, "retry-after", "soon"),
            Some(429),
            None,
            false,
        ),
        (HttpConduct::HangUp, None, None, false),
        (HttpConduct::Babble, None, None, false),
    ] {
        scene.receiver.conduct(conduct.clone());
        let outcome = scene.deliver().await;
        assert_eq!(outcome.report().status, status, "{conduct:?}: {outcome:?}");
        match outcome {
            ChannelOutcome::Delivered(_) => assert!(delivered, "{conduct:?}"),
            ChannelOutcome::RetryLater { after: asked, .. } => {
                assert!(!delivered, "{conduct:?}");
                assert_eq!(asked, after.map(Span::from_secs), "{conduct:?}");
            }
            other => panic!("{conduct:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let scene = Scene::open().await;
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = HttpReceiver::start().unwrap();
        let conduct = HttpConduct::with_header(status, "location", elsewhere.url("/elsewhere"));
        scene.receiver.conduct(conduct);
        let outcome = scene.deliver().await;
        assert!(
            matches!(outcome, ChannelOutcome::RetryLater { .. }),
            "{outcome:?}"
        );
        assert_eq!(outcome.report().status, Some(status));
        assert_eq!(elsewhere.requests(), []);
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_up_and_tried_again_later() {
    let impatient = WebhookOptions {
        answer_within: Duration::from_millis(200),
        ..options(&["127.0.0.0/8"])
    };
    let scene = Scene::with(impatient).await;
    scene.receiver.conduct(HttpConduct::Stall);
    let outcome = scene.deliver().await;
    assert!(
        matches!(outcome, ChannelOutcome::RetryLater { .. }),
        "{outcome:?}"
    );
    assert_eq!(&*outcome.report().text, "no answer in time");
    assert_eq!(scene.receiver.requests().len(), 1);
}

#[tokio::test]
async fn of_an_answer_of_a_gigabyte_next_to_nothing_is_taken_in() {
    let scene = Scene::open().await;
    for (status, delivered) in [(200, true), (500, false)] {
        scene.receiver.conduct(HttpConduct::Endless(status));
        let before = scene.receiver.endless_bytes();
        let outcome = scene.deliver().await;
        assert_eq!(
            matches!(outcome, ChannelOutcome::Delivered(_)),
            delivered,
            "{outcome:?}"
        );
        // What the kernel's buffers hold is sent whether anybody reads it or not.
        let sent = scene.receiver.endless_bytes() - before;
        assert!(sent < 64 << 20, "{sent} bytes were taken");
    }
}

#[tokio::test]
async fn a_receiver_that_says_gone_is_disabled_and_sent_nothing_more() {
    let scene = Scene::open().await;
    scene.receiver.conduct(HttpConduct::status(410));
    let outcome = scene.deliver().await;
    assert!(
        matches!(outcome, ChannelOutcome::DisableEndpoint(_)),
        "{outcome:?}"
    );
    let state = scene.state().await;
    let gone = matches!(
        state,
        WebhookState::Disabled {
            reason: DisabledReason::Gone,
            ..
        }
    );
    assert!(gone, "{state:?}");

    assert_eq!(scene.channel.recipients(&told(News::Issued)).await.unwrap(), []);
    let outcome = scene.deliver().await;
    assert!(matches!(outcome, ChannelOutcome::Refused(_)), "{outcome:?}");
    assert_eq!(scene.receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_private_address_is_not_connected_to_neither_by_number_nor_by_name() {
    let receiver = HttpReceiver::start().unwrap();
    let store = MemoryAddresses::new();
    // The name is judged by where it leads when it is sent to: it could have led elsewhere when the webhook was made.
    let by_name = format!("http://localhost:{}/", receiver.port());
    let hosts = [
        receiver.url("/"),
        by_name.clone(),
        format!("http://2130706433:{}/", receiver.port()),
    ];
    let channel = WebhookChannel::new(Arc::new(store.clone()), codes(), options(&["10.0.0.0/8"])).unwrap();
    for url in hosts {
        let webhook = add(&store, &url, WebhookKinds::All).await;
        let attempt = attempt(told(News::Issued), &webhook.id.to_string());
        let outcome = channel.deliver(&attempt).await;
        assert!(
            matches!(outcome, ChannelOutcome::Refused(_)),
            "{url}: {outcome:?}"
        );
        let outcome = channel.ping(&webhook, "ping-1", now()).await;
        assert!(
            matches!(outcome, ChannelOutcome::Refused(_)),
            "{url}: {outcome:?}"
        );
        let judged = channel.accepts(&webhook.url);
        let by_number = Err(WebhookUrlError::PrivateAddress);
        assert_eq!(judged, if url == by_name { Ok(()) } else { by_number }, "{url}");
    }
    assert_eq!(receiver.requests(), []);

    let open =
        WebhookChannel::new(Arc::new(store.clone()), codes(), options(&["127.0.0.0/8", "::1"])).unwrap();
    let webhook = add(&store, &by_name, WebhookKinds::All).await;
    let outcome = open
        .deliver(&attempt(told(News::Issued), &webhook.id.to_string()))
        .await;
    assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
}

#[tokio::test]
async fn without_leave_nothing_is_sent_unencrypted() {
    let closed = WebhookOptions {
        allow_http: false,
        ..options(&["127.0.0.0/8"])
    };
    let scene = Scene::with(closed).await;
    let outcome = scene.deliver().await;
    assert!(matches!(outcome, ChannelOutcome::Refused(_)), "{outcome:?}");
    assert_eq!(
        scene.channel.accepts(&scene.webhook.url),
        Err(WebhookUrlError::NotEncrypted)
    );
    assert_eq!(scene.receiver.requests(), []);
}

#[tokio::test]
async fn those_are_told_that_want_the_kind_and_are_enabled() {
    let scene = Scene::open().await;
    let url = scene.receiver.url("/");
    let sold = WebhookKinds::some([NotificationKind::SoldOut]).unwrap();
    let sold = add(&scene.store, &url, sold).await;
    let off = add(&scene.store, &url, WebhookKinds::All).await;
    let off = off.disabled(at(1), DisabledReason::ByHand);
    assert!(scene.store.change_webhook(&off, None).await.unwrap());
    let recipients = scene.channel.recipients(&sold_out()).await.unwrap();
    assert_eq!(recipients, [scene.webhook.id.recipient(), sold.id.recipient()]);
    let recipients = scene.channel.recipients(&told(News::Issued)).await.unwrap();
    assert_eq!(recipients, [scene.webhook.id.recipient()]);
}

#[tokio::test]
async fn a_webhook_that_is_not_there_is_refused_for_good() {
    let scene = Scene::open().await;
    assert!(
        scene
            .store
            .delete_webhook(scene.webhook.id, at(9), &"key-1".into())
            .await
            .unwrap()
    );
    for recipient in [scene.webhook.id.to_string(), "holder".to_owned(), "0".to_owned()] {
        let outcome = scene
            .channel
            .deliver(&attempt(told(News::Issued), &recipient))
            .await;
        assert!(
            matches!(outcome, ChannelOutcome::Refused(_)),
            "{recipient}: {outcome:?}"
        );
    }
    assert_eq!(scene.receiver.requests(), []);
}

#[tokio::test]
async fn a_ping_reaches_a_webhook_that_is_disabled_too() {
    let scene = Scene::open().await;
    let off = scene.webhook.clone().disabled(at(1), DisabledReason::Gone);
    assert!(scene.store.change_webhook(&off, None).await.unwrap());
    let outcome = scene.channel.ping(&off, "ping-17", now()).await;
    assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
    let request = scene.receiver.requests().pop().unwrap();
    assert_eq!(request.header("webhook-id"), Some("ping-17"));
    assert!(verify(&request, &off.secrets.current));
    let event: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(event["type"], "webhook.ping");
}
