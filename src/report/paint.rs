//! Colours, or none. Colour helps and is never needed.

/// Puts colours around text, or leaves it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

macro_rules! colours {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        $(#[doc = $doc]
        #[must_use]
        pub fn $name(self, text: impl std::fmt::Display) -> String {
            if self.on { format!(concat!("\x1b[", $code, "m{}\x1b[0m"), text) } else { text.to_string() }
        })*
    };
}

impl Paint {
    /// With colours, or without.
    #[must_use]
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether it colours.
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.on
    }

    colours! {
        bold = "1", "Names and totals.";
        dim = "2", "What may be skipped.";
        red = "1;31", "Failures.";
        green = "32", "What holds.";
        yellow = "33", "Warnings.";
        cyan = "36", "Progress and hints.";
    }
}
