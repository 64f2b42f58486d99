//! Decimal digits into a buffer, without the machinery of `core::fmt`: three times and three numbers stand in every
//! issued coupon, and formatting them the general way took a tenth of a request.

/// Appends `value` in decimal.
pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = digit(value % 10);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes the last digits of `value` over all of `field`, with leading zeros.
pub(crate) fn fill(field: &mut [u8], mut value: u64) {
    for place in field.iter_mut().rev() {
        *place = digit(value % 10);
        value /= 10;
    }
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for value in [0, 1, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
        let mut field = *b"xxxx";
        fill(&mut field, 42);
        assert_eq!(&field, b"0042");
    }
}
