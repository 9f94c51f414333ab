use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn cx(headers: &Headers) -> SerdeContext<'_> {
    SerdeContext { topic: "topic", headers, role: Role::Value }
}

fn bytes_of<T: DefaultSerde>(value: &T) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    serialize(&*T::default_serde(), value, &mut buffer, &cx(&Headers::new())).unwrap().map(<[u8]>::to_vec)
}

fn read<T: DefaultSerde>(bytes: Option<&[u8]>) -> Result<T, SerdeError> {
    deserialize(&*T::default_serde(), bytes, &cx(&Headers::new()))
}

fn round_trip<T: DefaultSerde>(value: &T) -> T {
    read(bytes_of(value).as_deref()).unwrap()
}

fn refusal<T: DefaultSerde + std::fmt::Debug>(bytes: Option<&[u8]>) -> String {
    let error = read::<T>(bytes).unwrap_err();
    assert!(!error.is_retriable());
    error.to_string()
}

#[test]
fn bytes_are_javas() {
    assert_eq!(bytes_of(&"Zürich".to_owned()).unwrap(), b"Z\xc3\xbcrich");
    assert_eq!(bytes_of(&-2_i16).unwrap(), [0xff, 0xfe]);
    assert_eq!(bytes_of(&1_000_000_i32).unwrap(), [0x00, 0x0f, 0x42, 0x40]);
    assert_eq!(bytes_of(&i64::MIN).unwrap(), [0x80, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes_of(&1.5_f32).unwrap(), [0x3f, 0xc0, 0, 0]);
    assert_eq!(bytes_of(&-0.1_f64).unwrap(), [0xbf, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]);
    assert_eq!(bytes_of(&true).unwrap(), [1]);
    assert_eq!(bytes_of(&Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)).unwrap(), b"01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(bytes_of(&vec![0_u8, 255]).unwrap(), [0, 255]);
    assert_eq!(bytes_of(&()), None);
}

#[test]
fn null_is_none_and_empty_is_not_null() {
    assert_eq!(bytes_of(&None::<String>), None);
    assert_eq!(bytes_of(&Some(String::new())), Some(Vec::new()));
    assert_eq!(read::<Option<i64>>(None).unwrap(), None);
    assert_eq!(read::<Option<String>>(Some(b"")).unwrap(), Some(String::new()));
    read::<()>(None).unwrap();
}

#[test]
fn what_holds_no_null_says_so() {
    assert!(refusal::<String>(None).contains("read it as `Option<_>`"));
    assert!(refusal::<()>(Some(b"x")).contains("always null"));
}

#[test]
fn bytes_of_another_type_are_a_bad_record() {
    assert_eq!(refusal::<i64>(Some(b"1234")), "the value has 4 bytes, but `i64` has 8");
    assert!(refusal::<bool>(Some(&[2])).contains("0 or 1"));
    assert!(refusal::<String>(Some(&[0xff])).contains("UTF-8"));
    assert!(refusal::<Uuid>(Some(b"not-a-uuid")).contains("UUID"));
    assert!(refusal::<Option<i16>>(Some(b"")).contains("0 bytes"));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(text: String, bytes: Vec<u8>, long: i64, integer: i32, short: i16, double: f64, float: f32, flag: bool, id: u128) {
        prop_assert_eq!(&round_trip(&text), &text);
        prop_assert_eq!(&*round_trip(&std::sync::Arc::<str>::from(&*text)), &*text);
        prop_assert_eq!(&round_trip(&bytes), &bytes);
        prop_assert_eq!(round_trip(&long), long);
        prop_assert_eq!(round_trip(&integer), integer);
        prop_assert_eq!(round_trip(&short), short);
        prop_assert_eq!(round_trip(&double).to_bits(), double.to_bits());
        prop_assert_eq!(round_trip(&float).to_bits(), float.to_bits());
        prop_assert_eq!(round_trip(&flag), flag);
        prop_assert_eq!(round_trip(&Uuid::from_u128(id)), Uuid::from_u128(id));
        prop_assert_eq!(round_trip(&Some(long)), Some(long));
        prop_assert_eq!(round_trip(&id), id);
    }

    #[test]
    fn no_bytes_make_a_serde_panic(bytes: Vec<u8>) {
        let _ = read::<String>(Some(&bytes));
        let _ = read::<i64>(Some(&bytes));
        let _ = read::<Uuid>(Some(&bytes));
        let _ = read::<bool>(Some(&bytes));
    }
}

#[cfg(any(feature = "json", feature = "bincode"))]
mod structured {
    use super::*;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Order {
        id: u64,
        items: Vec<String>,
        note: Option<String>,
    }

    fn orders() -> impl Strategy<Value = Order> {
        (any::<u64>(), any::<Vec<String>>(), any::<Option<String>>()).prop_map(|(id, items, note)| Order { id, items, note })
    }

    fn round_trip(serde: &dyn Serde<Order>, order: &Order) -> Order {
        let headers = Headers::new();
        let mut bytes = Vec::new();
        serde.serialize(order, &mut bytes, &cx(&headers)).unwrap();
        serde.deserialize(&bytes, &cx(&headers)).unwrap()
    }

    #[cfg(feature = "json")]
    proptest! {
        #[test]
        fn json_reads_back(order in orders()) {
            prop_assert_eq!(&round_trip(&*Serdes::json(), &order), &order);
        }
    }

    #[cfg(feature = "json")]
    #[test]
    fn what_is_not_the_json_of_the_type_says_where() {
        let error = Serdes::json::<Order>().deserialize(br#"{"id": "seven"}"#, &cx(&Headers::new())).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string().contains("Order") && source.contains("line 1 column"), "{error}: {source}");
    }

    #[cfg(feature = "bincode")]
    proptest! {
        #[test]
        fn bincode_reads_back(order in orders()) {
            prop_assert_eq!(&round_trip(&*Serdes::bincode(), &order), &order);
        }

        #[test]
        fn no_bytes_make_bincode_panic(bytes: Vec<u8>) {
            let _ = Serdes::bincode::<Order>().deserialize(&bytes, &cx(&Headers::new()));
        }
    }

    #[cfg(feature = "bincode")]
    #[test]
    fn bincode_refuses_a_length_that_cannot_be_and_bytes_behind_a_value() {
        let headers = Headers::new();
        // 0xfd: an eight-byte length follows, here of 4 GiB.
        let bomb = [&[0xfd][..], &(1_u64 << 32).to_le_bytes()].concat();
        Serdes::bincode::<String>().deserialize(&bomb, &cx(&headers)).unwrap_err();
        let error = Serdes::bincode::<u8>().deserialize(&[1, 2], &cx(&headers)).unwrap_err();
        assert!(error.to_string().contains("1 bytes behind"), "{error}");
    }
}
