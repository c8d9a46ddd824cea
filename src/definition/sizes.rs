//! Numbers as people write them in task definitions: `256`, `"256"`, `256.0`, `".25 vcpu"`, `"1 gb"`.
//!
//! **Invariant.** No floating point: a value is whole after its unit is applied, or it is refused.

/// What a number counts, and so which units it may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// A plain number.
    Count,
    /// CPU units; `vcpu` is 1024 of them.
    CpuUnits,
    /// MiB; `gb` is 1024 of them, as ECS reads it.
    Mebibytes,
}

impl Quantity {
    fn scale(self, unit: &str) -> Option<i64> {
        match (self, unit) {
            (Self::CpuUnits, "vcpu" | "vcpus") | (Self::Mebibytes, "gb" | "gib" | "g") => {
                Some(1024)
            }
            (_, "") | (Self::Mebibytes, "mb" | "mib" | "m") => Some(1),
            _ => None,
        }
    }

    /// What is wanted, in words.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Count => "a whole number",
            Self::CpuUnits => "a whole number of CPU units or \"… vcpu\"",
            Self::Mebibytes => "a whole number of MiB or \"… gb\"",
        }
    }
}

/// The number that `text` stands for; `None` if it is not one, not whole or too large.
pub(super) fn read(text: &str, quantity: Quantity) -> Option<i64> {
    let text = text.trim();
    let unit_at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = quantity.scale(&unit.to_ascii_lowercase())?;
    let (negative, number) = match number.trim_end().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.trim_end()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let mut value: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    value = value.checked_mul(scale)?;
    if !fraction.is_empty() {
        let parts = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let scaled = fraction.parse::<i64>().ok()?.checked_mul(scale)?;
        if scaled.checked_rem(parts)? != 0 {
            return None;
        }
        value = value.checked_add(scaled.checked_div(parts)?)?;
    }
    if negative {
        value.checked_neg()
    } else {
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_and_without_units() {
        use Quantity::{Count, CpuUnits, Mebibytes};
        for (text, quantity, expected) in [
            ("256", Count, Some(256)),
            (" 256 ", Count, Some(256)),
            ("256.0", Count, Some(256)),
            ("-1", Count, Some(-1)),
            ("1.5", Count, None),
            ("1 gb", Count, None),
            ("", Count, None),
            (".", Count, None),
            ("-", Count, None),
            ("1e3", Count, None),
            ("+5", Count, None),
            ("0x10", Count, None),
            ("99999999999999999999", Count, None),
            ("0.00000000000000000000000001", Count, None),
            (".25 vcpu", CpuUnits, Some(256)),
            ("1 vCPU", CpuUnits, Some(1024)),
            ("0.5vcpu", CpuUnits, Some(512)),
            ("2 vcpus", CpuUnits, Some(2048)),
            ("0.0001 vcpu", CpuUnits, None),
            ("1 gb", CpuUnits, None),
            ("1 gb", Mebibytes, Some(1024)),
            (".5 GB", Mebibytes, Some(512)),
            ("2GB", Mebibytes, Some(2048)),
            ("512 mb", Mebibytes, Some(512)),
            ("9223372036854775807 gb", Mebibytes, None),
        ] {
            assert_eq!(read(text, quantity), expected, "{text:?} as {quantity:?}");
        }
    }
}
