//! Resource quantities such as `500m` or `1.5Gi`: their value and their canonical text.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

/// Decimal places that a quantity keeps: it counts in billionths.
const NANO_SCALE: i32 = -9;
/// Digits that surely fit in 64 bits: up to there a quantity that is already canonical keeps its text.
const SHORT_DIGITS: usize = 18;
/// The largest binary quantity, 2^63 - 1.
const BINARY_MAX: i128 = i64::MAX as i128;
/// Values from here on are not read: two digits are left in 128 bits to write them with.
const MANTISSA_LIMIT: i128 = 10i128.pow(36);
/// Largest decimal exponent that is read; beyond any machine.
const EXPONENT_LIMIT: i32 = 1000;

/// How a quantity was written, which decides how it is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `1Ki`: powers of 1024.
    Binary,
    /// `1k`: powers of 1000.
    Decimal,
    /// `1e3`.
    Exponent,
}

/// A quantity: `mantissa * 10^exponent`, without trailing zeros in the mantissa.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    mantissa: i128,
    exponent: i32,
    format: Format,
}

/// The parts of a quantity's text.
struct Parts<'a> {
    negative: bool,
    /// Digits before the point, without leading zeros; `0` when there are none.
    whole: &'a str,
    /// Digits behind the point.
    fraction: &'a str,
    base: i32,
    exponent: i32,
    format: Format,
}

impl Quantity {
    /// Reads a quantity; `None` for text that is none, or that has more than 36 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts = split(text.trim())?;
        let digits = format!("{}{}", parts.whole, parts.fraction);
        let mut mantissa: i128 = digits.parse().ok()?;
        let mut exponent = -i32::try_from(parts.fraction.len()).ok()?;
        if parts.base == 2 {
            let shifted = 1i128.checked_shl(parts.exponent.try_into().ok()?)?;
            mantissa = mantissa.checked_mul(shifted)?;
        } else {
            exponent = exponent.checked_add(parts.exponent)?;
        }
        (mantissa, exponent) = round_up(mantissa, exponent, NANO_SCALE);
        let mut format = parts.format;
        if format == Format::Binary {
            // Binary exponents are in the mantissa: the decimal one counts the places behind the point, at most 9.
            if scaled(BINARY_MAX, -exponent).is_some_and(|limit| mantissa > limit) {
                (mantissa, exponent) = (BINARY_MAX, 0);
            }
            if is_below_one(mantissa, exponent) {
                format = Format::Decimal;
            }
        }
        if mantissa >= MANTISSA_LIMIT {
            return None;
        }
        let mantissa = if parts.negative { -mantissa } else { mantissa };
        Some(Self::reduced(mantissa, exponent, format))
    }

    /// The text that Kubernetes writes after reading `text`: `1000m` becomes `1`, `1024Mi` becomes `1Gi`.
    ///
    /// A text that is already canonical stays as it is, and so does one that is not a quantity.
    #[must_use]
    pub fn canonical(text: &str) -> String {
        let text = text.trim();
        let keep = text == "0" || split(text).is_some_and(|parts| parts.is_canonical());
        match Self::parse(text) {
            Some(quantity) if !keep => quantity.to_string(),
            _ => text.to_owned(),
        }
    }

    /// The quantity rounded up to thousandths: how the API server keeps resources of containers.
    #[must_use]
    pub fn rounded_to_milli(self) -> Self {
        let (mantissa, exponent) = round_up(self.mantissa.abs(), self.exponent, -3);
        Self::reduced(mantissa * self.mantissa.signum(), exponent, self.format)
    }

    fn reduced(mut mantissa: i128, mut exponent: i32, format: Format) -> Self {
        while mantissa != 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        if mantissa == 0 {
            exponent = 0;
        }
        Self { mantissa, exponent, format }
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Which of two values is greater, however they were written.
    #[must_use]
    pub fn compare(self, other: Self) -> std::cmp::Ordering {
        // Beyond 128 bits the sign and the exponent decide: no resource is that large.
        let exponent = self.exponent.min(other.exponent);
        let aligned = |quantity: Self| {
            let shift = u32::try_from(quantity.exponent.saturating_sub(exponent)).unwrap_or(u32::MAX);
            let factor = 10i128.checked_pow(shift).unwrap_or(i128::MAX);
            quantity.mantissa.saturating_mul(factor)
        };
        aligned(self).cmp(&aligned(other))
    }

    /// The value as a whole number, or `None` when it has a fraction or does not fit.
    fn whole(&self) -> Option<i128> {
        if self.exponent < 0 { None } else { scaled(self.mantissa, self.exponent) }
    }
}

impl PartialEq for Quantity {
    /// Equal values, however they were written: `1000m == 1`.
    fn eq(&self, other: &Self) -> bool {
        (self.mantissa, self.exponent) == (other.mantissa, other.exponent)
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.mantissa == 0 {
            return f.write_str("0");
        }
        // A binary quantity that is small or has a fraction is written in decimal, to lose nothing.
        if let (Format::Binary, Some(mut value)) = (self.format, self.whole().filter(|v| v.abs() >= 1024)) {
            let mut power = 0usize;
            while value % 1024 == 0 {
                value /= 1024;
                power += 1;
            }
            let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(power).copied().unwrap_or_default();
            return write!(f, "{value}{suffix}");
        }
        let exponent = self.exponent.div_euclid(3) * 3;
        let mantissa = match self.exponent - exponent {
            1 => self.mantissa * 10,
            2 => self.mantissa * 100,
            _ => self.mantissa,
        };
        let suffix = match (self.format, exponent) {
            (_, 0) => "",
            (Format::Exponent, _) => return write!(f, "{mantissa}e{exponent}"),
            (_, -9) => "n",
            (_, -6) => "u",
            (_, -3) => "m",
            (_, 3) => "k",
            (_, 6) => "M",
            (_, 9) => "G",
            (_, 12) => "T",
            (_, 15) => "P",
            (_, 18) => "E",
            // PARITY: Kubernetes has no suffix beyond E and writes none; `tests::every_vector_of_kubernetes` pins it.
            _ => "",
        };
        write!(f, "{mantissa}{suffix}")
    }
}

impl Parts<'_> {
    /// Whether Kubernetes keeps the text as written instead of writing the value again.
    fn is_canonical(&self) -> bool {
        let digits = self.whole.len() + self.fraction.len();
        if self.format == Format::Binary {
            // Room for the digits of the power of two, as Kubernetes estimates it: 6 for Mi, 18 for Ei.
            let fits = self.fraction.is_empty()
                && digits + usize::try_from(self.exponent * 3 / 10).unwrap_or(SHORT_DIGITS) <= 14;
            return fits && self.whole.parse::<i64>().is_ok_and(|value| value & 7 != 0);
        }
        let scale = i64::from(self.exponent) - i64::try_from(self.fraction.len()).unwrap_or(i64::MAX / 2);
        let shifted = format!("{}{}", self.whole, self.fraction);
        digits <= SHORT_DIGITS
            && scale >= i64::from(NANO_SCALE)
            && scale % 3 == 0
            && !shifted.ends_with("000")
            && !shifted.starts_with('0')
    }
}

/// Splits `+1.5Gi` into sign, digits and suffix.
fn split(text: &str) -> Option<Parts<'_>> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, mut rest) = rest.split_at(digits(rest));
    let mut fraction = "";
    if let Some(behind) = rest.strip_prefix('.') {
        (fraction, rest) = behind.split_at(digits(behind));
    }
    if text.is_empty() || (whole.is_empty() && fraction.is_empty() && !rest.is_empty()) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let (base, exponent, format) = suffix(rest)?;
    Some(Parts { negative, whole, fraction, base, exponent, format })
}

/// Base, exponent and format that a suffix stands for.
fn suffix(text: &str) -> Option<(i32, i32, Format)> {
    let binary = |exponent| Some((2, exponent, Format::Binary));
    let decimal = |exponent| Some((10, exponent, Format::Decimal));
    match text {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i32 = text.strip_prefix(['e', 'E'])?.parse().ok()?;
            (exponent.abs() <= EXPONENT_LIMIT).then_some((10, exponent, Format::Exponent))
        }
    }
}

/// Rounds a positive number away from zero so that its exponent is at least `scale`; a tiny amount stays one.
fn round_up(mut mantissa: i128, mut exponent: i32, scale: i32) -> (i128, i32) {
    let mut rest = false;
    while exponent < scale && mantissa != 0 {
        rest |= mantissa % 10 != 0;
        mantissa /= 10;
        exponent += 1;
    }
    if rest {
        return (mantissa + 1, scale);
    }
    (mantissa, exponent)
}

fn scaled(mantissa: i128, exponent: i32) -> Option<i128> {
    10i128.checked_pow(exponent.try_into().ok()?)?.checked_mul(mantissa)
}

fn is_below_one(mantissa: i128, exponent: i32) -> bool {
    let one = exponent.checked_neg().and_then(|places| scaled(1, places));
    exponent < 0 && one.is_none_or(|one| mantissa.cmp(&one) == Ordering::Less) && mantissa > 0
}
