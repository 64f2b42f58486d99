//! One HTML page that needs nothing but itself: the verdict, the plots, the numbers, in English and Korean.

use std::fmt::Write as _;

use super::charts;
use super::figure::{Size, escaped};
use super::verdict_html;
use crate::history::Header;
use crate::numbers::{grouped, latency, rate, seconds};
use crate::outcome::Outcome;
use crate::run::Rehearsal;
use crate::summary::{Percentiles, Summary};

const STYLE: &str = include_str!("style.css");

/// The page.
pub fn html_report(rehearsal: &Rehearsal) -> String {
    let Rehearsal {
        history,
        summary,
        verdict,
        ..
    } = rehearsal;
    let plots = [
        plot(
            ("Answers over time", "시간별 응답"),
            &[
                ("issued", "issued · 발급"),
                ("refused", "refused · 거절"),
                ("failed", "failed · 실패"),
            ],
            |size| charts::rate_over_time(summary, &history.faults, size),
            ("Columns by the time of the answer.", "막대는 응답 시각 기준입니다."),
        ),
        plot(
            ("Latency over time", "시간별 지연"),
            &[("p50", "p50"), ("p99", "p99"), ("max", "max · 최대")],
            |size| charts::latency_over_time(summary, &history.faults, size),
            (
                "From the intended send time, so waiting for a connection or for a server that is away counts.",
                "보내기로 한 시각부터 잰 값이므로, 연결을 기다린 시간과 서버가 멈춰 있던 시간도 포함됩니다.",
            ),
        ),
        plot(
            ("Latency distribution", "지연 분포"),
            &[("issued", "issued · 발급"), ("refused-line", "refused · 거절")],
            |size| charts::distribution(summary, size),
            (
                "The share of answers that took at most so long; each step to the right is one more nine.",
                "그 시간 안에 받은 응답의 비율입니다. 오른쪽으로 한 칸 갈 때마다 9가 하나씩 늘어납니다.",
            ),
        ),
    ]
    .concat();
    let judged = verdict_html::section(verdict);
    // A failure is read first, and plots are looked at first.
    let (first, second) = if verdict.passed() {
        (&plots, &judged)
    } else {
        (&judged, &plots)
    };
    let header = header(rehearsal);
    let tiles = tiles(summary);
    let numbers = numbers(summary);
    let facts = facts(&history.header);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Rehearsal of coupon {coupon}: {result}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         {header}{tiles}{first}{numbers}{second}{facts}\
         <footer>firstcome rehearse</footer>\n</main>\n</body>\n</html>\n",
        coupon = history.header.coupon.id,
        result = if verdict.passed() { "pass" } else { "fail" },
    )
}

/// A heading in both languages.
pub(super) fn heading(level: u8, (english, korean): (&str, &str)) -> String {
    format!("<h{level}>{english} <span lang=\"ko\">{korean}</span></h{level}>")
}

fn header(rehearsal: &Rehearsal) -> String {
    let (summary, coupon) = (&rehearsal.summary, &rehearsal.history.header.coupon);
    let (class, word, korean) = if rehearsal.verdict.passed() {
        ("pass", "PASS", "합격")
    } else {
        ("fail", "FAIL", "불합격")
    };
    let of = coupon
        .quantity
        .map_or_else(String::new, |quantity| format!(" of {}", grouped(quantity)));
    let of_korean = coupon
        .quantity
        .map_or_else(String::new, |quantity| format!(" {}장 중", grouped(quantity)));
    let (faults, faults_korean) = match rehearsal.history.faults.len() {
        0 => ("", ""),
        1 => (
            ", and a fault struck the server meanwhile",
            " 그동안 서버에 장애가 한 번 있었습니다.",
        ),
        _ => (
            ", and faults struck the server meanwhile",
            " 그동안 서버에 장애가 여러 번 있었습니다.",
        ),
    };
    let [users, attempts, got] = [
        summary.users,
        summary.attempts,
        rehearsal.verdict.coupons_held.saturating_sub(coupon.issued),
    ]
    .map(grouped);
    let took = seconds(summary.elapsed_ns);
    let took_korean = took.replace(" s", "초");
    format!(
        "<header>{}<span class=\"badge {class}\">{word} <span lang=\"ko\">{korean}</span></span>\n\
         <p class=\"lead\">{users} users sent {attempts} requests for {got}{of} coupons in {took}{faults}. \
         <span lang=\"ko\">사용자 {users}명이 {took_korean} 동안 {attempts}번 요청해 쿠폰{of_korean} {got}장을 \
         받았습니다.{faults_korean}</span></p></header>\n",
        heading(1, ("Rehearsal", "선착순 발급 리허설")),
    )
}

fn tiles(summary: &Summary) -> String {
    let failed = if summary.failures() > 0 { "failed" } else { "" };
    let sold_out = summary.sold_out_ns.map_or_else(|| "–".to_owned(), seconds);
    let tiles = [
        ("issued", grouped(summary.count(Outcome::Issued)), "issued · 발급"),
        ("", grouped(summary.refusals()), "refused · 거절"),
        (failed, grouped(summary.failures()), "failed · 실패"),
        ("", sold_out, "sold out after · 소진"),
        ("", rate(summary.answers_per_second), "answers · 응답"),
        ("", latency(summary.issued.p99_us), "p99, issued · 발급"),
    ]
    .map(|(class, value, name)| {
        format!("<div class=\"tile\"><b class=\"{class}\">{value}</b><span>{name}</span></div>\n")
    });
    format!("<section class=\"tiles\">{}</section>\n", tiles.concat())
}

fn plot(
    title: (&str, &str),
    legend: &[(&str, &str)],
    draw: impl Fn(Size) -> String,
    (note, korean): (&str, &str),
) -> String {
    let mut keys = String::new();
    for (class, name) in legend {
        write!(keys, "<li><i class=\"i-{class}\"></i>{name}</li>").expect("writing to a String cannot fail");
    }
    let heading = heading(2, title);
    let plots = Size::BOTH.map(draw).concat();
    format!(
        "<section><div class=\"above\">{heading}<ul class=\"legend\">{keys}</ul></div>\n{plots}\
         <p class=\"note\">{note} <span lang=\"ko\">{korean}</span></p></section>\n"
    )
}

fn numbers(summary: &Summary) -> String {
    format!(
        "<section><div class=\"above\">{}</div><div class=\"tables\">\n{}{}</div></section>\n",
        heading(2, ("Numbers", "집계")),
        answers_table(summary),
        latency_table(summary)
    )
}

fn answers_table(summary: &Summary) -> String {
    let mut rows = String::new();
    let mut row = |class: &str, name: &str, korean: &str, count: u64| {
        let count = grouped(count);
        writeln!(
            rows,
            "<tr class=\"{class}\"><th>{name} <span lang=\"ko\">{korean}</span></th><td>{count}</td></tr>"
        )
        .expect("writing to a String cannot fail");
    };
    row("sum", "issued", "발급", summary.count(Outcome::Issued));
    let mut group = |name: &str, korean: &str, count: u64, belongs: fn(Outcome) -> bool| {
        row("sum", name, korean, count);
        for outcome in Outcome::ALL
            .into_iter()
            .filter(|outcome| belongs(*outcome) && summary.count(*outcome) > 0)
        {
            row("part", outcome.name(), outcome.korean(), summary.count(outcome));
        }
    };
    group("refused", "거절", summary.refusals(), Outcome::is_refusal);
    group("failed", "실패", summary.failures(), Outcome::is_failure);
    row("sum", "attempts", "시도", summary.attempts);
    row("", "users", "사용자", summary.users);
    row(
        "",
        "users unserved",
        "응답받지 못한 사용자",
        summary.unserved_users,
    );
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>answers · 응답</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
}

fn latency_table(summary: &Summary) -> String {
    let rows = [
        ("issued", "발급", &summary.issued),
        ("refused", "거절", &summary.refused),
        ("failed", "실패", &summary.failed),
    ]
    .map(latency_row)
    .concat();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>latency · 지연</th><th>p50</th><th>p90</th><th>p99</th>\
         <th>p99.9</th><th>max</th></tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
}

fn latency_row((name, korean, percentiles): (&str, &str, &Percentiles)) -> String {
    if percentiles.count == 0 {
        return String::new();
    }
    let Percentiles {
        p50_us,
        p90_us,
        p99_us,
        p999_us,
        max_us,
        ..
    } = *percentiles;
    let cells = [p50_us, p90_us, p99_us, p999_us, max_us]
        .map(|us| format!("<td>{}</td>", latency(us)))
        .concat();
    format!("<tr><th>{name} <span lang=\"ko\">{korean}</span></th>{cells}</tr>\n")
}

fn facts(header: &Header) -> String {
    let (coupon, plan) = (&header.coupon, &header.plan);
    let shape = format!("{:?}", plan.shape).to_lowercase();
    let facts = [
        ("server · 서버", escaped(&header.servers())),
        ("started · 시작", header.started_at.to_string()),
        ("coupon · 쿠폰", coupon.id.to_string()),
        (
            "quantity · 수량",
            coupon
                .quantity
                .map_or_else(|| "unlimited · 무제한".to_owned(), grouped),
        ),
        ("users · 사용자", grouped(u64::from(plan.users))),
        ("asks planned · 예정 요청", grouped(plan.asks)),
        (
            "arrivals · 도착",
            format!("{shape}, {} s", plan.duration_ms / 1_000),
        ),
        (
            "asking twice or more · 중복 요청",
            format!("{:.0} %", plan.duplicate_share * 100.0),
        ),
        (
            "connections · 연결",
            grouped(u64::try_from(plan.connections).unwrap_or(u64::MAX)),
        ),
        ("seed · 시드", plan.seed.to_string()),
        ("opens · 시작 시각", coupon.opens_at.to_string()),
        ("closes · 마감 시각", coupon.closes_at.to_string()),
    ]
    .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"))
    .concat();
    format!(
        "<section>{}<dl>{facts}</dl></section>\n",
        heading(2, ("The rehearsal", "리허설 조건"))
    )
}
