//! The catalogue of functions. `None` stands for a function that is not in it, or that fails on purpose.

use std::sync::Arc;

use super::datum::{Datum, Nullable, Type, of_text, text};

pub type Predicate = Arc<dyn Fn(&Nullable, &Nullable) -> bool + Send + Sync>;
pub type Mapper = Arc<dyn Fn(&Nullable, &Nullable) -> Nullable + Send + Sync>;
pub type FlatMapper = Arc<dyn Fn(&Nullable, &Nullable) -> Vec<Nullable> + Send + Sync>;
pub type Reducer = Arc<dyn Fn(Nullable, Nullable) -> Nullable + Send + Sync>;
pub type Aggregator = Arc<dyn Fn(&Nullable, &Nullable, Nullable) -> Nullable + Send + Sync>;
pub type Joiner = Arc<dyn Fn(&Nullable, &Nullable, &Nullable) -> Nullable + Send + Sync>;

fn split(spec: &str) -> (&str, String) {
    let (name, argument) = spec.split_once(':').unwrap_or((spec, ""));
    (name, argument.to_owned())
}

fn number(value: &Nullable) -> i64 {
    match value {
        Some(Datum::Long(number)) => *number,
        Some(Datum::Text(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

fn length(value: &Nullable) -> i64 {
    value.as_ref().map_or(0, |_| i64::try_from(text(value).len()).unwrap_or(i64::MAX))
}

/// Fails on purpose: functions of the DSL give no errors, so this is a panic, without the message of one.
fn boom(text: &str) -> ! {
    std::panic::resume_unwind(Box::new(format!("boom: {text}")))
}

/// Fails when the value has this text.
fn fail_on(value: &Nullable, wrong: &str) {
    if value.is_some() && text(value) == wrong {
        boom(wrong);
    }
}

fn contains(value: &Nullable, part: &str) -> bool {
    value.is_some() && text(value).contains(part)
}

fn before_colon(value: &Nullable) -> Nullable {
    value.as_ref()?;
    Some(Datum::Text(text(value).split_once(':')?.0.to_owned()))
}

pub fn predicate(spec: &str) -> Option<Predicate> {
    let (name, argument) = split(spec);
    let limit = argument.parse::<i64>().unwrap_or(0);
    Some(match name {
        "always" => Arc::new(|_, _| true),
        "never" => Arc::new(|_, _| false),
        "value-even-length" => Arc::new(|_, value| value.is_some() && length(value) % 2 == 0),
        "value-contains" => Arc::new(move |_, value| contains(value, &argument)),
        "value-even" => Arc::new(|_, value| value.is_some() && number(value) % 2 == 0),
        "value-gt" => Arc::new(move |_, value| value.is_some() && number(value) > limit),
        "value-is-null" => Arc::new(|_, value| value.is_none()),
        "key-is-null" => Arc::new(|key, _| key.is_none()),
        "fail-on" => Arc::new(move |_, value| {
            fail_on(value, &argument);
            true
        }),
        "key-starts-with" => Arc::new(move |key, _| key.is_some() && text(key).starts_with(&argument)),
        _ => return None,
    })
}

pub fn value_mapper(spec: &str, value: Type) -> Option<(Mapper, Type)> {
    let (name, argument) = split(spec);
    let plus = argument.parse::<i64>().unwrap_or(0);
    let mapper: Mapper = match name {
        "identity" => Arc::new(|_, value| value.clone()),
        "upper" => Arc::new(|_, value| value.as_ref().and_then(|_| of_text(text(value).to_ascii_uppercase()))),
        "reverse" => Arc::new(|_, value| value.as_ref().and_then(|_| of_text(text(value).chars().rev().collect::<String>()))),
        "append" => Arc::new(move |_, value| value.as_ref().and_then(|_| of_text(text(value) + &argument))),
        "show" => Arc::new(|_, value| of_text(text(value))),
        "show-with-key" => Arc::new(|key, value| of_text(format!("{}={}", text(key), text(value)))),
        "null-if-contains" => Arc::new(move |_, value| if contains(value, &argument) { None } else { value.clone() }),
        "length" => Arc::new(|_, value| value.as_ref().map(|_| Datum::Long(length(value)))),
        "number" => Arc::new(|_, value| value.as_ref().map(|_| Datum::Long(number(value)))),
        "fail-on" => Arc::new(move |_, value| {
            fail_on(value, &argument);
            value.clone()
        }),
        "plus" => Arc::new(move |_, value| value.as_ref().map(|_| Datum::Long(number(value).wrapping_add(plus)))),
        _ => return None,
    };
    let mapped = match name {
        "identity" | "null-if-contains" | "fail-on" => value,
        "length" | "number" | "plus" => Type::Long,
        _ => Type::Text,
    };
    Some((mapper, mapped))
}

pub fn key_selector(spec: &str, key: Type, value: Type) -> Option<(Mapper, Type)> {
    let (name, argument) = split(spec);
    let mapper: Mapper = match name {
        "key" => Arc::new(|key, _| key.clone()),
        "value" => Arc::new(|_, value| value.clone()),
        "first-char" => Arc::new(|_, value| value.as_ref().and_then(|_| text(value).chars().next()).and_then(of_text)),
        "before-colon" => Arc::new(|_, value| before_colon(value)),
        "const" => Arc::new(move |_, _| of_text(argument.clone())),
        "null-if-value-contains" => Arc::new(move |key, value| if contains(value, &argument) { None } else { key.clone() }),
        "value-length" => Arc::new(|_, value| value.as_ref().map(|_| Datum::Long(length(value)))),
        "show-key" => Arc::new(|key, _| key.as_ref().and_then(|_| of_text(text(key)))),
        "window-string" => Arc::new(|key, _| of_text(text(key))),
        "window-key" => Arc::new(|key, _| match key {
            Some(Datum::Window(windowed)) => Some(windowed.key.clone()),
            other => other.clone(),
        }),
        _ => return None,
    };
    let selected = match name {
        "key" | "null-if-value-contains" | "window-key" => key,
        "value" => value,
        "value-length" => Type::Long,
        _ => Type::Text,
    };
    Some((mapper, selected))
}

pub fn flat_mapper(spec: &str, value: Type) -> Option<(FlatMapper, Type)> {
    let (name, argument) = split(spec);
    let count = argument.parse::<usize>().unwrap_or(0);
    let mapper: FlatMapper = match name {
        "split" => Arc::new(|_, value| match value {
            None => Vec::new(),
            value => text(value).split(' ').filter(|part| !part.is_empty()).map(of_text).collect(),
        }),
        "repeat" => Arc::new(move |_, value| vec![value.clone(); count]),
        "none" => Arc::new(|_, _| Vec::new()),
        "null-and-value" => Arc::new(|_, value| vec![None, value.clone()]),
        "show-key-and-value" => Arc::new(|key, value| vec![of_text(text(key)), of_text(text(value))]),
        _ => return None,
    };
    Some((mapper, if matches!(name, "split" | "show-key-and-value") { Type::Text } else { value }))
}

/// Text without the first occurrence of a part.
fn without(whole: &str, part: &str) -> String {
    whole.replacen(part, "", 1)
}

pub fn reducer(spec: &str) -> Option<Reducer> {
    let (name, argument) = split(spec);
    let concat = |a: &Nullable, b: &Nullable| of_text(format!("{}+{}", text(a), text(b)));
    Some(match name {
        "concat" => Arc::new(move |a, b| concat(&a, &b)),
        "remove" => Arc::new(|a, b| of_text(without(&text(&a), &format!("+{}", text(&b))))),
        "fail-on" => Arc::new(move |_, b| {
            fail_on(&b, &argument);
            b
        }),
        "first" => Arc::new(|a, _| a),
        "last" => Arc::new(|_, b| b),
        "max" => Arc::new(|a, b| match (&a, &b) {
            (None, _) => b,
            (_, None) => a,
            (Some(Datum::Long(one)), Some(Datum::Long(two))) => {
                if two > one {
                    b
                } else {
                    a
                }
            }
            _ => {
                if text(&b) > text(&a) {
                    b
                } else {
                    a
                }
            }
        }),
        "sum" => Arc::new(|a, b| Some(Datum::Long(number(&a).wrapping_add(number(&b))))),
        "minus" => Arc::new(|a, b| Some(Datum::Long(number(&a).wrapping_sub(number(&b))))),
        "null-if-contains" => Arc::new(move |a, b| if contains(&b, &argument) { None } else { concat(&a, &b) }),
        _ => return None,
    })
}

pub fn initializer(spec: &str) -> Option<(Datum, Type)> {
    let (name, argument) = split(spec);
    match name {
        "empty" => Some((Datum::Text(String::new()), Type::Text)),
        "text" => Some((Datum::Text(argument), Type::Text)),
        // To the aggregators of the catalogue null counts as "".
        "null-string" => Some((Datum::Text(String::new()), Type::Text)),
        "zero" => Some((Datum::Long(0), Type::Long)),
        _ => None,
    }
}

pub fn aggregator(spec: &str) -> Option<Aggregator> {
    let (name, argument) = split(spec);
    let so_far = |a: &Nullable| if a.is_none() { String::new() } else { text(a) };
    let append = move |value: &Nullable, a: &Nullable| of_text(format!("{},{}", so_far(a), text(value)));
    let count = |a: &Nullable, by: i64| Some(Datum::Long(number(a).wrapping_add(by)));
    Some(match name {
        "append" => Arc::new(move |_, value, a| append(value, &a)),
        "fail-on" => Arc::new(move |_, value, a| {
            if text(value) == argument {
                boom(&argument);
            }
            append(value, &a)
        }),
        "append-with-key" => Arc::new(move |key, value, a| of_text(format!("{},{}={}", so_far(&a), text(key), text(value)))),
        "remove" => Arc::new(move |_, value, a| of_text(without(&so_far(&a), &format!(",{}", text(value))))),
        "plus-one" => Arc::new(move |_, _, a| count(&a, 1)),
        "minus-one" => Arc::new(move |_, _, a| count(&a, -1)),
        "plus-length" => Arc::new(move |_, value, a| count(&a, length(value))),
        "minus-length" => Arc::new(move |_, value, a| count(&a, -length(value))),
        "null-if-contains" => Arc::new(move |_, value, a| if contains(value, &argument) { None } else { append(value, &a) }),
        _ => return None,
    })
}

pub fn merger(spec: &str) -> Option<Aggregator> {
    let so_far = |a: &Nullable| if a.is_none() { String::new() } else { text(a) };
    Some(match split(spec).0 {
        "concat" => Arc::new(move |_, one, two| of_text(format!("{}{}", so_far(one), so_far(&two)))),
        "bar" => Arc::new(|_, one, two| of_text(format!("{}|{}", text(one), text(&two)))),
        "sum" => Arc::new(|_, one, two| Some(Datum::Long(number(one).wrapping_add(number(&two))))),
        _ => return None,
    })
}

pub fn joiner(spec: &str, left: Type, right: Type) -> Option<(Joiner, Type)> {
    let (name, argument) = split(spec);
    let pair = |left: &Nullable, right: &Nullable| of_text(format!("{}|{}", text(left), text(right)));
    let joiner: Joiner = match name {
        "pair" => Arc::new(move |_, left, right| pair(left, right)),
        "fail-on" => Arc::new(move |_, left, right| {
            fail_on(left, &argument);
            fail_on(right, &argument);
            pair(left, right)
        }),
        "pair-with-key" => Arc::new(|key, left, right| of_text(format!("{}:{}|{}", text(key), text(left), text(right)))),
        "left" => Arc::new(|_, left, _| left.clone()),
        "right" => Arc::new(|_, _, right| right.clone()),
        "null-if-equal" => Arc::new(move |_, left, right| if text(left) == text(right) { None } else { pair(left, right) }),
        "sum-length" => Arc::new(|_, left, right| Some(Datum::Long(length(left) + length(right)))),
        _ => return None,
    };
    let joined = match name {
        "left" => left,
        "right" => right,
        "sum-length" => Type::Long,
        _ => Type::Text,
    };
    Some((joiner, joined))
}
