//! Mail to a server that does as it is told.

use crate::scene::{attempt, codes, everything, patience, sold_out, told};
use async_trait::async_trait;
use coupon_app::contract::user;
use coupon_app::memory::MemoryAddresses;
use coupon_app::{
    Channel, ChannelOutcome, ContactStore, Contacts, News, NotificationKind, Recipient, StoreError,
};
use coupon_core::{Contact, EmailAddress, Language, PersonName, UserId};
use coupon_testkit::{MailFault, MailReceived, MailServer, MailStage};
use notify::{MailChannel, MailOptions, MailSecurity, Templates};
use std::sync::Arc;
use std::time::Duration;

const HOLDER: &str = "holder";

struct Scene {
    server: MailServer,
    contacts: MemoryAddresses,
    channel: MailChannel,
}

pub(crate) fn options(port: u16) -> MailOptions {
    MailOptions {
        host: "127.0.0.1".to_owned(),
        port,
        security: MailSecurity::None,
        credentials: None,
        authorities: None,
        from: "쿠폰 가게 <shop@example.com>".parse().unwrap(),
        reply_to: Some("help@example.com".parse().unwrap()),
        administrators: vec![EmailAddress::parse("boss@example.com").unwrap()],
        language: Language::English,
        answer_within: Duration::from_secs(10),
        patience: patience(),
    }
}

fn channel(contacts: impl Contacts, options: MailOptions) -> MailChannel {
    let templates = Templates::load(None).unwrap();
    MailChannel::new(Arc::new(contacts), codes(), templates, options).unwrap()
}

/// A channel that knows the holder as somebody with an address.
pub(crate) async fn to_kim(options: MailOptions) -> MailChannel {
    let contacts = MemoryAddresses::new();
    let contact = Contact {
        email: EmailAddress::parse("kim@example.org").unwrap(),
        name: None,
        language: None,
    };
    contacts.keep_contact(&user(17), &contact).await.unwrap();
    channel(contacts, options)
}

impl Scene {
    /// A server, and a channel that knows the holder as `name` and `language`.
    async fn with(name: &str, language: Option<Language>, change: impl FnOnce(&mut MailOptions)) -> Self {
        let server = MailServer::start().unwrap();
        let contacts = MemoryAddresses::new();
        let contact = Contact {
            email: EmailAddress::parse("kim@example.org").unwrap(),
            name: PersonName::parse(name).ok(),
            language,
        };
        contacts.keep_contact(&user(17), &contact).await.unwrap();
        let mut options = options(server.port());
        change(&mut options);
        let channel = channel(contacts.clone(), options);
        Self {
            server,
            contacts,
            channel,
        }
    }

    async fn open() -> Self {
        Self::with("Kim", Some(Language::Korean), |_options| {}).await
    }

    async fn deliver(&self) -> ChannelOutcome {
        self.channel.deliver(&attempt(told(News::Issued), HOLDER)).await
    }

    fn last(&self) -> MailReceived {
        self.server.received().pop().unwrap()
    }
}

#[tokio::test]
async fn every_kind_arrives_in_both_forms_with_a_stable_id() {
    let scene = Scene::open().await;
    for notification in everything() {
        let sold_out = notification.kind() == NotificationKind::SoldOut;
        let (whom, to) = if sold_out {
            ("administrator-1", "boss@example.com")
        } else {
            (HOLDER, "kim@example.org")
        };
        for _attempt in 0..2 {
            let outcome = scene.channel.deliver(&attempt(notification.clone(), whom)).await;
            assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
            assert_eq!(outcome.report().status, Some(250));
            let mail = scene.last();
            assert_eq!(
                (mail.from.as_str(), mail.to.as_slice()),
                ("shop@example.com", &[to.to_owned()][..])
            );
            let id = format!("<{}@example.com>", notification.id());
            assert_eq!(mail.headers("message-id"), [id]);
            assert_eq!(mail.headers("auto-submitted"), ["auto-generated"]);
            assert_eq!(
                mail.headers("content-language"),
                [if sold_out { "en" } else { "ko" }]
            );
            assert_eq!(mail.headers("reply-to"), ["help@example.com"]);
            assert!(mail.data.contains("text/plain; charset=utf-8"), "{}", mail.data);
            assert!(mail.data.contains("text/html; charset=utf-8"), "{}", mail.data);
            assert!(
                !mail.data.replace("\r\n", "").contains('\n'),
                "a line ends in a bare line feed"
            );
        }
    }
}

#[tokio::test]
async fn whom_it_goes_to_depends_on_what_it_tells() {
    let scene = Scene::open().await;
    let recipient = |name: &str| Recipient::parse(name).unwrap();
    let recipients = scene.channel.recipients(&told(News::Issued)).await.unwrap();
    assert_eq!(recipients, [recipient(HOLDER)]);
    let recipients = scene.channel.recipients(&sold_out()).await.unwrap();
    assert_eq!(recipients, [recipient("administrator-1")]);
    for (notification, whom) in [
        (sold_out(), HOLDER),
        (sold_out(), "administrator-2"),
        (told(News::Issued), "administrator-0"),
    ] {
        let outcome = scene.channel.deliver(&attempt(notification, whom)).await;
        let given_up = matches!(
            outcome,
            ChannelOutcome::Refused(_) | ChannelOutcome::Undeliverable(_)
        );
        assert!(given_up, "{whom}: {outcome:?}");
    }
    assert_eq!(scene.server.received(), []);
}

#[tokio::test]
async fn a_holder_without_an_address_is_undeliverable_until_there_is_one() {
    let scene = Scene::open().await;
    let contact = scene.contacts.contact(&user(17)).await.unwrap().unwrap();
    scene.contacts.forget_contact(&user(17)).await.unwrap();
    let outcome = scene.deliver().await;
    assert!(matches!(outcome, ChannelOutcome::Undeliverable(_)), "{outcome:?}");
    assert_eq!(scene.server.connections(), 0);

    scene.contacts.keep_contact(&user(17), &contact).await.unwrap();
    let outcome = scene.deliver().await;
    assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
}

/// Contacts that cannot be asked.
struct Silent(bool);

#[async_trait]
impl Contacts for Silent {
    async fn contact(&self, _user: &UserId) -> Result<Option<Contact>, StoreError> {
        let retriable = self.0;
        let cause = "nobody answers".into();
        Err(StoreError { cause, retriable })
    }
}

#[tokio::test]
async fn contacts_that_cannot_be_asked_are_asked_again_while_that_may_help() {
    for retriable in [true, false] {
        let channel = channel(Silent(retriable), options(1));
        let outcome = channel.deliver(&attempt(told(News::Issued), HOLDER)).await;
        match outcome {
            ChannelOutcome::RetryLater { .. } => assert!(retriable),
            ChannelOutcome::Undeliverable(_) => assert!(!retriable),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_server_answers_decides_what_becomes_of_the_letter() {
    let stages = [
        MailStage::Greeting,
        MailStage::Hello,
        MailStage::Sender,
        MailStage::Recipient,
        MailStage::Data,
        MailStage::End,
    ];
    let impatient = |options: &mut MailOptions| options.answer_within = Duration::from_millis(200);
    let scene = Scene::with("Kim", None, impatient).await;
    for stage in stages {
        for (fault, status) in [
            (MailFault::Reply(421), Some(421)),
            (MailFault::Reply(450), Some(450)),
            (MailFault::Reply(550), Some(550)),
            (MailFault::Reply(530), Some(530)),
            (MailFault::Babble, None),
            (MailFault::HangUp, None),
            (MailFault::Stall, None),
        ] {
            scene.server.fail(stage, fault);
            let outcome = scene.deliver().await;
            let report = outcome.report();
            if status.is_some() {
                assert_eq!(report.status, status, "{stage:?} {fault:?}: {outcome:?}");
            }
            assert!(!report.text.contains('@'), "{stage:?} {fault:?}: {}", report.text);
            let for_good = fault == MailFault::Reply(550);
            match outcome {
                ChannelOutcome::Refused(_) => assert!(for_good, "{stage:?} {fault:?}"),
                ChannelOutcome::RetryLater { .. } => assert!(!for_good, "{stage:?} {fault:?}"),
                other => panic!("{stage:?} {fault:?}: {other:?}"),
            }
        }
    }
    scene.server.mend();
    let outcome = scene.deliver().await;
    assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_offers_no_encryption_gets_nothing_where_it_is_asked_for() {
    for security in [MailSecurity::StartTls, MailSecurity::Tls] {
        let scene = Scene::with("Kim", None, |options| {
            options.security = security;
            options.answer_within = Duration::from_millis(500);
        })
        .await;
        let outcome = scene.deliver().await;
        assert!(
            matches!(outcome, ChannelOutcome::RetryLater { .. }),
            "{security:?}: {outcome:?}"
        );
        assert_eq!(scene.server.received(), []);
    }
}

#[tokio::test]
async fn a_name_adds_neither_a_header_nor_a_recipient() {
    for name in [
        "Kim, boss@evil.example",
        "Kim <boss@evil.example>",
        "\"Kim\" <boss@evil.example>,",
        "김쿠폰; boss@evil.example",
        "=?utf-8?q?a=0D=0ABcc:_boss@evil.example?=",
        "a: b",
    ] {
        let scene = Scene::with(name, None, |_options| {}).await;
        let outcome = scene.deliver().await;
        assert!(
            matches!(outcome, ChannelOutcome::Delivered(_)),
            "{name}: {outcome:?}"
        );
        let mail = scene.last();
        assert_eq!(mail.to, ["kim@example.org"], "{name}");
        assert_eq!(mail.headers("bcc"), [""; 0], "{name}");
        let to = mail.headers("to");
        assert!(
            to.len() == 1 && to[0].ends_with("<kim@example.org>"),
            "{name}: {to:?}"
        );
        let quoted_or_encoded = to[0].starts_with('"') || to[0].starts_with("=?") || !to[0].contains("evil");
        assert!(quoted_or_encoded, "{name}: {to:?}");
    }
}

#[tokio::test]
async fn an_answer_without_an_end_takes_neither_memory_nor_time() {
    // Everything that lies in buffers of the system between the two, and what is read before it is too much.
    const MOST: u64 = 16 << 20;
    for stage in [
        MailStage::Greeting,
        MailStage::Hello,
        MailStage::Sender,
        MailStage::Data,
        MailStage::End,
    ] {
        for fault in [MailFault::EndlessLine, MailFault::EndlessLines] {
            // Only its own limits end the conversation early enough for this.
            let scene = Scene::open().await;
            scene.server.fail(stage, fault);
            let outcome = scene.deliver().await;
            assert!(
                matches!(outcome, ChannelOutcome::RetryLater { .. }),
                "{stage:?} {fault:?}: {outcome:?}"
            );
            assert_ne!(
                &*outcome.report().text,
                "the mail server did not finish in time",
                "{stage:?} {fault:?}"
            );
            let said = scene.server.endless_bytes();
            assert!(said < MOST, "{stage:?} {fault:?}: {said} bytes were taken in");
        }
    }
}

#[tokio::test]
async fn a_farewell_that_never_comes_does_not_make_a_letter_that_was_taken_one_that_was_not() {
    let scene = Scene::open().await;
    scene.server.fail(MailStage::Farewell, MailFault::Stall);
    let outcome = scene.deliver().await;
    assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
    assert_eq!(scene.server.received().len(), 1);
}
