//! How people are reached.

use super::AddressHarness;
use crate::contract::run;
use coupon_core::{Contact, EmailAddress, Language, PersonName, UserId};

fn contact(email: &str, name: Option<&str>, language: Option<Language>) -> Contact {
    Contact {
        email: EmailAddress::parse(email).unwrap(),
        name: name.map(|name| PersonName::parse(name).unwrap()),
        language,
    }
}

pub fn the_last_contact_that_was_given_counts(harness: &mut dyn AddressHarness) {
    run(async {
        let mut book = harness.open().await;
        let user = UserId::parse("김 '\"\\ \u{1f3f7}").unwrap();
        for given in [
            contact(
                "o'brien@example.com",
                Some("오 '\"\\ \u{1f3f7}"),
                Some(Language::Korean),
            ),
            contact("kim@example.com", None, Some(Language::English)),
            contact("kim@example.com", None, None),
        ] {
            book.contacts.keep_contact(&user, &given).await.unwrap();
            assert_eq!(book.contacts.contact(&user).await.unwrap().as_ref(), Some(&given));
            book = harness.reopen(book).await;
            assert_eq!(book.contacts.contact(&user).await.unwrap(), Some(given));
        }
    });
}

pub fn a_contact_belongs_to_the_exact_user_id(harness: &mut dyn AddressHarness) {
    run(async {
        let book = harness.open().await;
        let alike = ["kim", "Kim", "kim ", "kím", "ki\u{301}m"].map(|id| UserId::parse(id).unwrap());
        for (number, user) in alike.iter().enumerate() {
            let given = contact(&format!("{number}@example.com"), None, None);
            book.contacts.keep_contact(user, &given).await.unwrap();
        }
        for (number, user) in alike.iter().enumerate() {
            let found = book.contacts.contact(user).await.unwrap().unwrap();
            assert_eq!(found.email.as_str(), format!("{number}@example.com"));
        }
    });
}

pub fn a_forgotten_contact_is_gone(harness: &mut dyn AddressHarness) {
    run(async {
        let book = harness.open().await;
        let user = UserId::parse("kim").unwrap();
        assert!(!book.contacts.forget_contact(&user).await.unwrap());
        let given = contact("kim@example.com", None, None);
        book.contacts.keep_contact(&user, &given).await.unwrap();
        assert!(book.contacts.forget_contact(&user).await.unwrap());
        assert_eq!(book.contacts.contact(&user).await.unwrap(), None);
    });
}
