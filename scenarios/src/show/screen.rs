//! Where the demo is shown: redrawn in place on a terminal, line by line elsewhere.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};

/// Standard output, or a text that is kept.
#[derive(Debug)]
pub struct Screen {
    /// What was shown, where it is kept and not printed.
    kept: Option<RefCell<String>>,
    is_terminal: bool,
    has_colour: bool,
    /// Lines of the last live picture, which the next one replaces.
    drawn: Cell<usize>,
    /// What the last live picture was about, where pictures are not redrawn.
    told: RefCell<String>,
}

/// What a word means, shown as a colour where there are colours.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    /// It goes well.
    Good,
    /// It does not.
    Bad,
    /// Not known yet.
    Waiting,
    /// Of less weight than what stands beside it.
    Quiet,
    /// A title.
    Strong,
}

impl Screen {
    /// Standard output, with colours where it is a terminal and `NO_COLOR` does not forbid them.
    #[must_use]
    pub fn stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let has_colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { kept: None, is_terminal, has_colour, drawn: Cell::new(0), told: RefCell::default() }
    }

    /// One that prints nothing and keeps what it shows, as a reader without a terminal gets it.
    #[must_use]
    pub fn kept() -> Self {
        let kept = Some(RefCell::default());
        Self { kept, is_terminal: false, has_colour: false, drawn: Cell::new(0), told: RefCell::default() }
    }

    /// What was shown so far; empty where it was printed.
    #[must_use]
    pub fn text(&self) -> String {
        self.kept.as_ref().map(|kept| kept.borrow().clone()).unwrap_or_default()
    }

    fn print(&self, text: &str) {
        match &self.kept {
            Some(kept) => kept.borrow_mut().push_str(text),
            None => print!("{text}"),
        }
    }

    /// A word in the colour of what it means, where there are colours.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.has_colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Waiting => "33",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        // The last picture stays above it.
        self.drawn.set(0);
        self.told.borrow_mut().clear();
        self.print(&format!("{line}\n"));
    }

    /// A line that begins something new.
    pub fn title(&self, line: &str) {
        self.say("");
        self.say(&self.paint(Tone::Strong, line));
    }

    /// A command or a commit, as a person would give it.
    pub fn command(&self, line: &str) {
        self.say(&format!("  {} {line}", self.paint(Tone::Quiet, "$")));
    }

    /// A picture that the next one replaces; without a terminal it is printed when what it is about has changed.
    pub fn live(&self, about: &str, lines: &[String]) {
        if !self.is_terminal {
            if *self.told.borrow() != about {
                lines.iter().for_each(|line| self.print(&format!("  {line}\n")));
                about.clone_into(&mut self.told.borrow_mut());
            }
            return;
        }
        let mut out = String::new();
        if self.drawn.get() > 0 {
            out.push_str(&format!("\x1b[{}A", self.drawn.get()));
        }
        for line in lines {
            out.push_str(&format!("\x1b[2K  {line}\n"));
        }
        // A picture of fewer lines leaves none of the last one below it.
        out.push_str("\x1b[J");
        self.print(&out);
        // A terminal that is gone ends the demo by the next line that stays.
        drop(std::io::stdout().flush());
        self.drawn.set(lines.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_a_picture_is_told_when_it_has_changed() {
        let screen = Screen::kept();
        screen.title("A release");
        for about in ["a", "a", "b"] {
            screen.live(about, &[format!("{about}: {}", screen.paint(Tone::Good, "well"))]);
        }
        screen.command("git revert HEAD");
        screen.live("b", &["b".to_owned()]);
        assert_eq!(screen.text(), "\nA release\n  a: well\n  b: well\n  $ git revert HEAD\n  b\n");
    }
}
