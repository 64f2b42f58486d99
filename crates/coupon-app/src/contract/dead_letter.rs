//! The exam of [`DeadLetterOffice`]s.

use crate::{DeadLetter, DeadLetterOffice, DeadLetters};
use std::sync::Arc;

async fn listed(office: &dyn DeadLetterOffice) -> Vec<DeadLetter> {
    office.list(None, 100).await.unwrap().unwrap()
}

fn names(letters: &[DeadLetter]) -> Vec<Box<str>> {
    letters.iter().map(|letter| letter.name.clone()).collect()
}

/// Examines an office whose list holds six letters, all of them whole but the fourth, which is not where there are such
/// letters. Says how many were brought again; whoever calls looks whether they came. The list is empty afterwards.
pub async fn letters_are_looked_after_from_the_front(office: Arc<dyn DeadLetterOffice>) -> u64 {
    let letters = listed(office.as_ref()).await;
    let whole: Vec<bool> = letters.iter().map(|letter| letter.whole).collect();
    let stops = whole.get(3) == Some(&false);
    assert_eq!(whole, [true, true, true, !stops, true, true], "{letters:?}");
    let all = names(&letters);
    for name in &all {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        assert!(
            (1..=80).contains(&name.len()) && name.bytes().all(plain),
            "{name}"
        );
    }
    // One after the other, each is behind the one before it and can be found.
    let mut after = None;
    for letter in &letters {
        let next = office.list(after, 1).await.unwrap().unwrap();
        assert_eq!(next, std::slice::from_ref(letter));
        assert_eq!(office.find(&letter.name).await.unwrap().as_ref(), Some(letter));
        after = Some(&*letter.name);
    }
    assert_eq!(office.list(after, 1).await.unwrap().unwrap(), []);
    for stranger in [
        "",
        "x",
        "-",
        "0",
        "nobody-0-0-0-0",
        "9999999999-9999999999999999999999-1",
    ] {
        assert_eq!(office.list(Some(stranger), 1).await.unwrap(), None, "{stranger}");
        assert_eq!(office.find(stranger).await.unwrap(), None, "{stranger}");
        assert_eq!(office.replay(stranger).await.unwrap(), None, "{stranger}");
        assert_eq!(office.dismiss(stranger).await.unwrap(), None, "{stranger}");
    }
    assert_eq!(
        names(&listed(office.as_ref()).await),
        all,
        "looking changes nothing"
    );
    let offices = DeadLetters::of(vec![("here", Arc::clone(&office))]);
    let id = |name: &str| format!("here-{name}");
    let mut sent = 0;
    let mut replay = async |name: &str| {
        let replayed = offices.replay(&id(name)).await.unwrap().unwrap();
        sent += replayed.sent;
        (replayed.sent, replayed.stopped_at.map(String::from))
    };
    assert_eq!(replay(&all[1]).await, (2, None));
    assert_eq!(replay(&all[1]).await, (0, None), "replaying again is right");
    assert_eq!(replay(&all[0]).await, (0, None));
    assert_eq!(names(&listed(office.as_ref()).await), all[2..]);
    assert_eq!(office.find(&all[0]).await.unwrap(), None);
    let behind = office.list(Some(&all[0]), 9).await.unwrap().unwrap();
    assert_eq!(
        names(&behind),
        all[2..],
        "a place is known when its letter has left"
    );
    if stops {
        // The fourth cannot be brought again, and nothing behind it is.
        assert_eq!(replay(&all[5]).await, (1, Some(id(&all[3]))));
        assert_eq!(replay(&all[5]).await, (0, Some(id(&all[3]))));
    } else {
        assert_eq!(replay(&all[2]).await, (1, None));
    }
    assert_eq!(names(&listed(office.as_ref()).await), all[3..]);
    assert_eq!(offices.dismiss(&id(&all[3])).await.unwrap(), Some(1));
    assert_eq!(offices.dismiss(&id(&all[3])).await.unwrap(), Some(0));
    assert_eq!(names(&listed(office.as_ref()).await), all[4..]);
    assert_eq!(replay(&all[4]).await, (1, None));
    assert_eq!(offices.dismiss(&id(&all[5])).await.unwrap(), Some(1));
    assert_eq!(listed(office.as_ref()).await, []);
    sent
}

/// Examines how several offices stand beside each other; each has letters, all of them whole.
pub async fn letters_of_several_offices_are_one_list(
    one: Arc<dyn DeadLetterOffice>,
    two: Arc<dyn DeadLetterOffice>,
) {
    let (first, second) = (listed(one.as_ref()).await, listed(two.as_ref()).await);
    let offices = DeadLetters::of(vec![("one", one), ("two", two)]);
    let expected: Vec<String> = (names(&first).iter().map(|name| format!("one-{name}")))
        .chain(names(&second).iter().map(|name| format!("two-{name}")))
        .collect();
    for limit in 1..=expected.len() + 1 {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = offices
                .list(seen.last().map(String::as_str), limit)
                .await
                .unwrap()
                .unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|listed| listed.id));
        }
        assert_eq!(seen, expected, "pages of {limit}");
    }
    let second_alone = offices.only("two").unwrap();
    let those = second_alone.list(None, 100).await.unwrap().unwrap();
    let those: Vec<String> = those.into_iter().map(|listed| listed.id).collect();
    assert_eq!(those, expected[first.len()..]);
    assert_eq!(
        second_alone.list(Some(&expected[0]), 1).await.unwrap(),
        None,
        "of another office"
    );
    assert!(offices.only("three").is_none());
    for stranger in ["", "one", "three-1", "two"] {
        assert_eq!(offices.list(Some(stranger), 1).await.unwrap(), None, "{stranger}");
        assert_eq!(offices.find(stranger).await.unwrap(), None);
    }
    let last = expected.last().unwrap();
    assert_eq!(offices.find(last).await.unwrap().unwrap().id, *last);
    assert_eq!(
        offices.dismiss(last).await.unwrap(),
        Some(u64::try_from(second.len()).unwrap())
    );
    let left = offices.list(None, 100).await.unwrap().unwrap();
    assert_eq!(left.len(), first.len(), "the other office is not touched");
}
