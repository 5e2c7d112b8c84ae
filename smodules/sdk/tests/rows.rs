//! What may be a row of a resident table: only types of which every octet is data, and any octets a value.

use s_sdk::{CallError, Handle, Plain};

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Whole {
    value: u64,
    ratio: f64,
    small: [u16; 3],
    flags: u8,
    reserved: u8,
}

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Nested {
    parts: [Whole; 2],
    nothing: (),
    last: i64,
}

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct GapBetween {
    flags: u8,
    value: u32,
}

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct GapAfter {
    value: u32,
    flags: u8,
}

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct GapWithin {
    value: u64,
    parts: [GapAfter; 1],
}

#[derive(Clone, Copy, Plain)]
#[repr(u8)]
enum Mood {
    Calm,
    Wild,
}

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Moody {
    moods: [Mood; 8],
}

fn fault<T: Plain>() -> &'static str {
    T::SHAPE.row_fault().unwrap_or("none")
}

#[test]
fn numbers_arrays_and_structs_without_gaps_are_rows() {
    assert_eq!(fault::<()>(), "none");
    assert_eq!(fault::<u8>(), "none");
    assert_eq!(fault::<[i32; 0]>(), "none");
    assert_eq!(fault::<Whole>(), "none");
    assert_eq!(fault::<Nested>(), "none");
}

#[test]
fn padding_is_refused_wherever_it_is() {
    for fault in [fault::<GapBetween>(), fault::<GapAfter>(), fault::<GapWithin>()] {
        assert!(fault.contains("no padding") && fault.contains("reserved: [u8; 3]"), "{fault}");
    }
}

#[test]
fn what_not_all_octets_are_a_value_of_is_refused() {
    for fault in [fault::<bool>(), fault::<Mood>(), fault::<Moody>(), fault::<CallError>()] {
        assert!(fault.contains("valid `bool` or enum"), "{fault}");
    }
    assert!(fault::<Handle<u64>>().contains("outlives every activity"));
}
