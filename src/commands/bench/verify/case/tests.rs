use super::*;
use serde_json::json;

fn refusal(value: &Value) -> String {
    parse(&value.to_string(), "f/case.json").unwrap_err().to_string()
}

fn one(case: Value) -> Value {
    json!({ "cases": [case] })
}

fn good() -> Value {
    json!({
        "name": "a",
        "command": ["convolve", "{case}/in.npy", "-o", "{out}/out.npy", "--kernel", "{case}/k.npy"],
        "expect": [{"output": "out.npy", "expected": "expected.npy", "rtol": 1e-9}],
    })
}

#[test]
fn a_case_is_read_and_written_back() {
    let families = parse(&one(good()).to_string(), "f").unwrap();
    let case = &families[0].runs[0];
    assert_eq!((case.exit, case.expect[0].rtol, case.expect[0].atol), (0, 1e-9, 0.0));
    assert_eq!(serde_json::to_value(case).unwrap(), good());
    let mut null = good();
    null["expect"] = json!([{"output": "summary.json", "pointer": "/x", "equals": null}]);
    assert_eq!(parse(&one(null).to_string(), "f").unwrap()[0].runs[0].expect[0].equals, Some(Value::Null));
}

#[test]
fn lists_make_runs_of_one_case() {
    let mut case = good();
    case["name"] = json!("a {mode}");
    case["each"] = json!(["modes"]);
    case["expect"][0]["expected_take"] = json!([{"part": ["{at}"]}]);
    let file =
        json!({"lists": {"modes": [{"mode": "nan", "at": 0}, {"mode": "wrap", "at": 1}]}, "cases": [case]});
    let families = parse(&file.to_string(), "f").unwrap();
    let names: Vec<&str> = families[0].runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!((families[0].name.as_str(), names), ("a {mode}", vec!["a nan", "a wrap"]));
    assert_eq!(families[0].runs[1].expect[0].expected_take, [Step::Part(vec![1])]);
}

#[test]
fn bad_files_are_refused_with_the_place_in_them() {
    assert!(parse("{", "f/case.json").unwrap_err().to_string().starts_with("f/case.json: found text that"));
    for (file, part) in [
        (json!({}), "f/case.json: found no cases"),
        (json!({"cases": []}), "no cases"),
        (json!({"cases": [good(), good()]}), "/cases: found the name 'a' twice"),
        (json!({"cases": [good()], "lists": []}), "/lists: found no object"),
    ] {
        assert!(refusal(&file).contains(part), "{}", refusal(&file));
    }
    let change = |pointer: &str, value: Value| {
        let mut case = good();
        match case.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                case.pointer_mut(parent).unwrap()[key] = value;
            }
        }
        refusal(&one(case))
    };
    for (pointer, value, parts) in [
        ("/name", json!(""), ["/cases/0: found", "without a name"]),
        ("/nmae", json!("a"), ["/cases/0: found", "unknown field `nmae`"]),
        ("/command", json!(["bench"]), ["/cases/0: found", "the command 'bench'"]),
        ("/command/1", json!("{input}/x"), ["/cases/0: found", "{input} in '{input}/x'"]),
        ("/command/3", json!("/etc/x.npy"), ["/cases/0: found", "temporary folder"]),
        ("/exit", json!(-1), ["/cases/0: found", "expected"]),
        ("/expect", json!({}), ["/cases/0/expect: found", "no list"]),
        ("/expect", json!([]), ["/cases/0: found", "nothing expected"]),
        ("/expect/0/rtoll", json!(1), ["/cases/0/expect/0: found", "unknown field `rtoll`"]),
        ("/expect/0/rtol", json!(-1), ["/cases/0/expect/0: found", "rtol -1"]),
        ("/expect/0/equals", json!(1), ["/cases/0/expect/0: found", "\"equals\""]),
        ("/expect/0/pointer", json!("/x"), ["/cases/0/expect/0: found", ".json file"]),
        ("/expect/0/output", json!("../x.npy"), ["/cases/0/expect/0: found", "without .."]),
        ("/expect/0/take", json!([{"parts": [1]}]), ["/cases/0/expect/0: found", "unknown variant"]),
        ("/each", json!(["none"]), ["/cases/0/each: found", "/lists/none"]),
    ] {
        let message = change(pointer, value);
        assert!(parts.iter().all(|part| message.contains(part)), "{pointer}: {message}");
        assert_eq!(message.lines().count(), 1);
    }
}

#[test]
fn outputs_are_found_however_they_are_spelt() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for text in ["decode a -o x.nc", "decode --output x.nc a", "decode --output=x.nc a", "decode -ox.nc"] {
        assert_eq!(output_of(&words(text)), Some("x.nc"), "{text}");
    }
    assert_eq!(output_of(&words("decode a -- -o x")), None);
}
