use std::time::{Duration, Instant};

use chrono::DateTime;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::*;

fn view() -> View {
    let subject = json!({
        "id": "usr_1", "type": "user", "kind": "admin", "account_id": "acc_1", "user_name": "Ann",
        "properties": {"team": "red", "teams": ["red", "blue"]},
    });
    let action = json!({"name": "gate.read", "properties": {}});
    let resource = json!({
        "type": "gate", "id": "5", "path": "account/acc_1/gate/5", "account_id": "acc_1",
        "properties": {"team": "red", "tags": ["a", "blue"]},
    });
    let said = json!({"level": 3, "ip": "10.0.0.1", "none": null, "deep": {"er": [1, 2]}, "list": [1, 2, 3]});
    View::new(
        &subject,
        &action,
        &resource,
        &said,
        DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    )
}

fn asked(text: &str) -> Result<bool, Fault> {
    Condition::compile(text).unwrap().holds(&view())
}

#[test]
fn a_condition_sees_what_it_is_said_to_see() {
    for text in [
        "context.level > 2",
        "context.level == 3 && context['level'] < 4.5",
        "int(context.level) + 1 == 4",
        "resource.properties.team == subject.properties.team",
        "resource.properties.tags.exists(t, t in subject.properties.teams)",
        "context.list.all(n, n > 0) && context.list.exists_one(n, n == 2)",
        "resource.properties.tags.exists(t, subject.properties.teams.exists(u, u == t))",
        "has(context.level) && !has(context.leve)",
        "now < timestamp('2100-01-01T00:00:00Z') && now + duration('1h') > now",
        "now.getFullYear() == 2027 && now.getHours('Europe/Berlin') == 9",
        "action.name == 'gate.read' && action.name.startsWith('gate.')",
        "subject.type == 'user' && subject.kind == \"admin\" && subject.user_name == 'Ann'",
        "resource.path.endsWith('/gate/5') && resource.id.contains('5') && resource.type == 'gate'",
        "subject.account_id == resource.account_id",
        "size(context.list) == 3 && context.deep.er[0] == 1",
        "context.none == null",
        "context.level > 2 ? true : false",
        "context.leve > 2 || context.level > 2",
        "context.list.size() > 0",
        "'level' in context",
    ] {
        assert_eq!(asked(text), Ok(true), "{text}");
    }
    assert_eq!(asked("context.level > 3"), Ok(false));
}

#[test]
fn what_cannot_be_told_is_a_fault_that_quotes_no_value() {
    let missing = |key: &str| Err(Fault::MissingKey(Some(key.to_owned())));
    assert_eq!(asked("context.leve > 2"), missing("leve"));
    assert_eq!(asked("context[subject.user_name] == 2"), Err(Fault::MissingKey(None)));
    assert_eq!(asked("context.level"), Err(Fault::NotBool));
    assert_eq!(asked("context.ip > 2"), Err(Fault::Mismatch));
    assert_eq!(asked("1 / 0 == 1"), Err(Fault::Mismatch));
    assert_eq!(asked("context.ip + 1 == 2"), Err(Fault::Mismatch));
    assert_eq!(asked("timestamp(context.ip) > now"), Err(Fault::Mismatch));
    assert_eq!(Condition::stored("no such").holds(&view()), Err(Fault::Unreadable));
}

#[test]
fn a_condition_that_is_none_is_refused_with_what_is_wrong() {
    let bad = |text: &str| Condition::compile(text).unwrap_err();
    assert_eq!(bad("  "), BadCondition::Empty);
    assert_eq!(bad(&format!("true || {}", "x".repeat(1024))), BadCondition::TooLong);
    assert!(matches!(bad("context.level >"), BadCondition::Syntax(_)));
    assert!(matches!(bad("context.level = 2"), BadCondition::Syntax(_)));
    assert_eq!(bad("user.id == 'a'"), BadCondition::UnknownVariable("user".to_owned()));
    assert!(matches!(bad("subject.name == 'a'"), BadCondition::UnknownField { .. }));
    assert!(matches!(bad("subject['name'] == 'a'"), BadCondition::UnknownField { .. }));
    assert_eq!(bad("context.ip.matches('a')"), BadCondition::UnknownFunction("matches".to_owned()));
    assert_eq!(bad("run('a')"), BadCondition::UnknownFunction("run".to_owned()));
    assert_eq!(bad("context.list.all(now, now > 0)"), BadCondition::Shadowing("now".to_owned()));
    assert!(matches!(bad("context.list.map(n, n) == []"), BadCondition::NotHere(_)));
    assert!(matches!(bad("context.list.filter(n, n > 1) == []"), BadCondition::NotHere(_)));
    assert!(matches!(bad("context.ip + context.ip == ''"), BadCondition::NotHere(_)));
    assert!(matches!(bad("Thing{a: 1} == 1"), BadCondition::NotHere(_)));
    let loops = "context.a.all(a, context.b.all(b, context.c.all(c, a == b)))";
    assert_eq!(bad(loops), BadCondition::TooManyLoops);
    assert_eq!(bad(&format!("context{} == 1", ".a".repeat(40))), BadCondition::TooDeep);
    for open in ["(", "[", "{", "!", "-", "a(", "a?b:", "[a,", "!("] {
        assert!(Condition::compile(&open.repeat(1000 / open.len())).is_err(), "{open}");
    }
}

#[test]
fn a_condition_that_can_never_be_true_or_false_is_refused_with_what_it_is() {
    for (text, what) in [
        ("1", "a number, a time or a duration"),
        ("1 + 1", "a number, a time or a duration"),
        ("-context.level", "a number, a time or a duration"),
        ("now", "a number, a time or a duration"),
        ("now.getHours()", "a number, a time or a duration"),
        ("size(context.list) % 2", "a number, a time or a duration"),
        ("'x'", "a text"),
        ("string(context.level)", "a text"),
        ("resource.path", "a text"),
        ("resource['path']", "a text"),
        ("b'x'", "bytes"),
        ("null", "null"),
        ("[1]", "a list"),
        ("{}", "a map"),
        ("context", "a map"),
        ("subject.properties", "a map"),
        ("context.a ? 'yes' : 'no'", "a text"),
        ("context.a ? 'yes' : 0", "no bool"),
    ] {
        assert_eq!(Condition::compile(text), Err(BadCondition::NeverBool(what)), "{text}");
    }
    // What hangs on what is sent is found out when it is sent.
    for text in
        ["context.a", "context['a']", "[true][0]", "context.a ? true : 0", "has(subject.id)"]
    {
        assert!(Condition::compile(text).is_ok(), "{text}");
    }
}

#[test]
fn conditions_are_equal_if_their_texts_are() {
    let condition = |text| Condition::compile(text).unwrap();
    assert_eq!(condition("context.a"), condition("context.a"));
    assert_ne!(condition("context.a"), condition("context.a "));
    assert_eq!(Condition::stored("no such"), Condition::stored("no such"));
}

#[test]
fn what_would_cost_too_much_is_not_evaluated_and_one_question_has_one_purse() {
    let many: Vec<u32> = (0..1000).collect();
    let said = json!({"list": many});
    let none = json!({});
    let view = View::new(&none, &none, &none, &said, DateTime::from_timestamp(0, 0).unwrap());
    let twice = "context.list.all(a, context.list.exists(b, a == b))";
    assert_eq!(Condition::compile(twice).unwrap().holds(&view), Err(Fault::TooCostly));
    let once = Condition::compile("1.0 in context.list").unwrap();
    assert_eq!(once.holds(&view), Ok(true));
    let mut asked = 0;
    while once.holds(&view).is_ok() {
        asked += 1;
        assert!(asked < 10_000);
    }
    assert!(asked > 10);
}

#[test]
fn the_dearest_condition_that_is_evaluated_does_not_take_long() {
    let none = json!({});
    let mut evaluated = 0;
    for size in [1000_u32, 300, 100, 30, 10, 3] {
        let list: Vec<u32> = (0..size).collect();
        let long = "a".repeat(usize::try_from(size * 8).unwrap());
        let said = json!({"m": list, "n": list, "s": [long, long], "t": {"m": list, "n": list}});
        for text in [
            "context.m.all(a, context == context)",
            "context.m.all(a, context.m == context.n)",
            "context.m.all(a, context.s[0] == context.s[1])",
            "context.s.all(a, context.s.all(b, a == b && context == context))",
            "context.m.all(a, [context, context] == [context, context])",
            "context.m.all(a, context.n.all(b, a != b || true))",
            "context.m.all(a, context.n.exists(b, context.t == context.t && a == b))",
        ] {
            let view =
                View::new(&none, &none, &none, &said, DateTime::from_timestamp(0, 0).unwrap());
            let start = Instant::now();
            let came = Condition::compile(text).unwrap().holds(&view);
            evaluated += usize::from(came == Ok(true));
            assert!(start.elapsed() < Duration::from_secs(2), "{size} {text}");
        }
    }
    assert!(evaluated > 10, "{evaluated}");
}

const LEAVES: &[&str] = &[
    "context.level",
    "context.list",
    "context",
    "context.ip",
    "subject",
    "now",
    "1",
    "-1",
    "0",
    "2u",
    "1.5",
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "18446744073709551615u",
    "1e308",
    "'a'",
    "''",
    "b'a'",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "x",
    "duration('1s')",
    "duration('315576000000s')",
    "duration('-9e99s')",
    "timestamp('9999-12-31T23:59:59Z')",
    "timestamp('0001-01-01T00:00:00Z')",
    "timestamp(0)",
    "timestamp(9223372036854775807)",
    "duration('9223372036854775807ns')",
    "context.deep.er",
    "subject.properties",
    "'Europe/Berlin'",
    "'é\\u0001\\x41'",
    "r'\\'",
    "'''a'''",
    "'2020-01-01T00:00:00.999999999+23:59'",
];

const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ":",
    "?",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "&&",
    "||",
    "in",
    "context",
    "subject",
    "all",
    "exists",
    "has",
    "x",
    "'",
    "\"",
    "'''",
    "r'",
    "b'",
    "\\",
    "\\u",
    "\\x4",
    "`",
    "//",
    "\n",
    "1",
    "0x",
    "1e",
    "1.",
    ".5",
    "9u",
    "99999999999999999999",
    "true",
    "null",
    "é",
    "\u{0}",
    "\u{FEFF}",
    "@",
    ".all(x, ",
    "?.",
    "[?",
    "...",
    "if",
    "\\777",
    "\\U00110000",
    "\\ud800",
];

fn expressions() -> impl Strategy<Value = String> {
    let leaf = select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(6, 40, 3, |inner| {
        let binary = select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", " in "]);
        let call = select(vec![
            "size", "int", "uint", "double", "string", "timestamp", "duration", "-", "!", "has", "bool", "dyn", "type",
        ]);
        let member = select(vec![
            "startsWith", "endsWith", "contains", "getHours", "getFullYear", "getMonth", "getDate", "getDayOfMonth",
            "getDayOfWeek", "getDayOfYear", "getMinutes", "getSeconds", "getMilliseconds", "size",
        ]);
        let each = select(vec!["all", "exists", "exists_one", "map", "filter"]);
        prop_oneof![
            4 => (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            2 => (call, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            2 => (inner.clone(), member.clone(), inner.clone()).prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
            1 => (inner.clone(), member).prop_map(|(a, f)| format!("{a}.{f}()")),
            1 => (inner.clone(), each, inner.clone()).prop_map(|(a, f, b)| format!("{a}.{f}(x, {b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}

/// Words of the language in no order, and what is none.
fn soup() -> impl Strategy<Value = String> {
    let word = select(WORDS);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("CHANCERY_LAWS").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_text_makes_the_compiler_panic_or_hang(text in prop_oneof![soup(), any::<String>(), expressions()]) {
        let start = Instant::now();
        let _ = Condition::compile(&text);
        prop_assert!(start.elapsed() < Duration::from_secs(2), "{text}");
    }

    #[test]
    fn nothing_that_could_hold_is_refused_as_never_true_or_false(text in expressions()) {
        if let Err(BadCondition::NeverBool(what)) = Condition::compile(&text) {
            let expression = PrattParser::new().parse(&text).unwrap();
            let came = cel::Value::resolve(&expression, view().context());
            prop_assert!(!matches!(came, Ok(cel::Value::Bool(_))), "{text} is no {what}");
        }
    }

    #[test]
    fn no_condition_panics_or_runs_long(text in expressions()) {
        if let Ok(condition) = Condition::compile(&text) {
            let start = Instant::now();
            let _ = condition.holds(&view());
            prop_assert!(start.elapsed() < Duration::from_secs(2), "{text}");
        }
    }
}

#[test]
fn the_deepest_condition_needs_little_stack() {
    let deepest = std::thread::Builder::new().stack_size(1024 * 1024).spawn(|| {
        for (open, close) in
            [("(", ")"), ("!", ""), ("[", "]"), ("size(", ")"), ("true ? true : ", ""), ("-", "")]
        {
            for times in 1..400 {
                let text = format!("{}true{}", open.repeat(times), close.repeat(times));
                if let Ok(condition) = Condition::compile(&text) {
                    let _ = condition.holds(&view());
                }
            }
        }
        for between in ["-", ".a", "&&", "||", "+1+", "[0]", ".size()", " in ", "==", "*"] {
            for times in 1..400 {
                let text = format!("context.a{}", format!("{between}1").repeat(times));
                if let Ok(condition) = Condition::compile(&text) {
                    let _ = condition.holds(&view());
                }
            }
        }
    });
    deepest.unwrap().join().unwrap();
}
