//! The width of text on a terminal, and wrapping it.
//!
//! What a reader sees as one character, a grapheme cluster, may consist of several: a letter and
//! its accents, a flag, a family. It is measured and kept together as one.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The columns that a text takes on a terminal: the sum over its clusters, which wrapping counts
/// too.
pub fn display_width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Makes a text safe for a terminal: control characters become visible signs, since a model's text
/// may contain escape codes. Newlines stay, for callers to break lines at.
pub fn visible(text: &str) -> String {
    text.chars().map(sign).collect()
}

fn sign(c: char) -> char {
    match c {
        '\n' => c,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
        // Marks that change the direction of the text around them.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
        _ => c,
    }
}

/// The same for text that goes to a terminal as it is: newlines and tabs do there what they mean.
pub fn printable(text: &str) -> Cow<'_, str> {
    let acts = |c: char| c != '\t' && sign(c) != c;
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let tabs = text.split('\t').map(visible).collect::<Vec<_>>();
    Cow::Owned(tabs.join("\t"))
}

/// A text in lines of at most `width` columns, the first behind `first` and all others behind spaces
/// of `indent` columns.
pub fn filled(first: &str, text: &str, indent: usize, width: usize) -> String {
    let span = Span {
        text: text.to_owned(),
        style: (),
    };
    let room = width.saturating_sub(indent).max(20);
    let lines = wrap(&[span], room);
    let lines = lines.iter().map(|line| {
        let parts = line.iter().map(|span| span.text.as_str());
        parts.collect::<String>()
    });
    let gap = indent.saturating_sub(display_width(first));
    let head = format!("{first}{}", " ".repeat(gap));
    let margin = " ".repeat(indent);
    let mut out = String::new();
    for (i, line) in lines.enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let whole = format!("{}{line}", if i == 0 { &head } else { &margin });
        out.push_str(whole.trim_end());
    }
    out
}

/// A span of text in one style; styles are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span<S> {
    pub text: String,
    pub style: S,
}

/// Wraps styled text into lines of at most `width` columns, between words if possible. Newlines
/// break lines too, and spaces at a break are dropped.
pub(super) fn wrap<S: Copy + PartialEq>(spans: &[Span<S>], width: usize) -> Vec<Vec<Span<S>>> {
    let width = width.max(1);
    let whole: String = spans.iter().map(|span| span.text.as_str()).collect();
    // Where each span ends in the whole text. A cluster takes the style of the span it begins in.
    let ends: Vec<(usize, S)> = spans
        .iter()
        .scan(0, |end, span| {
            *end += span.text.len();
            Some((*end, span.style))
        })
        .collect();
    let mut span = 0;
    let clusters: Vec<(&str, S)> = whole
        .grapheme_indices(true)
        .map(|(at, cluster)| {
            while ends[span].0 <= at {
                span += 1;
            }
            (cluster, ends[span].1)
        })
        .collect();
    let mut lines = Vec::new();
    let (mut start, mut used, mut i) = (0, 0, 0);
    // The end of the line if it breaks at the last gap, and the start of the next.
    let mut gap: Option<(usize, usize)> = None;
    while i < clusters.len() {
        let cluster = clusters[i].0;
        if cluster == "\n" {
            lines.push(collect(&clusters[start..i]));
            (start, used, gap) = (i + 1, 0, None);
            i += 1;
            continue;
        }
        if cluster == " " && used + 1 > width {
            // A space at the edge: the line ends there anyway.
            lines.push(collect(&clusters[start..i]));
            (start, used, gap) = (i + 1, 0, None);
            i += 1;
            continue;
        }
        if used + cluster.width() > width && used > 0 {
            let (end, next) = gap.unwrap_or((i, i));
            lines.push(collect(&clusters[start..end]));
            (start, gap) = (next, None);
            used = clusters[start..i].iter().map(|(c, _)| c.width()).sum();
            continue;
        }
        used += cluster.width();
        if cluster == " " && i > start {
            gap = Some((i, i + 1));
        }
        i += 1;
    }
    lines.push(collect(&clusters[start..]));
    lines
}

/// Merges neighbours of one style into one span.
fn collect<S: Copy + PartialEq>(clusters: &[(&str, S)]) -> Vec<Span<S>> {
    clusters
        .chunk_by(|a, b| a.1 == b.1)
        .map(|run| Span {
            text: run.iter().map(|(cluster, _)| *cluster).collect(),
            style: run[0].1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, width: usize) -> Vec<String> {
        let span = Span {
            text: text.to_owned(),
            style: (),
        };
        let join = |line: &Vec<Span<()>>| line.iter().map(|s| s.text.as_str()).collect();
        wrap(&[span], width).iter().map(join).collect()
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("one two three", 8), ["one two", "three"]);
        assert_eq!(lines("one two three", 3), ["one", "two", "thr", "ee"]);
        assert_eq!(lines("", 5), [""]);
        assert_eq!(lines("a\n\nb", 5), ["a", "", "b"]);
    }

    #[test]
    fn wide_and_combining_characters_have_their_drawn_width() {
        assert_eq!(lines("中文字", 4), ["中文", "字"]);
        assert_eq!(lines("cafe\u{301} x", 4), ["cafe\u{301}", "x"]);
        assert_eq!(lines("中", 1), ["中"]);
    }

    const FAMILY: &str = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    const WAVE: &str = "\u{1f44b}\u{1f3fd}";
    const HEART: &str = "\u{2764}\u{fe0f}";
    const KEYCAP: &str = "1\u{fe0f}\u{20e3}";
    const FLAG: &str = "\u{1f1e9}\u{1f1ea}";

    #[test]
    fn clusters_have_their_drawn_width() {
        for cluster in [FAMILY, WAVE, HEART, KEYCAP, FLAG, "\u{1f600}", "中"] {
            assert_eq!(display_width(cluster), 2, "{cluster:?}");
        }
        for cluster in ["a", "e\u{301}", "a\u{308}\u{323}", "\u{2764}"] {
            assert_eq!(display_width(cluster), 1, "{cluster:?}");
        }
        assert_eq!(display_width("ab中\u{301}"), 4);
    }

    #[test]
    fn lines_never_break_inside_a_cluster() {
        for cluster in [FAMILY, WAVE, HEART, KEYCAP, FLAG, "中", "e\u{301}e\u{301}"] {
            let text = cluster.repeat(5);
            let whole = |n: usize| cluster.repeat(n);
            assert_eq!(
                lines(&text, 4),
                [whole(2), whole(2), whole(1)],
                "{cluster:?}"
            );
            assert_eq!(lines(&text, 10), [whole(5)], "{cluster:?}");
        }
        assert_eq!(lines(&format!("{HEART} {HEART}"), 4), [HEART, HEART]);
        assert_eq!(lines(&format!("{HEART} {HEART}"), 5).len(), 1);
        for width in 2..20 {
            let text = format!("a{FAMILY} b{HEART}{KEYCAP}cafe\u{301} 中文字{FLAG}{WAVE} end");
            for line in lines(&text, width) {
                assert!(display_width(&line) <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn a_cluster_takes_the_style_of_its_start() {
        let span = |text: &str, style| Span {
            text: text.to_owned(),
            style,
        };
        let spans = [
            span("", 0),
            span("cafe", 1),
            span("", 2),
            span("\u{301} x", 3),
        ];
        assert_eq!(wrap(&spans, 10), [[span("cafe\u{301}", 1), span(" x", 3)]]);
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(printable("a\x1b[31m\r\n\tb\u{9b}"), "a␛[31m␍\n\tb\u{fffd}");
        assert!(matches!(printable("a\tb\nü中"), Cow::Borrowed(_)));
        assert_eq!(visible("a\x1b[31mb\tc\u{202e}d"), "a␛[31mb␉c\u{fffd}d");
    }
}
