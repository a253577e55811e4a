//! Where the demo is shown: redrawn in place on a terminal, line by line elsewhere.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};

/// Standard output.
pub(super) struct Screen {
    is_terminal: bool,
    has_colour: bool,
    /// Lines of the last live picture, which the next one replaces.
    drawn: Cell<usize>,
    /// What the last live picture was about, where pictures are not redrawn.
    told: RefCell<String>,
}

/// What a word means, shown as a colour where there are colours.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Good,
    Bad,
    Waiting,
    Quiet,
    Strong,
}

impl Screen {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let has_colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { is_terminal, has_colour, drawn: Cell::new(0), told: RefCell::default() }
    }

    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
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
    pub(super) fn say(&self, line: &str) {
        // The last picture stays above it.
        self.drawn.set(0);
        self.told.borrow_mut().clear();
        println!("{line}");
    }

    pub(super) fn title(&self, line: &str) {
        self.say("");
        self.say(&self.paint(Tone::Strong, line));
    }

    /// A command or a commit, as a person would give it.
    pub(super) fn command(&self, line: &str) {
        self.say(&format!("  {} {line}", self.paint(Tone::Quiet, "$")));
    }

    /// A picture that the next one replaces; without a terminal it is printed when what it is about has changed.
    pub(super) fn live(&self, about: &str, lines: &[String]) {
        if !self.is_terminal {
            if *self.told.borrow() != about {
                lines.iter().for_each(|line| println!("  {line}"));
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
        print!("{out}");
        // A terminal that is gone ends the demo by the next line that stays.
        drop(std::io::stdout().flush());
        self.drawn.set(lines.len());
    }
}
