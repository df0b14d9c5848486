//! What a form finds, rule by rule. The protos are compiled here, the bytes written by hand.

use super::sample::{CALL, bytes, number, pool, pool_with, varint};
use super::*;

fn forms(ask: &str) -> Forms {
    Forms::compile(&pool(ask)).unwrap()
}

fn refused(ask: &str) -> String {
    Forms::compile(&pool(ask)).unwrap_err().to_string()
}

/// The faults as `path: why`.
fn faults(forms: &Forms, message: impl AsRef<[u8]>) -> Vec<String> {
    let form = forms.inspect(CALL, message.as_ref(), false).unwrap();
    assert!(form.fields.is_empty());
    form.faults.into_iter().map(|fault| format!("{}: {}", fault.field, fault.why)).collect()
}

/// The faults of an `Ask` with the one field `a` of number 1.
fn told(field: &str, message: impl AsRef<[u8]>) -> Vec<String> {
    faults(
        &forms(&format!(
            "enum Kind {{ KIND_UNSPECIFIED = 0; USER = 1; BOT = 2; }} message Ask {{ {field}; }}"
        )),
        message,
    )
}

const NONE: [&str; 0] = [];

#[test]
fn a_method_that_does_not_exist_has_no_form() {
    let forms = forms("message Ask {}");
    assert!(forms.inspect("/test.v1.Service/Nope", &[], false).is_none());
    assert!(forms.inspect("test.v1.Service/Call", &[], false).is_none());
    assert_eq!(forms.inspect(CALL, &[], true), Some(Form::default()));
}

#[test]
fn lengths_of_texts_count_characters() {
    let field = "string a = 1 [(buf.validate.field).string = {min_len: 2, max_len: 3}]";
    assert_eq!(told(field, bytes(1, "äöü")), NONE);
    assert_eq!(told(field, bytes(1, "ä")), ["a: must be at least 2 characters"]);
    assert_eq!(told(field, bytes(1, "äöüß")), ["a: must be at most 3 characters"]);
    assert_eq!(told(field, ""), ["a: must be at least 2 characters"]);
    let field = "string a = 1 [(buf.validate.field).string = {min_bytes: 1, max_bytes: 3}]";
    assert_eq!(told(field, bytes(1, "äö")), ["a: must be at most 3 bytes"]);
    assert_eq!(told(field, bytes(1, "")), ["a: must not be empty"]);
    let field = "bytes a = 1 [(buf.validate.field).bytes = {min_len: 2, max_len: 3}]";
    assert_eq!(told(field, bytes(1, [0xff, 0xfe])), NONE);
    assert_eq!(told(field, bytes(1, [0xff])), ["a: must be at least 2 bytes"]);
    assert_eq!(told(field, bytes(1, [0; 4])), ["a: must be at most 3 bytes"]);
}

#[test]
fn shapes_of_texts_are_told_without_the_text() {
    for (rule, good, bad, why) in [
        ("email = true", "a@b.c", "a@b@c", "is not a valid email address"),
        ("uuid = true", "0190163d-8694-739b-aea5-966c26f8ad91", "0190163d", "is not a valid UUID"),
        ("prefix = \"ab\"", "abc", "bab", "must begin with `ab`"),
        ("const = \"ab\"", "ab", "abc", "must be `ab`"),
        ("pattern = \"^acc_[0-9a-z]{3}$\"", "acc_1zz", "acc_1ZZ", "must look like acc_…"),
        ("pattern = \"^[a-z]+$\"", "abc", "a b", "must match `^[a-z]+$`"),
    ] {
        let field = format!("string a = 1 [(buf.validate.field).string.{rule}]");
        let forms = forms(&format!("message Ask {{ {field}; }}"));
        assert_eq!(faults(&forms, bytes(1, good)), NONE, "{rule}");
        assert_eq!(faults(&forms, bytes(1, bad)), [format!("a: {why}")], "{rule}");
        assert_eq!(faults(&forms, ""), [format!("a: {why}")], "{rule}");
    }
    let field = "string a = 1 [(buf.validate.field).string = {in: [\"x\", \"y\"]}]";
    assert_eq!(told(field, bytes(1, "y")), NONE);
    assert_eq!(told(field, bytes(1, "z")), ["a: must be one of `x`, `y`"]);
}

#[test]
fn a_rule_that_says_false_asks_for_nothing() {
    assert_eq!(
        told(
            "string a = 1 [(buf.validate.field).string = {email: false, ip: false}]",
            bytes(1, "x")
        ),
        NONE
    );
    assert_eq!(
        told("Kind a = 1 [(buf.validate.field).enum.defined_only = false]", number(1, 7)),
        NONE
    );
    assert_eq!(
        told("repeated string a = 1 [(buf.validate.field).repeated.unique = false]", ""),
        NONE
    );
}

#[test]
fn numbers_keep_to_their_bounds() {
    let minus = |n: i64| n.cast_unsigned();
    let field = "int32 a = 1 [(buf.validate.field).int32 = {gte: -2, lt: 5}]";
    assert_eq!(told(field, number(1, minus(-2))), NONE);
    assert_eq!(told(field, number(1, minus(-3))), ["a: must be at least -2"]);
    assert_eq!(told(field, number(1, 5)), ["a: must be at most 4"]);
    let field = "int64 a = 1 [(buf.validate.field).int64 = {gt: 0, lte: 5}]";
    assert_eq!(told(field, number(1, 5)), NONE);
    assert_eq!(told(field, ""), ["a: must be at least 1"]);
    let field = "uint32 a = 1 [(buf.validate.field).uint32.lte = 5]";
    assert_eq!(told(field, number(1, 6)), ["a: must be at most 5"]);
    let field = "uint64 a = 1 [(buf.validate.field).uint64.gte = 18446744073709551615]";
    assert_eq!(told(field, number(1, u64::MAX)), NONE);
    assert_eq!(told(field, number(1, u64::MAX - 1)), ["a: must be at least 18446744073709551615"]);
}

#[test]
fn an_enum_may_have_to_be_known() {
    let field = "Kind a = 1 [(buf.validate.field).enum.defined_only = true]";
    assert_eq!(told(field, number(1, 2)), NONE);
    assert_eq!(told(field, ""), NONE);
    assert_eq!(told(field, number(1, 3)), ["a: must be one of `USER`, `BOT`"]);
    assert_eq!(told("Kind a = 1", number(1, 3)), NONE);
}

#[test]
fn required_means_set_or_not_zero() {
    let required = |field: &str| format!("{field} a = 1 [(buf.validate.field).required = true]");
    for field in [
        "string",
        "bytes",
        "int32",
        "bool",
        "Kind",
        "optional string",
        "Answer",
        "repeated string",
        "repeated int32",
        "map<string, string>",
    ] {
        assert_eq!(told(&required(field), ""), ["a: is required"], "{field}");
    }
    assert_eq!(told(&required("string"), bytes(1, "")), ["a: is required"]);
    assert_eq!(told(&required("optional string"), bytes(1, "")), NONE);
    assert_eq!(told(&required("Answer"), bytes(1, "")), NONE);
    assert_eq!(told(&required("repeated int32"), bytes(1, "")), ["a: is required"]);
    assert_eq!(told(&required("repeated string"), bytes(1, "")), NONE);
}

#[test]
fn rules_are_judged_on_zero_only_where_it_is_a_value() {
    let rule = "(buf.validate.field).string.min_len = 3";
    let zero = "(buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE";
    let always = "(buf.validate.field).ignore = IGNORE_ALWAYS";
    let why = ["a: must be at least 3 characters"];
    assert_eq!(told(&format!("string a = 1 [{rule}]"), ""), why);
    assert_eq!(told(&format!("string a = 1 [{rule}, {zero}]"), ""), NONE);
    assert_eq!(told(&format!("string a = 1 [{rule}, {zero}]"), bytes(1, "")), NONE);
    assert_eq!(told(&format!("string a = 1 [{rule}, {zero}]"), bytes(1, "x")), why);
    assert_eq!(told(&format!("string a = 1 [{rule}, {always}]"), bytes(1, "x")), NONE);
    assert_eq!(told(&format!("optional string a = 1 [{rule}]"), ""), NONE);
    assert_eq!(told(&format!("optional string a = 1 [{rule}]"), bytes(1, "")), why);
    assert_eq!(told(&format!("optional string a = 1 [{rule}, {zero}]"), bytes(1, "")), NONE);
    assert_eq!(told(&format!("oneof o {{ string a = 1 [{rule}]; string b = 2; }}"), ""), NONE);
    assert_eq!(
        told(&format!("oneof o {{ string a = 1 [{rule}]; string b = 2; }}"), bytes(1, "")),
        why
    );
    let least = "(buf.validate.field).repeated.min_items = 2";
    assert_eq!(
        told(&format!("repeated string a = 1 [{least}]"), ""),
        ["a: must have at least 2 items"]
    );
    assert_eq!(told(&format!("repeated string a = 1 [{least}, {zero}]"), ""), NONE);
    assert_eq!(
        told(&format!("repeated string a = 1 [{least}, {zero}]"), bytes(1, "")),
        ["a: must have at least 2 items"]
    );
}

#[test]
fn lists_are_judged_as_a_whole_and_by_item() {
    let field = "repeated string a = 1 [(buf.validate.field).repeated = {min_items: 1, max_items: 2, unique: true, items: {string: {max_len: 2}}}]";
    let list = |items: &[&str]| items.iter().flat_map(|item| bytes(1, item)).collect::<Vec<_>>();
    assert_eq!(told(field, list(&["a", "b"])), NONE);
    assert_eq!(told(field, ""), ["a: must not be empty"]);
    assert_eq!(told(field, list(&["a", "b", "c"])), ["a: must have at most 2 items"]);
    assert_eq!(told(field, list(&["a", "a"])), ["a: must not hold the same item twice"]);
    assert_eq!(told(field, list(&["a", "bcd"])), ["a[1]: must be at most 2 characters"]);
    let field = "repeated string a = 1 [(buf.validate.field).repeated.items = {ignore: IGNORE_IF_ZERO_VALUE, string: {min_len: 2}}]";
    assert_eq!(told(field, list(&["", "a"])), ["a[1]: must be at least 2 characters"]);
}

#[test]
fn packed_and_single_items_are_one_list() {
    let field = "repeated int32 a = 1 [(buf.validate.field).repeated = {max_items: 40, unique: true, items: {int32: {gte: 0}}}]";
    let mixed = [number(1, 1), bytes(1, [2, 3]), number(1, 4)].concat();
    assert_eq!(told(field, &mixed), NONE);
    assert_eq!(
        told(field, [mixed, bytes(1, [5, 3])].concat()),
        ["a: must not hold the same item twice"]
    );
    let minus = varint(u64::MAX);
    assert_eq!(told(field, [number(1, 1), bytes(1, minus)].concat()), ["a[1]: must be at least 0"]);
    let many: Vec<u8> = (0..40).collect();
    assert_eq!(told(field, bytes(1, &many)), NONE);
    let twice: Vec<u8> = (0..39).chain([20]).collect();
    assert_eq!(told(field, bytes(1, &twice)), ["a: must not hold the same item twice"]);
}

#[test]
fn messages_within_are_judged_where_they_are() {
    let forms = forms(
        "message Ask { User user = 1; repeated User users = 2; map<string, User> named = 3;
            User quiet = 4 [(buf.validate.field).ignore = IGNORE_ALWAYS]; }
         message User { string id = 1 [(buf.validate.field).required = true]; repeated string roles = 2
            [(buf.validate.field).repeated.items.string.min_len = 1]; User boss = 3; }",
    );
    assert_eq!(faults(&forms, ""), NONE);
    let user = [bytes(1, "x"), bytes(2, "r"), bytes(2, "")].concat();
    assert_eq!(faults(&forms, bytes(1, &user)), ["user.roles[1]: must not be empty"]);
    let boss = [bytes(1, "x"), bytes(3, "")].concat();
    assert_eq!(faults(&forms, bytes(1, boss)), ["user.boss.id: is required"]);
    assert_eq!(
        faults(&forms, [bytes(2, bytes(1, "x")), bytes(2, "")].concat()),
        ["users[1].id: is required"]
    );
    assert_eq!(faults(&forms, bytes(4, &user)), NONE);
    let entry = [bytes(1, "k"), bytes(2, &user)].concat();
    assert_eq!(faults(&forms, bytes(3, entry)), ["named[0].value.roles[1]: must not be empty"]);
    assert_eq!(faults(&forms, bytes(3, bytes(1, "k"))), ["named[0].value.id: is required"]);
    // Not judged, but still read: the decoder will read it too.
    assert_eq!(faults(&forms, bytes(4, number(1, 1))), ["quiet.id: has the wrong type"]);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let forms = forms(
        "message Ask { string a = 1; optional string b = 2; oneof which { string c = 3; Ask d = 4; } repeated string e = 5; }",
    );
    let twice = |field: Vec<u8>| [field.clone(), field].concat();
    let differs = |number| [bytes(number, "x"), bytes(number, "y")].concat();
    assert_eq!(faults(&forms, differs(1)), ["a: is given more than once"]);
    assert_eq!(
        faults(&forms, [bytes(1, "x"), bytes(1, "")].concat()),
        ["a: is given more than once"]
    );
    assert_eq!(faults(&forms, differs(2)), ["b: is given more than once"]);
    assert_eq!(faults(&forms, differs(3)), ["c: is given more than once"]);
    assert_eq!(faults(&forms, twice(bytes(4, ""))), ["d: is given more than once"]);
    assert_eq!(faults(&forms, twice(bytes(5, "x"))), NONE);
    let both = [bytes(3, "x"), bytes(4, "")].concat();
    assert_eq!(faults(&forms, both), ["d: cannot be given together with `c`"]);
    assert_eq!(faults(&forms, bytes(4, differs(1))), ["d.a: is given more than once"]);
}

#[test]
fn the_same_value_may_be_given_twice_and_not_three_times() {
    let forms = forms(
        "message Ask { string a = 1; Ask b = 2; oneof which { string c = 3; string d = 4; } }",
    );
    let times = |count: usize, field: Vec<u8>| field.repeat(count);
    for field in [bytes(1, "x"), bytes(1, ""), bytes(3, "x")] {
        assert_eq!(faults(&forms, times(2, field.clone())), NONE);
        assert_eq!(faults(&forms, times(3, field)).len(), 1);
    }
    assert_eq!(faults(&forms, bytes(2, times(2, bytes(1, "x")))), NONE);
    let rivals = [times(2, bytes(3, "x")), bytes(4, "x")].concat();
    assert_eq!(faults(&forms, rivals), ["d: cannot be given together with `c`"]);
}

#[test]
fn bytes_that_are_no_message_are_told_where_they_are() {
    let forms = forms(
        "message Ask { string a = 1; Ask b = 2; repeated fixed32 c = 3; uint32 far = 3000; }",
    );
    let short = "is not valid protobuf: it ends in the middle of a field";
    assert_eq!(faults(&forms, [10, 9]), [format!(": {short}")]);
    assert_eq!(faults(&forms, bytes(2, [10, 9])), [format!("b: {short}")]);
    assert_eq!(faults(&forms, bytes(3, [0, 0, 0, 0, 1])), [format!("c[1]: {short}")]);
    assert_eq!(faults(&forms, bytes(1, [0xff])), ["a: is not valid UTF-8"]);
    assert_eq!(faults(&forms, number(1, 1)), ["a: has the wrong type"]);
    assert_eq!(faults(&forms, number(2, 1)), ["b: has the wrong type"]);
    assert_eq!(faults(&forms, number(3, 1)), ["c[0]: has the wrong type"]);
    assert_eq!(faults(&forms, bytes(3000, "x")), ["far: has the wrong type"]);
    assert_eq!(faults(&forms, number(3000, 1)), NONE);
    assert_eq!(faults(&forms, [number(4, 1), bytes(299, "x"), number(3001, 1)].concat()), NONE);
    assert_eq!(faults(&forms, [35, 36]), [": has a group, which is not supported"]);
}

#[test]
fn neither_depth_nor_number_of_faults_grows_with_the_message() {
    let forms = forms(
        "message Ask { Ask a = 1; repeated string b = 2 [(buf.validate.field).repeated.items.string.min_len = 1]; }",
    );
    let deep = |levels: usize| (1..levels).fold(Vec::new(), |inner, _| bytes(1, inner));
    assert_eq!(faults(&forms, deep(32)), NONE);
    let told = faults(&forms, deep(33));
    assert!(told.len() == 1 && told[0].ends_with(".a: is nested too deeply"), "{told:?}");
    assert_eq!(faults(&forms, bytes(2, "").repeat(1000)).len(), 32);
}

#[test]
fn facts_are_kept_three_names_deep() {
    let forms = forms(
        "message Ask { User user = 1; google.protobuf.FieldMask update_mask = 2; optional bool cascade = 3;
            google.protobuf.Struct extra = 4; repeated User more = 5; map<string, User> by = 6; double d = 7; }
         message User { string id = 1; int64 age = 2; bytes key = 3; User boss = 4; repeated sint32 n = 5; }",
    );
    let boss = bytes(4, [bytes(1, "usr_2"), bytes(4, bytes(1, "usr_3"))].concat());
    let user = [bytes(1, "usr_1"), number(2, 0), bytes(3, [0xff]), boss, bytes(5, [1, 2])].concat();
    let message = [
        bytes(1, user),
        bytes(2, [bytes(1, "email"), bytes(1, "sso")].concat()),
        number(3, 0),
        bytes(4, bytes(1, [bytes(1, "k"), bytes(2, bytes(3, "v"))].concat())),
        bytes(5, bytes(1, "x")),
        bytes(5, bytes(1, "y")),
        bytes(6, bytes(2, bytes(1, "z"))),
    ];
    let form = forms.inspect(CALL, &message.concat(), true).unwrap();
    assert_eq!(form.faults, []);
    let fields = form.fields;
    assert_eq!(fields.text("user.id"), Some("usr_1"));
    assert_eq!(fields.text("user.boss.id"), Some("usr_2"));
    assert_eq!(fields.under("user.boss"), ["id", "boss"]);
    assert_eq!(fields.under("user.boss.boss"), NONE);
    assert_eq!(fields.under("user"), ["id", "key", "boss", "n"]);
    assert_eq!(fields.texts("update_mask.paths").collect::<Vec<_>>(), ["email", "sso"]);
    assert_eq!(fields.number("cascade"), Some(0));
    assert_eq!(fields.number("user.n"), Some(-1));
    assert_eq!(fields.texts("more.id").collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(fields.under("extra"), ["fields"]);
    assert_eq!(fields.under("extra.fields"), NONE);
    assert_eq!(fields.under(""), ["user", "update_mask", "cascade", "extra", "more", "by"]);
}

#[test]
fn a_rule_that_nothing_enforces_stops_the_start() {
    let field = |field: &str| refused(&format!("message Ask {{ {field}; }}"));
    let rule = |rule: &str| format!("string a = 1 [(buf.validate.field){rule}]");
    assert_eq!(
        field(&rule(".string.ip = true")),
        "`test.v1.Ask.a` states the rule `buf.validate.StringRules.ip`, which is not supported there"
    );
    for wrong in [
        rule(".int32.gt = 1"),
        rule(".repeated.min_items = 1"),
        "int64 a = 1 [(buf.validate.field).int32.gt = 1]".into(),
        "repeated string a = 1 [(buf.validate.field).string.min_len = 1]".into(),
        "repeated string a = 1 [(buf.validate.field).repeated.items.required = true]".into(),
        "repeated double a = 1 [(buf.validate.field).repeated.unique = true]".into(),
        "repeated Answer a = 1 [(buf.validate.field).repeated.unique = true]".into(),
        "option (buf.validate.message).disabled = true".into(),
        "oneof o { option (buf.validate.oneof).required = true; string a = 1; }".into(),
    ] {
        assert!(field(&wrong).contains("is not supported"), "{wrong}");
    }
    assert!(field(&rule(".string.pattern = \"(\"")).contains("cannot be compiled"));
    assert!(
        field("int32 a = 1 [(buf.validate.field).int32 = {gt: 5, lt: 3}]").contains("can meet")
    );
    let inner = "message Ask { repeated User users = 1; } message User { string a = 1 [(buf.validate.field).string.ip = true]; }";
    assert!(refused(inner).contains("test.v1.User.a"));
}

#[test]
fn a_rule_that_could_go_unseen_stops_the_start() {
    let ask = "message Ask { int32 a = 1 [(buf.validate.field).int32.gte = 0]; }";
    let implicit = r#"
        syntax = "proto3"; package buf.validate; import "google/protobuf/descriptor.proto";
        extend google.protobuf.FieldOptions { optional FieldRules field = 1159; }
        message FieldRules { bool required = 25; oneof type { Int32Rules int32 = 3; } }
        message Int32Rules { int32 gte = 5; }
    "#;
    let error = Forms::compile(&pool_with(implicit, ask)).unwrap_err();
    assert!(error.to_string().contains("`buf.validate.Int32Rules.gte` has no presence"), "{error}");
    let other = implicit.replace("FieldRules field", "FieldRules other");
    let ask = "message Ask { int32 a = 1 [(buf.validate.other).required = true]; }";
    assert!(matches!(Forms::compile(&pool_with(&other, ask)), Err(FormError::Unread { .. })));
}

#[test]
fn a_message_that_cannot_be_kept_track_of_stops_the_start() {
    let fields = |count: usize, kind: &str| {
        let fields: Vec<String> = (1..=count).map(|n| format!("{kind} f{n} = {n};")).collect();
        format!("message Ask {{ {} }}", fields.concat())
    };
    assert!(Forms::compile(&pool(&fields(128, "string"))).is_ok());
    assert!(refused(&fields(129, "string")).contains("too many fields"));
    assert!(Forms::compile(&pool(&fields(16, "repeated string"))).is_ok());
    assert!(refused(&fields(17, "repeated string")).contains("too many repeated fields"));
}
