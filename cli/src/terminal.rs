//! Where a command prints, and the clock of the one who runs it.

use crds::Time;
use std::cell::RefCell;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::rc::Rc;

/// What a command prints is held in memory up to here; the rest is cut off.
const TRANSCRIPT_MAX_BYTES: usize = 1024 * 1024;

/// Where a command prints, and the clock of the one who runs it.
pub struct Terminal {
    out: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    now: Box<dyn Fn() -> Time>,
    /// Whether a person looks at it: pictures are redrawn in place then.
    pub(crate) is_live: bool,
    /// Whether it is that of this process, whose signals are meant for the command.
    is_own: bool,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("is_live", &self.is_live).finish_non_exhaustive()
    }
}

impl Terminal {
    /// That of this process.
    #[must_use]
    pub fn own() -> Self {
        let out = std::io::stdout();
        let is_live = out.is_terminal();
        Self {
            out: RefCell::new(Box::new(out)),
            err: RefCell::new(Box::new(std::io::stderr())),
            now: Box::new(machine_time),
            is_live,
            is_own: true,
        }
    }

    /// One that nobody looks at, and what will have been printed on it.
    pub fn recorded(now: impl Fn() -> Time + 'static) -> (Self, Transcript) {
        let transcript = Transcript::default();
        let terminal = Self {
            out: RefCell::new(Box::new(transcript.out.clone())),
            err: RefCell::new(Box::new(transcript.err.clone())),
            now: Box::new(now),
            is_live: false,
            is_own: false,
        };
        (terminal, transcript)
    }

    /// Prints text as it is.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(crate) fn print(&self, text: impl Display) -> std::io::Result<()> {
        let mut out = self.out.borrow_mut();
        write!(out, "{text}")?;
        out.flush()
    }

    /// Prints a line.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(crate) fn say(&self, line: impl Display) -> std::io::Result<()> {
        self.print(format_args!("{line}\n"))
    }

    /// Prints a line beside what a pipeline reads.
    pub(crate) fn warn(&self, line: impl Display) {
        // There is nowhere left to say that this cannot be said.
        let _ = writeln!(self.err.borrow_mut(), "{line}");
    }

    /// Waits until the person has had enough.
    pub(crate) async fn interrupted(&self) {
        if !self.is_own || tokio::signal::ctrl_c().await.is_err() {
            // Without the signal nothing ends the wait.
            std::future::pending::<()>().await;
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Time {
        (self.now)()
    }
}

/// What was printed.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    out: Page,
    err: Page,
}

impl Transcript {
    /// On standard output.
    #[must_use]
    pub fn out(&self) -> String {
        self.out.text()
    }

    /// On standard error.
    #[must_use]
    pub fn err(&self) -> String {
        self.err.text()
    }
}

#[derive(Clone, Debug, Default)]
struct Page(Rc<RefCell<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut page = self.0.borrow_mut();
        let room = TRANSCRIPT_MAX_BYTES.saturating_sub(page.len());
        page.extend(bytes.iter().take(room));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The time of the machine of the person who asks.
#[allow(clippy::disallowed_methods, reason = "the edge: a person asks now")]
fn machine_time() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::default().plus(since)
}
