//! Templates of this house, and those that an operator puts in their place.

use coupon_app::NotificationKind;
use coupon_core::Language;
use notify::{TemplateError, Templates};
use std::fs;
use tempfile::TempDir;

/// A directory with these files in it.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn load(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
    Templates::load(Some(directory(files).path()))
}

#[test]
fn every_kind_can_be_previewed_in_every_language() {
    let templates = Templates::load(None).unwrap();
    for language in Language::ALL {
        for kind in NotificationKind::ALL {
            let mail = templates.preview(kind, language).unwrap();
            assert!(
                mail.subject.contains("Autumn <sale> & more"),
                "{kind:?}: {}",
                mail.subject
            );
            assert!(
                mail.text.contains("Autumn <sale> & more"),
                "{kind:?}: {}",
                mail.text
            );
            assert!(
                mail.html.contains("Autumn &lt;sale&gt; &amp; more"),
                "{kind:?}: {}",
                mail.html
            );
            for text in [&mail.subject, &mail.text, &mail.html] {
                assert!(!text.contains("{{") && !text.contains("{%"), "{kind:?}: {text}");
            }
            let korean = mail.subject.contains("쿠폰");
            assert_eq!(korean, language == Language::Korean, "{}", mail.subject);
        }
    }
}

#[test]
fn an_operators_template_takes_the_place_of_ours_and_no_other() {
    let templates = load(&[("ko/issued.txt", "{{ user_name }} 축하\n\n코드 {{ code }}\n")]).unwrap();
    let mail = templates
        .preview(NotificationKind::Issued, Language::Korean)
        .unwrap();
    assert_eq!(
        (mail.subject.as_str(), mail.text.as_str()),
        ("Kim 축하", "코드 7KQM-2ZRD-94TA\n")
    );
    let ours = Templates::load(None).unwrap();
    assert_eq!(
        mail.html,
        ours.preview(NotificationKind::Issued, Language::Korean)
            .unwrap()
            .html
    );
    let english = |templates: &Templates| {
        templates
            .preview(NotificationKind::Issued, Language::English)
            .unwrap()
    };
    assert_eq!(english(&templates), english(&ours));
}

#[test]
fn what_could_fail_at_midnight_is_refused_at_once_with_the_reason() {
    let long = "x".repeat(65 * 1_024);
    for (name, text, reason) in [
        ("en/issued.txt", "{{ nobody }}\n", "uses nobody"),
        ("en/issued.txt", "Hello\n\n{{ days }}\n", "uses days"),
        ("en/sold-out.html", "{{ user_name }}", "uses user_name"),
        (
            "en/issued.html",
            "{% if false %}{{ nobody }}{% endif %}",
            "uses nobody",
        ),
        ("en/issued.html", "{{ code.secret }}", "uses code.secret"),
        ("en/issued.html", "{{ code", "en/issued.html"),
        ("en/issued.html", "{{ code | nothing }}", "en/issued.html"),
        (
            "en/issued.html",
            "{% include 'ko/issued.html' %}",
            "en/issued.html",
        ),
        (
            "en/issued.html",
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
            "uses range",
        ),
        ("en/issued.txt", "\n\ntext\n", "no subject"),
        ("en/issued.txt", "", "no subject"),
        ("en/issued.txt", &long, "bytes"),
        ("en/bought.txt", "Hello\n", "is no template"),
        ("fr/issued.txt", "Bonjour\n", "is no template"),
        ("issued.txt", "Hello\n", "is no template"),
    ] {
        let refused = load(&[(name, text)]).unwrap_err().to_string();
        assert!(refused.contains(reason), "{name} {text:.40}: {refused}");
    }
    let missing = Templates::load(Some("/nowhere/at/all".as_ref())).unwrap_err();
    assert!(matches!(missing, TemplateError::Unreadable { .. }), "{missing}");
}

#[test]
fn a_subject_is_one_line_whatever_stands_in_it() {
    let templates = load(&[(
        "en/issued.txt",
        "A\tB{{ \"\\r\\nBcc: evil@example.com\" }}\n\ntext\n",
    )])
    .unwrap();
    let mail = templates
        .preview(NotificationKind::Issued, Language::English)
        .unwrap();
    assert_eq!(mail.subject, "A B  Bcc: evil@example.com");
}
