//! What a SET may write into a column (RFC 2578 §9), and the textual conventions of RFC 2579 for writing.
//!
//! It never changes anything. A check answers the first of wrongType, wrongLength, wrongValue that holds:
//! the order of RFC 3416 §4.2.5.

use roles::varbind::{ErrorStatus, ValueKind, VarValue};
use s_sdk::{Host, Level};

/// The values that a column takes at all; what it takes now is its writer's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// INTEGER in a range, both ends included.
    Integer(i32, i32),
    /// An enumerated INTEGER.
    Enumeration(&'static [i32]),
    /// Unsigned32 or Gauge32 in a range, both ends included.
    Unsigned(u32, u32),
    /// TimeTicks.
    TimeTicks,
    /// OCTET STRING with a range of lengths, both ends included.
    Octets(usize, usize),
    /// DisplayString with a range of lengths: NVT ASCII.
    DisplayString(usize, usize),
    /// SnmpAdminString with a range of lengths: UTF-8.
    AdminString(usize, usize),
    /// OBJECT IDENTIFIER.
    Oid,
    /// IpAddress.
    IpAddress,
    /// RowStatus, of which notReady cannot be written.
    RowStatus,
}

impl Syntax {
    /// StorageType.
    pub const STORAGE_TYPE: Syntax = Syntax::Integer(1, 5);
    /// StorageType where a SET makes no row that another SET could not remove.
    pub const REMOVABLE: Syntax = Syntax::Enumeration(&[2, 3]);
    /// TruthValue.
    pub const TRUTH_VALUE: Syntax = Syntax::Integer(1, 2);
    /// TestAndIncr.
    pub const TEST_AND_INCR: Syntax = Syntax::Integer(0, i32::MAX);

    /// Whether a value is one of these.
    ///
    /// # Errors
    /// wrongType, wrongLength or wrongValue.
    pub fn check(self, value: VarValue<'_>) -> Result<(), ErrorStatus> {
        let within = |holds, otherwise| if holds { Ok(()) } else { Err(otherwise) };
        match (self, value) {
            (Syntax::Integer(low, high), VarValue::Integer(number)) => {
                within((low..=high).contains(&number), ErrorStatus::WrongValue)
            }
            (Syntax::Enumeration(numbers), VarValue::Integer(number)) => {
                within(numbers.contains(&number), ErrorStatus::WrongValue)
            }
            (Syntax::RowStatus, VarValue::Integer(number)) => {
                within(matches!(number, 1 | 2 | 4 | 5 | 6), ErrorStatus::WrongValue)
            }
            (Syntax::Unsigned(low, high), VarValue::Gauge32(number)) => {
                within((low..=high).contains(&number), ErrorStatus::WrongValue)
            }
            (Syntax::Octets(low, high), VarValue::Octets(octets)) => {
                within((low..=high).contains(&octets.len()), ErrorStatus::WrongLength)
            }
            (Syntax::DisplayString(low, high), VarValue::Octets(octets)) => {
                within((low..=high).contains(&octets.len()), ErrorStatus::WrongLength)?;
                within(octets.is_ascii(), ErrorStatus::WrongValue)
            }
            (Syntax::AdminString(low, high), VarValue::Octets(octets)) => {
                within((low..=high).contains(&octets.len()), ErrorStatus::WrongLength)?;
                within(std::str::from_utf8(octets).is_ok(), ErrorStatus::WrongValue)
            }
            _ => within(self.kind() == value.kind(), ErrorStatus::WrongType),
        }
    }

    const fn kind(self) -> ValueKind {
        match self {
            Syntax::Integer(..) | Syntax::Enumeration(_) | Syntax::RowStatus => ValueKind::Integer,
            Syntax::Unsigned(..) => ValueKind::Gauge32,
            Syntax::TimeTicks => ValueKind::TimeTicks,
            Syntax::Octets(..) | Syntax::DisplayString(..) | Syntax::AdminString(..) => {
                ValueKind::Octets
            }
            Syntax::Oid => ValueKind::Oid,
            Syntax::IpAddress => ValueKind::IpAddress,
        }
    }
}

/// The number of an INTEGER, for writers.
///
/// # Errors
/// wrongType, which no checked value is.
pub const fn integer(value: VarValue<'_>) -> Result<i32, ErrorStatus> {
    match value {
        VarValue::Integer(number) => Ok(number),
        _ => Err(ErrorStatus::WrongType),
    }
}

/// The octets of an OCTET STRING, for writers.
///
/// # Errors
/// wrongType, which no checked value is.
pub const fn octets(value: VarValue<'_>) -> Result<&[u8], ErrorStatus> {
    match value {
        VarValue::Octets(octets) => Ok(octets),
        _ => Err(ErrorStatus::WrongType),
    }
}

/// TestAndIncr (RFC 2579): takes the number that it holds, and holds the next one then.
///
/// # Errors
/// wrongType; inconsistentValue, because somebody else was faster.
pub fn test_and_increment(number: &mut i32, value: VarValue<'_>) -> Result<(), ErrorStatus> {
    if integer(value)? != *number {
        return Err(ErrorStatus::InconsistentValue);
    }
    *number = number.checked_add(1).unwrap_or(0);
    Ok(())
}

/// Where the TestAndIncr of this name begins: somewhere else after every start, so that no manager takes it for
/// its own (RFC 2579).
pub fn first_number(host: Host, name: &str) -> i32 {
    let mut random = [0; 4];
    if let Err(error) = host.random(&mut random) {
        host.log(Level::Warning, &format!("{name} begins at 0: {error}"));
    }
    i32::from_be_bytes(random) & i32::MAX
}

macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ::s_sdk::value::Field)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl $name {
            /// The one with this number.
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some($name::$variant),)*
                    _ => None,
                }
            }

            /// The one that a checked value names.
            ///
            /// # Errors
            /// wrongType or wrongValue.
            pub fn from_value(value: VarValue<'_>) -> Result<Self, ErrorStatus> {
                Self::from_number(integer(value)?).ok_or(ErrorStatus::WrongValue)
            }

            /// As a value.
            pub const fn value(self) -> VarValue<'static> {
                VarValue::Integer(self as i32)
            }
        }
    };
}

enumeration! {
    /// The state of a conceptual row, and what a manager asks to be done to it (RFC 2579).
    RowStatus {
        /// In use.
        Active = 1,
        /// Complete, and not in use.
        NotInService = 2,
        /// Not complete.
        NotReady = 3,
        /// Asked: make it, and use it.
        CreateAndGo = 4,
        /// Asked: make it, and wait.
        CreateAndWait = 5,
        /// Asked: remove it.
        Destroy = 6,
    }
}

enumeration! {
    /// How long a conceptual row lives (RFC 2579).
    StorageType {
        /// Not said.
        Other = 1,
        /// As long as the process.
        Volatile = 2,
        /// Over restarts.
        NonVolatile = 3,
        /// Can be changed but not removed.
        Permanent = 4,
        /// Can be neither changed nor removed.
        ReadOnly = 5,
    }
}

impl StorageType {
    /// Whether a SET may make one of the other: what is fixed stays so, and nothing becomes it.
    pub const fn may_become(self, other: StorageType) -> bool {
        self as i32 == other as i32 || ((self as i32) < 4 && (other as i32) < 4)
    }
}

impl RowStatus {
    /// Whether a row that is complete or not can be left in this status.
    pub const fn is_settled(self, complete: bool) -> bool {
        match self {
            RowStatus::Active | RowStatus::NotInService => complete,
            RowStatus::NotReady => true,
            RowStatus::CreateAndGo | RowStatus::CreateAndWait | RowStatus::Destroy => false,
        }
    }

    /// The status after a SET: the table of RFC 2579 under RowStatus. `self` is what was asked for, or the
    /// row's own status (notReady in a new row) if nothing was. None means that the row goes.
    ///
    /// # Errors
    /// inconsistentName where nothing asks for a new row, inconsistentValue where it cannot be done now.
    pub fn settled(self, exists: bool, complete: bool) -> Result<Option<RowStatus>, ErrorStatus> {
        use RowStatus::{Active, CreateAndGo, CreateAndWait, Destroy, NotInService, NotReady};
        let waiting = if complete { NotInService } else { NotReady };
        match (self, exists) {
            (Destroy, _) => Ok(None),
            (CreateAndWait, false) => Ok(Some(waiting)),
            (CreateAndGo, false) | (Active, true) if complete => Ok(Some(Active)),
            (NotInService, true) if complete => Ok(Some(NotInService)),
            (NotReady, true) => Ok(Some(waiting)),
            (NotReady, false) => Err(ErrorStatus::InconsistentName),
            _ => Err(ErrorStatus::InconsistentValue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_checked_for_type_then_length_then_value() {
        let text = Syntax::DisplayString(0, 3);
        assert_eq!(text.check(VarValue::Integer(1)), Err(ErrorStatus::WrongType));
        assert_eq!(text.check(VarValue::Octets(b"\xffabc")), Err(ErrorStatus::WrongLength));
        assert_eq!(text.check(VarValue::Octets(b"\xff")), Err(ErrorStatus::WrongValue));
        assert_eq!(text.check(VarValue::Octets(b"abc")), Ok(()));
        let name = Syntax::AdminString(1, 2);
        assert_eq!(name.check(VarValue::Octets("ä".as_bytes())), Ok(()));
        assert_eq!(name.check(VarValue::Octets(b"\xe4")), Err(ErrorStatus::WrongValue));
        assert_eq!(name.check(VarValue::Octets(b"")), Err(ErrorStatus::WrongLength));
        assert_eq!(Syntax::Integer(1, 2).check(VarValue::Integer(3)), Err(ErrorStatus::WrongValue));
        assert_eq!(Syntax::Integer(1, 2).check(VarValue::Gauge32(1)), Err(ErrorStatus::WrongType));
        assert_eq!(Syntax::RowStatus.check(VarValue::Integer(3)), Err(ErrorStatus::WrongValue));
        assert_eq!(Syntax::Enumeration(&[1, 4]).check(VarValue::Integer(4)), Ok(()));
        assert_eq!(
            Syntax::Unsigned(0, 5).check(VarValue::Gauge32(6)),
            Err(ErrorStatus::WrongValue)
        );
        assert_eq!(Syntax::Oid.check(VarValue::Oid(&[1, 3])), Ok(()));
        assert_eq!(Syntax::Oid.check(VarValue::Unspecified), Err(ErrorStatus::WrongType));
    }

    #[test]
    fn test_and_increment_takes_its_own_number_only_and_wraps() {
        let mut number = i32::MAX;
        let refused = test_and_increment(&mut number, VarValue::Integer(0));
        assert_eq!(refused, Err(ErrorStatus::InconsistentValue));
        assert_eq!(test_and_increment(&mut number, VarValue::Integer(i32::MAX)), Ok(()));
        assert_eq!(number, 0);
    }

    #[test]
    fn a_row_rests_incomplete_only_where_it_is_not_ready_and_never_where_something_is_asked() {
        let rests = |complete| (1..=6).filter(move |number| settled(*number, complete));
        assert!(rests(true).eq([1, 2, 3]));
        assert!(rests(false).eq([3]));
    }

    fn settled(number: i32, complete: bool) -> bool {
        RowStatus::from_number(number).unwrap().is_settled(complete)
    }

    #[test]
    fn row_status_settles_as_the_table_of_rfc_2579_says() {
        use RowStatus::{Active, CreateAndGo, CreateAndWait, Destroy, NotInService, NotReady};
        let wrong = Err(ErrorStatus::InconsistentValue);
        for (asked, exists, complete, settled) in [
            (CreateAndGo, false, true, Ok(Some(Active))),
            (CreateAndGo, false, false, wrong),
            (CreateAndGo, true, true, wrong),
            (CreateAndWait, false, true, Ok(Some(NotInService))),
            (CreateAndWait, false, false, Ok(Some(NotReady))),
            (CreateAndWait, true, true, wrong),
            (Active, false, true, wrong),
            (Active, true, false, wrong),
            (Active, true, true, Ok(Some(Active))),
            (NotInService, false, true, wrong),
            (NotInService, true, false, wrong),
            (NotInService, true, true, Ok(Some(NotInService))),
            (NotReady, false, true, Err(ErrorStatus::InconsistentName)),
            (NotReady, true, true, Ok(Some(NotInService))),
            (Destroy, false, false, Ok(None)),
            (Destroy, true, true, Ok(None)),
        ] {
            assert_eq!(asked.settled(exists, complete), settled, "{asked:?} {exists} {complete}");
        }
    }
}
