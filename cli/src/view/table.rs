//! Columns that line up, and ages as kubectl tells them.

use super::style;
use std::time::Duration;

/// Columns as wide as their widest cell, two spaces apart; cells that begin with an icon get its colour.
pub(crate) fn table(rows: &[Vec<String>], colour: bool) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(place) {
                Some(widest) => *widest = (*widest).max(width),
                None => widths.push(width),
            }
        }
    }
    let mut out = String::new();
    for row in rows {
        // What stands at the end of a line needs no filling.
        let filled = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        for (place, (cell, width)) in row.iter().zip(&widths).take(filled).enumerate() {
            out.push_str(&style::paint(cell, colour));
            if place + 1 < filled {
                out.extend(std::iter::repeat_n(' ', (width + 2).saturating_sub(cell.chars().count())));
            }
        }
        out.push('\n');
    }
    out
}

/// A time as `45s`, `3m20s`, `15m`, `3h10m`, `12h`, `2d5h`, `10d`, `1y20d`, as kubectl shortens them.
pub(crate) fn age(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    let two = |big: u64, big_name: &str, small: u64, small_name: &str| {
        if small == 0 { format!("{big}{big_name}") } else { format!("{big}{big_name}{small}{small_name}") }
    };
    match time.as_secs() {
        short @ 0..120 => format!("{short}s"),
        some if some < 10 * MINUTE => two(some / MINUTE, "m", some % MINUTE, "s"),
        some if some < 3 * HOUR => format!("{}m", some / MINUTE),
        some if some < 8 * HOUR => two(some / HOUR, "h", some % HOUR / MINUTE, "m"),
        some if some < 2 * DAY => format!("{}h", some / HOUR),
        some if some < 8 * DAY => two(some / DAY, "d", some % DAY / HOUR, "h"),
        some if some < 2 * YEAR => format!("{}d", some / DAY),
        some if some < 8 * YEAR => two(some / YEAR, "y", some % YEAR / DAY, "d"),
        long => format!("{}y", long / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
        cells.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn tables_line_up_by_what_is_seen() {
        let rows = rows(&[&["NAME", "STATUS", "INFO"], &["⟳ a", "✔ Healthy", ""], &["└──b", "✖ Bad", "x"]]);
        assert_eq!(table(&rows, false), "NAME  STATUS     INFO\n⟳ a   ✔ Healthy\n└──b  ✖ Bad      x\n");
        let coloured =
            table(&rows, true).replace("\u{1b}[32m", "").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert_eq!(coloured, table(&rows, false));
    }

    #[test]
    fn ages_are_told_as_kubectl_does() {
        let told = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (900, "15m"),
            (11_400, "3h10m"),
            (43_200, "12h"),
        ];
        for (seconds, text) in
            told.into_iter().chain([(190_800, "2d5h"), (864_000, "10d"), (41_472_000, "480d")])
        {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
