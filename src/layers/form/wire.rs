//! The protobuf wire format, read without copying.
//!
//! Never laxer than the decoder behind it: what is accepted here decodes there.

/// What is wrong with bytes that are not a protobuf message.
pub(super) type Broken = &'static str;

const CUT_SHORT: Broken = "is not valid protobuf: it ends in the middle of a field";
const OVERLONG: Broken = "is not valid protobuf: a number is longer than 64 bits";
const BAD_KEY: Broken = "is not valid protobuf: a field number is out of range";
const BAD_TYPE: Broken = "is not valid protobuf: an unknown wire type";
const GROUP: Broken = "has a group, which is not supported";

/// What follows a field's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload<'m> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'m [u8]),
    Fixed32([u8; 4]),
}

/// One field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'m> {
    pub(super) number: u32,
    pub(super) payload: Payload<'m>,
}

/// What is left to read of a message, or of a packed list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'m>(&'m [u8]);

impl<'m> Wire<'m> {
    pub(super) const fn new(bytes: &'m [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next field of a message; `None` at its end.
    pub(super) fn record(&mut self) -> Result<Option<Record<'m>>, Broken> {
        if self.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| BAD_KEY)?;
        let number = key >> 3;
        if number == 0 {
            return Err(BAD_KEY);
        }
        let payload = match key & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(self.fixed()?),
            2 => Payload::Bytes(self.bytes()?),
            // Nothing we define has groups, so a caller that sends one is not talking to us.
            3 | 4 => return Err(GROUP),
            5 => Payload::Fixed32(self.fixed()?),
            _ => return Err(BAD_TYPE),
        };
        Ok(Some(Record { number, payload }))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Broken> {
        if let [byte, rest @ ..] = self.0
            && *byte < 0x80
        {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        let (mut value, mut shift, mut rest) = (0, 0, self.0);
        while let [byte, after @ ..] = rest {
            // The tenth byte has room for one bit only.
            if shift == 63 && *byte > 1 {
                return Err(OVERLONG);
            }
            value |= u64::from(byte & 0x7f) << shift;
            rest = after;
            if *byte < 0x80 {
                self.0 = rest;
                return Ok(value);
            }
            shift += 7;
        }
        Err(CUT_SHORT)
    }

    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (fixed, rest) = self.0.split_first_chunk::<N>().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(*fixed)
    }

    fn bytes(&mut self) -> Result<&'m [u8], Broken> {
        let length = usize::try_from(self.varint()?).map_err(|_| CUT_SHORT)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Record<'_>>, Broken> {
        let mut wire = Wire::new(bytes);
        let mut records = Vec::new();
        while let Some(record) = wire.record()? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn every_wire_type_is_read() {
        let bytes = [8, 0x96, 1, 17, 1, 0, 0, 0, 0, 0, 0, 0, 26, 2, b'h', b'i', 37, 2, 0, 0, 0];
        let payloads: Vec<_> =
            all(&bytes).unwrap().into_iter().map(|r| (r.number, r.payload)).collect();
        assert_eq!(
            payloads,
            [
                (1, Payload::Varint(150)),
                (2, Payload::Fixed64(1u64.to_le_bytes())),
                (3, Payload::Bytes(b"hi")),
                (4, Payload::Fixed32(2u32.to_le_bytes())),
            ]
        );
    }

    #[test]
    fn a_number_has_at_most_ten_bytes_and_64_bits() {
        let mut longest = vec![8];
        longest.extend([0xff; 9]);
        longest.push(1);
        assert_eq!(all(&longest).unwrap()[0].payload, Payload::Varint(u64::MAX));
        *longest.last_mut().unwrap() = 2;
        assert_eq!(all(&longest), Err(OVERLONG));
        *longest.last_mut().unwrap() = 0x81;
        longest.push(0);
        assert_eq!(all(&longest), Err(OVERLONG));
        assert_eq!(all(&[8, 0x80, 0]).unwrap()[0].payload, Payload::Varint(0));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert_eq!(all(&[8]), Err(CUT_SHORT));
        assert_eq!(all(&[8, 0x80]), Err(CUT_SHORT));
        assert_eq!(all(&[18, 3, 1, 2]), Err(CUT_SHORT));
        assert_eq!(all(&[13, 1, 2, 3]), Err(CUT_SHORT));
        assert_eq!(all(&[9, 1, 2, 3, 4, 5, 6, 7]), Err(CUT_SHORT));
        assert_eq!(all(&[0, 0]), Err(BAD_KEY));
        assert_eq!(all(&[0x88, 0x80, 0x80, 0x80, 0x10, 0]), Err(BAD_KEY));
        assert_eq!(all(&[11, 12]), Err(GROUP));
        assert_eq!(all(&[12]), Err(GROUP));
        assert_eq!(all(&[14]), Err(BAD_TYPE));
        assert_eq!(all(&[15]), Err(BAD_TYPE));
    }
}
