//! Control input: swaps as operators write them down.
//!
//! Promise checked: what is not understood is refused, and what is understood makes the same request
//! every time, with deadlines that mean something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_control::order::Order;

fuzz_target!(|bytes: &[u8]| {
    let Ok(order) = Order::parse(bytes) else { return };
    assert_eq!(Order::parse(bytes).as_ref().ok(), Some(&order));
    let request = order.with_packages([]).expect("what was read makes a request");
    assert!(!request.deadlines.whole.is_zero() && !request.deadlines.quiesce.is_zero());
});
