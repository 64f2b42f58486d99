//! A plot's frame in SVG: axes, ticks, grid, lines, columns and marks. Colours come from the page's style, so that a
//! plot follows light and dark.

use std::fmt::Write as _;

use super::scale::Scale;

/// Every plot is drawn twice; the page shows the one that fits its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Wide,
    Narrow,
}

impl Size {
    pub(super) const BOTH: [Self; 2] = [Self::Wide, Self::Narrow];

    fn class(self) -> &'static str {
        match self {
            Self::Wide => "plot wide",
            Self::Narrow => "plot narrow",
        }
    }

    fn width(self) -> f64 {
        match self {
            Self::Wide => 960.0,
            Self::Narrow => 400.0,
        }
    }

    /// How many ticks fit below a horizontal axis.
    pub(super) fn ticks_across(self) -> u32 {
        match self {
            Self::Wide => 10,
            Self::Narrow => 4,
        }
    }
}

const HEIGHT: f64 = 310.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 30.0;
/// Room for the title of the axis, and for two rows of words where there are marks.
const PLAIN_TOP: f64 = 28.0;
const MARKED_TOP: f64 = 58.0;
const ROW_HEIGHT: f64 = 18.0;
/// Wide enough for the average character, so that words are rather left out than written over others.
const CHARACTER_WIDTH: f64 = 7.6;
const BOTTOM: f64 = 30.0;

/// A plot under construction.
#[derive(Debug)]
pub(super) struct Figure {
    size: Size,
    svg: String,
    top: f64,
    /// Where the words of each row end.
    words_end: [f64; 2],
    /// Where marks stand, each with the row from which its line goes down: no words should lie across it.
    lines: Vec<(f64, usize)>,
}

impl Figure {
    /// An empty frame with this description for those who cannot see it, and the title of the vertical axis.
    pub(super) fn new(size: Size, description: &str, vertical_title: &str) -> Self {
        let mut figure = Self {
            size,
            svg: String::new(),
            top: PLAIN_TOP,
            words_end: [0.0; 2],
            lines: Vec::new(),
        };
        figure.put(format_args!(
            "<svg class=\"{}\" viewBox=\"0 0 {} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            size.class(),
            size.width(),
            escaped(description)
        ));
        figure.put(format_args!(
            "<text class=\"axis\" x=\"0\" y=\"13\">{}</text>",
            escaped(vertical_title)
        ));
        figure
    }

    /// Leaves room for marks if there will be some; to be said before anything is drawn.
    pub(super) fn with_room_for_marks(mut self, marked: bool) -> Self {
        self.top = if marked { MARKED_TOP } else { PLAIN_TOP };
        self
    }

    /// Horizontal grid lines with their labels on the left.
    pub(super) fn vertical_axis(&mut self, scale: &Scale, label: impl Fn(f64) -> String) {
        let (left, right) = (LEFT, self.size.width() - RIGHT);
        for tick in &scale.ticks {
            let y = self.y(scale.place(*tick));
            self.put(format_args!(
                "<line class=\"grid\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>"
            ));
            let (x, y) = (left - 8.0, y + 4.0);
            self.put(format_args!(
                "<text class=\"tick end\" x=\"{x}\" y=\"{y:.1}\">{}</text>",
                label(*tick)
            ));
        }
    }

    /// The horizontal axis with its labels below.
    pub(super) fn horizontal_axis(&mut self, scale: &Scale, label: impl Fn(f64) -> String) {
        let (left, right, base) = (LEFT, self.size.width() - RIGHT, HEIGHT - BOTTOM);
        self.put(format_args!(
            "<line class=\"base\" x1=\"{left}\" y1=\"{base}\" x2=\"{right}\" y2=\"{base}\"/>"
        ));
        for tick in &scale.ticks {
            let x = self.x(scale.place(*tick));
            let (end, text) = (base + 5.0, base + 20.0);
            self.put(format_args!(
                "<line class=\"base\" x1=\"{x:.1}\" y1=\"{base}\" x2=\"{x:.1}\" y2=\"{end}\"/>"
            ));
            self.put(format_args!(
                "<text class=\"tick middle\" x=\"{x:.1}\" y=\"{text}\">{}</text>",
                label(*tick)
            ));
        }
    }

    /// A column between two places across and two places up.
    pub(super) fn column(&mut self, class: &str, across: (f64, f64), up: (f64, f64)) {
        let (left, right) = (self.x(across.0), self.x(across.1));
        let (bottom, top) = (self.y(up.0), self.y(up.1));
        let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
        let (width, height) = ((right - left - gap).max(0.5), bottom - top);
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    /// An invisible area over the whole height that tells its numbers when pointed at.
    pub(super) fn hint(&mut self, across: (f64, f64), text: &str) {
        let (left, width) = (self.x(across.0), self.x(across.1) - self.x(across.0));
        let (top, height) = (self.top, HEIGHT - BOTTOM - self.top);
        self.put(format_args!(
            "<rect class=\"hint\" x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"><title>{}</title></rect>",
            escaped(text)
        ));
    }

    /// A line through places; it breaks where there is none.
    pub(super) fn line(&mut self, class: &str, points: impl Iterator<Item = Option<(f64, f64)>>) {
        let (mut path, mut pen_down) = (String::new(), false);
        for point in points {
            if let Some((across, up)) = point {
                let command = if pen_down { 'L' } else { 'M' };
                let (x, y) = (self.x(across), self.y(up));
                write!(path, "{command}{x:.1} {y:.1}").expect("writing to a String cannot fail");
                // A lone point is a line of no length; its round ends make it a dot.
                if !pen_down {
                    write!(path, "L{x:.1} {y:.1}").expect("writing to a String cannot fail");
                }
            }
            pen_down = point.is_some();
        }
        if !path.is_empty() {
            self.put(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }

    /// A dashed vertical line with words on top, in the upper (0) or the lower (1) row, on the side on which no earlier
    /// line goes through them. Words that would run into others of their row are left out: the line says where, and the
    /// tables say what.
    pub(super) fn mark(&mut self, class: &str, across: f64, words: &str, row: usize) {
        let (x, base) = (self.x(across), HEIGHT - BOTTOM);
        let length = words.chars().map(|_| CHARACTER_WIDTH).sum::<f64>();
        let is_free = |from: f64, to: f64| {
            let crosses = |(line, above): &(f64, usize)| *above <= row && (from..to).contains(line);
            let crossed = self.lines.iter().any(crosses);
            from >= 0.0 && to <= self.size.width() && !crossed
        };
        let to_the_left = x + length > self.size.width()
            || !is_free(x, x + length) && is_free(x - length, x) && x - length >= self.words_end[row];
        let (anchor, at, starts) = if to_the_left {
            ("end", x - 5.0, x - length)
        } else {
            ("start", x + 5.0, x)
        };
        let y = self.top - 6.0 - ROW_HEIGHT * if row == 0 { 1.0 } else { 0.0 };
        let top = y - 10.0;
        self.put(format_args!(
            "<line class=\"mark {class}\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{base}\"/>"
        ));
        self.lines.push((x, row));
        if starts >= self.words_end[row] {
            self.words_end[row] = starts + length;
            let words = escaped(words);
            self.put(format_args!(
                "<text class=\"words {class} {anchor}\" x=\"{at:.1}\" y=\"{y}\">{words}</text>"
            ));
        }
    }

    /// A shaded stretch.
    pub(super) fn stretch(&mut self, class: &str, across: (f64, f64)) {
        let (left, right) = (self.x(across.0), self.x(across.1));
        let (width, top, height) = ((right - left).max(1.0), self.top, HEIGHT - BOTTOM - self.top);
        self.put(format_args!(
            "<rect class=\"stretch {class}\" x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"/>"
        ));
    }

    /// The finished SVG.
    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }

    fn x(&self, across: f64) -> f64 {
        LEFT + across * (self.size.width() - LEFT - RIGHT)
    }

    fn y(&self, up: f64) -> f64 {
        HEIGHT - BOTTOM - up * (HEIGHT - self.top - BOTTOM)
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.svg
            .write_fmt(arguments)
            .expect("writing to a String cannot fail");
        self.svg.push('\n');
    }
}

/// Text inside HTML or an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(character),
        }
    }
    safe
}
