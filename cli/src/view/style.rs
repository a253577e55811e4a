//! Icons and colours.

/// Whether a terminal takes colours, and is asked for them.
pub(crate) fn has_colour(is_live: bool, refused: bool) -> bool {
    let asked_not_to = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_live && !refused && !asked_not_to
}

/// The icon of a phase.
pub(crate) fn icon(phase: &str) -> &'static str {
    match phase {
        "Healthy" | "Successful" | "Running" | "Completed" => "✔",
        "Degraded" | "Failed" | "ReplicaFailure" | "CrashLoopBackOff" | "ErrImagePull"
        | "ImagePullBackOff" => "✖",
        "Paused" => "॥",
        "Error" => "⚠",
        "Inconclusive" | "Unknown" => "?",
        "ScaledDown" => "•",
        "Pending" => "◷",
        _ => "◌",
    }
}

/// The text in the colour that its icon stands for.
pub(crate) fn paint(text: &str, colour: bool) -> String {
    let code = match text.chars().next() {
        Some('✔') => "32",
        Some('✖' | '⚠') => "31",
        Some('॥' | '◌' | '◷' | '?') => "33",
        Some('•') => "2",
        _ => return text.to_owned(),
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_icon_and_is_left_out_when_refused() {
        assert_eq!(paint("✖ Degraded", true), "\u{1b}[31m✖ Degraded\u{1b}[0m");
        assert_eq!(paint("✖ Degraded", false), "✖ Degraded");
        assert_eq!(paint("web", true), "web");
        assert!(!has_colour(true, true) && !has_colour(false, false));
    }
}
