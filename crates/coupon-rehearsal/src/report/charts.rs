//! The three plots: answers over time, latency over time, and the distribution of latency.

#![expect(clippy::cast_precision_loss, reason = "plots have fewer pixels than 2^53")]

use super::figure::{Figure, Size};
use super::scale::Scale;
use crate::history::FaultMark;
use crate::numbers::{grouped, latency, latency_tick, seconds};
use crate::summary::{Interval, Summary};

/// Answers per second in stacked columns, with the moment of sell-out.
pub(super) fn rate_over_time(summary: &Summary, faults: &[FaultMark], size: Size) -> String {
    let per_second = 1e9 / summary.interval_ns as f64;
    let rate = |count: u64| count as f64 * per_second;
    let all = |interval: &Interval| interval.issued + interval.refused + interval.failed;
    let highest = summary
        .intervals
        .iter()
        .map(|interval| rate(all(interval)))
        .fold(1.0, f64::max);
    let (time, answers) = (time_axis(summary, size), Scale::rounded(highest, 5));
    let mut figure = Figure::new(
        size,
        "Answers per second over time",
        "answers per second · 초당 응답",
    )
    .with_room_for_marks(has_marks(summary, faults));
    figure.vertical_axis(&answers, whole);
    let (fault_row, sell_out_row) = rows(summary, faults);
    note_faults(&mut figure, &time, faults, fault_row);
    for (interval, across) in placed(summary, &time) {
        let mut below = 0.0;
        let parts = [
            ("issued", interval.issued),
            ("refused", interval.refused),
            ("failed", interval.failed),
        ];
        for (class, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
            let above = below + rate(count);
            figure.column(
                &format!("column {class}"),
                across,
                (answers.place(below), answers.place(above)),
            );
            below = above;
        }
    }
    for (interval, across) in placed(summary, &time).filter(|(interval, _)| all(interval) > 0) {
        let [issued, refused, failed] = [interval.issued, interval.refused, interval.failed].map(grouped);
        figure.hint(
            across,
            &format!("issued {issued}, refused {refused}, failed {failed}"),
        );
    }
    finish_over_time(figure, summary, &time, sell_out_row)
}

type Latency = fn(&Interval) -> Option<u64>;

/// Median, 99th percentile and maximum of each interval, by the intended send time.
pub(super) fn latency_over_time(summary: &Summary, faults: &[FaultMark], size: Size) -> String {
    let lowest = summary
        .intervals
        .iter()
        .filter_map(|interval| interval.p50_us)
        .min()
        .unwrap_or(1);
    let highest = summary
        .intervals
        .iter()
        .filter_map(|interval| interval.max_us)
        .max()
        .unwrap_or(1);
    let (time, scale) = (time_axis(summary, size), latency_axis(lowest, highest));
    let mut figure = Figure::new(size, "Latency over time", "latency · 지연 시간")
        .with_room_for_marks(has_marks(summary, faults));
    figure.vertical_axis(&scale, |us| latency_tick(rounded(us)));
    let (fault_row, sell_out_row) = rows(summary, faults);
    note_faults(&mut figure, &time, faults, fault_row);
    let lines: [(&str, Latency); 3] = [
        ("max", |one| one.max_us),
        ("p99", |one| one.p99_us),
        ("p50", |one| one.p50_us),
    ];
    for (class, value) in lines {
        let points = placed(summary, &time).map(|(interval, across)| {
            value(interval).map(|us| (f64::midpoint(across.0, across.1), scale.place(us as f64)))
        });
        figure.line(&format!("line {class}"), points);
    }
    for (interval, across) in placed(summary, &time) {
        if let (Some(p50), Some(p99), Some(max)) = (interval.p50_us, interval.p99_us, interval.max_us) {
            let [p50, p99, max] = [p50, p99, max].map(latency);
            figure.hint(across, &format!("p50 {p50}, p99 {p99}, max {max}"));
        }
    }
    finish_over_time(figure, summary, &time, sell_out_row)
}

/// How long which share of the answers took, on an axis of nines.
pub(super) fn distribution(summary: &Summary, size: Size) -> String {
    let kinds = [("issued", &summary.issued), ("refused", &summary.refused)];
    let points = || kinds.iter().flat_map(|(_, percentiles)| &percentiles.curve);
    let lowest = points().map(|(_, us)| *us).min().unwrap_or(1);
    let highest = points().map(|(_, us)| *us).max().unwrap_or(1);
    let nines = points().map(|(quantile, _)| nines(*quantile)).fold(1.0, f64::max);
    let scale = latency_axis(lowest, highest);
    let mut across = Scale::exact(nines, 1);
    across.ticks = quantiles_up_to(nines, size);
    let mut figure = Figure::new(size, "Distribution of latency", "latency · 지연 시간");
    figure.vertical_axis(&scale, |us| latency_tick(rounded(us)));
    figure.horizontal_axis(&across, percent_label);
    for (class, percentiles) in kinds {
        let curve = percentiles.curve.iter();
        let points =
            curve.map(|(quantile, us)| Some((across.place(self::nines(*quantile)), scale.place(*us as f64))));
        figure.line(&format!("line {class}"), points);
    }
    figure.finish()
}

/// 0.9 has one nine, 0.99 two; a half has 0.3.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-12).log10()
}

/// On a narrow plot a half would stand on the zero.
fn quantiles_up_to(most_nines: f64, size: Size) -> Vec<f64> {
    let mut quantiles = vec![0.0, 0.5, 0.9, 0.99, 0.999, 0.999_9, 0.999_99, 0.999_999];
    if size == Size::Narrow {
        quantiles.retain(|quantile| *quantile != 0.5);
    }
    quantiles
        .into_iter()
        .map(nines)
        .filter(|nines| *nines <= most_nines + 1e-9)
        .collect()
}

fn percent_label(nines: f64) -> String {
    let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
    let decimals = if nines > 2.1 { (nines - 2.0).round() } else { 0.0 };
    format!("{percent:.*} %", decimal_places(decimals))
}

fn time_axis(summary: &Summary, size: Size) -> Scale {
    let end_ns = summary.interval_ns as f64 * summary.intervals.len() as f64;
    Scale::exact(end_ns / 1e9, size.ticks_across())
}

fn latency_axis(lowest_us: u64, highest_us: u64) -> Scale {
    Scale::logarithmic(lowest_us.max(1) as f64, highest_us.max(1) as f64)
}

/// Each interval with where it begins and ends.
fn placed<'a>(summary: &'a Summary, time: &'a Scale) -> impl Iterator<Item = (&'a Interval, (f64, f64))> {
    let length_s = summary.interval_ns as f64 / 1e9;
    summary
        .intervals
        .iter()
        .enumerate()
        .map(move |(index, interval)| {
            let from_s = index as f64 * length_s;
            (interval, (time.place(from_s), time.place(from_s + length_s)))
        })
}

fn has_marks(summary: &Summary, faults: &[FaultMark]) -> bool {
    summary.sold_out_ns.is_some() || !faults.is_empty()
}

/// The rows of the words at faults and at the sell-out. What comes first stands above: the line of what comes later
/// begins below its words.
fn rows(summary: &Summary, faults: &[FaultMark]) -> (usize, usize) {
    let first_fault = faults.iter().map(|fault| fault.struck_ns).min();
    match (summary.sold_out_ns, first_fault) {
        (Some(sold_out), Some(fault)) if sold_out < fault => (1, 0),
        _ => (0, 1),
    }
}

fn note_faults(figure: &mut Figure, time: &Scale, faults: &[FaultMark], row: usize) {
    for fault in faults {
        let at = |ns: u64| time.place(ns as f64 / 1e9);
        figure.stretch("fault", (at(fault.struck_ns), at(fault.over_ns)));
        figure.mark(
            "fault",
            at(fault.struck_ns),
            &format!("{} {}", fault.fault, seconds(fault.struck_ns)),
            row,
        );
    }
}

fn finish_over_time(mut figure: Figure, summary: &Summary, time: &Scale, row: usize) -> String {
    if let Some(at_ns) = summary.sold_out_ns {
        figure.mark(
            "soldout",
            time.place(at_ns as f64 / 1e9),
            &format!("sold out · 소진 {}", seconds(at_ns)),
            row,
        );
    }
    let decimals = decimal_places((-time.step().log10()).ceil().max(0.0));
    figure.horizontal_axis(time, |tick| format!("{tick:.decimals$} s"));
    figure.finish()
}

fn whole(value: f64) -> String {
    grouped(rounded(value))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ticks are small and not negative"
)]
fn rounded(value: f64) -> u64 {
    value.round() as u64
}

fn decimal_places(count: f64) -> usize {
    usize::try_from(rounded(count)).unwrap_or(0).min(9)
}
