//! Protobuf's wire form: fields by number, without their meaning.

use super::Error;

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire<'b> {
    /// A number of any width.
    Number(u64),
    /// A text, bytes or a message.
    Bytes(&'b [u8]),
}

/// Reads fields one by one.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    left: &'b [u8],
}

/// A number has at most ten bytes of seven bits.
const VARINT_BYTES_MAX: usize = 10;
const SHORT: Error = Error::Damaged("its end");

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { left: bytes }
    }

    /// The next field's number and value, none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Wire<'b>)>, Error> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Error::Damaged("the number of a field"))?;
        let value = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Number(self.fixed(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| SHORT)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Number(self.fixed(4)?),
            _ => return Err(Error::Damaged("the type of a field")),
        };
        Ok(Some((number, value)))
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Error> {
        let (taken, left) = self.left.split_at_checked(length).ok_or(SHORT)?;
        self.left = left;
        Ok(taken)
    }

    /// Least byte first.
    fn fixed(&mut self, width: usize) -> Result<u64, Error> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Seven bits in each byte, the least first; the eighth says that more follow.
    fn varint(&mut self) -> Result<u64, Error> {
        let mut number = 0_u64;
        for at in 0..VARINT_BYTES_MAX {
            let [byte] = *self.take(1)? else { return Err(SHORT) };
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Error::Damaged("a number that does not end"))
    }
}
