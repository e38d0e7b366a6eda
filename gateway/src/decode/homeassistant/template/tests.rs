use super::*;

fn render(template: &str, payload: &str) -> Result<String, String> {
    let json = serde_json::from_str(payload).ok();
    match Template::parse(template).map_err(|e| format!("unsupported: {e}"))?.render(payload, json.as_ref())? {
        Rendered::Text(text) => Ok(text),
        Rendered::Nothing => Ok("(nothing)".to_owned()),
    }
}

/// Templates as integrations publish them, or as the Home Assistant documentation prints them.
#[test]
fn common_templates() {
    for (template, payload, want) in [
        ("{{ value_json.temperature }}", r#"{"temperature":23.4}"#, "23.4"),
        ("{{ value_json['ENERGY']['Power'] }}", r#"{"ENERGY":{"Power":12}}"#, "12"),
        ("{{ value_json[\"battery\"] }}", r#"{"battery":100}"#, "100"),
        ("{{ value_json.a.b[0] }}", r#"{"a":{"b":[1.5,2]}}"#, "1.5"),
        ("{{ value_json.a.b[-1] }}", r#"{"a":{"b":[1.5,2]}}"#, "2"),
        ("{{ value }}", "21.5", "21.5"),
        ("{{value|float|round(1)}}", "21.55", "21.6"),
        ("{{ value_json.tempc | is_defined }}", r#"{"tempc":20.1}"#, "20.1"),
        ("{{ value_json.tempc | is_defined }}", r#"{"tempf":20.1}"#, "(nothing)"),
        ("{{ value_json.a.b }}", r#"{"x":1}"#, "(nothing)"),
        ("{{ value_json.a }}", "not json", "(nothing)"),
        ("{{ value_json.x | default(5) }}", "{}", "5"),
        ("{{ value_json.x.y | default('none yet') }}", "{}", "none yet"),
        ("{{ value_json.x | float(0) }}", "{}", "0"),
        ("{{ value_json.x | float(default=1.5) }}", r#"{"x":"n/a"}"#, "1.5"),
        ("{{ value_json.x | int }}", r#"{"x":"12.9"}"#, "12"),
        ("{{ 'ON' if value_json.door == 'open' else 'OFF' }}", r#"{"door":"open"}"#, "ON"),
        ("{{ 'ON' if value_json.alarm else 'OFF' }}", r#"{"alarm":false}"#, "OFF"),
        ("{% if value_json.state == 1 %}ON{% else %}OFF{% endif %}", r#"{"state":1}"#, "ON"),
        ("{%- if value == 'a' -%} x {%- elif value == 'b' -%} y {%- endif -%}", "b", "y"),
        ("{{ value_json.mv / 1000 }}", r#"{"mv":2985}"#, "2.985"),
        ("{{ (value_json.f - 32) * 5 / 9 }}", r#"{"f":212}"#, "100.0"),
        ("{{ (float(value|int) * 3.6) | round(2) }}", "10", "36.0"),
        ("{{ value_json.v * 0.1 + 2 }}", r#"{"v":10}"#, "3.0"),
        ("{{ -value_json.v }}", r#"{"v":3}"#, "-3"),
        ("{{ value_json.v | multiply(0.001) }}", r#"{"v":1500}"#, "1.5"),
        ("{{ value_json['temperature:0'].tC }}", r#"{"temperature:0":{"tC":19.2}}"#, "19.2"),
        ("{{ value_json.get('a', 7) }}", "{}", "7"),
        ("{{ value.split(',')[1] }}", "1,22,3", "22"),
        ("{{ value[0:2] }}", "abcdef", "ab"),
        ("{{ value | upper }}", "on", "ON"),
        ("{{ value.lower() == 'on' }}", "ON", "True"),
        ("{{ {'0':'OFF','1':'ON'}[value] }}", "1", "ON"),
        ("{{ value in ['a','b'] }}", "b", "True"),
        ("{{ value_json.x is defined }}", "{}", "False"),
        ("{{ value_json.a.b is defined and value_json.a.b > 3 }}", "{}", "False"),
        ("{% set t = value_json.t %}{{ t * 2 }}", r#"{"t":4}"#, "8"),
        ("{{ iif(value_json.on, 'ON', 'OFF') }}", r#"{"on":true}"#, "ON"),
        ("{# a comment #}{{ value }}", "7", "7"),
        ("{{ value_json.flags | bitwise_and(4) > 0 }}", r#"{"flags":6}"#, "True"),
        ("{{ value_json.x }}", r#"{"x":null}"#, "(nothing)"),
        ("{{ value_json.x }}", r#"{"x":true}"#, "True"),
        ("{{ value | replace('a', 'b') }}", "aXa", "bXb"),
        ("{{ [value_json.a, value_json.b] | max }}", r#"{"a":1,"b":2}"#, "2.0"),
        ("{{ '%0.1f'|format(value_json.t|float) }}", r#"{"t":21.57}"#, "21.6"),
        ("{{ \"%d %s%%\" | format(value_json.t, 'x') }}", r#"{"t":21.57}"#, "21 x%"),
        ("{{ '{:.2f}'.format(value_json.t) }}", r#"{"t":21.5}"#, "21.50"),
        ("{{ value_json.t | default(states('sensor.x')) }}", r#"{"t":3}"#, "3"),
        ("{{ value_json.t | default(states('sensor.x')) }}", "{}", "(nothing)"),
        ("{%if \"overtemp\" in value_json.get(\"errors\",[])%}ON{%else%}OFF{%endif%}", r#"{"errors":["overtemp"]}"#, "ON"),
        ("online", "anything", "online"),
        ("", "anything", "(nothing)"),
    ] {
        assert_eq!(render(template, payload).as_deref(), Ok(want), "{template} of {payload}");
    }
}

#[test]
fn what_is_not_understood_is_named() {
    for (template, says) in [
        ("{{ value | timestamp_local }}", "timestamp_local"),
        ("{{ now() }}", "now"),
        ("{% for x in value_json %}{{ x }}{% endfor %}", "`for`"),
        ("{{ value", "`}}` is missing"),
        ("{{ value + }}", "missing"),
        ("{% if value %}", "endif"),
        ("{% endif %}", "without its `if`"),
        ("{{ 'x }}", "does not end"),
    ] {
        let reason = Template::parse(template).unwrap_err().to_string();
        assert!(reason.contains(says), "{template}: {reason}");
    }
    for (template, payload, says) in [
        ("{{ value | float }}", "unavailable", "no number"),
        ("{{ value_json }}", r#"{"a":1}"#, "list or an object"),
        ("{{ value_json.x / 0 }}", r#"{"x":1}"#, "zero"),
        ("{{ value > 3 }}", "5", "| float"),
    ] {
        let reason = render(template, payload).unwrap_err();
        assert!(reason.contains(says), "{template}: {reason}");
    }
}

#[test]
fn a_template_cannot_take_the_machine() {
    let doubling = format!("{{% set a = value %}}{}{{{{ a }}}}", "{% set a = a ~ a %}".repeat(60));
    assert!(render(&doubling, "x").unwrap_err().contains("too long"));
    let lists = format!("{{% set a = [value] %}}{}{{{{ a[0] }}}}", "{% set a = [a, a, a] %}".repeat(40));
    assert!(render(&lists, "x").unwrap_err().contains("too long"));
    let growing = "{{ value | replace('a', value) | replace('a', value) | replace('a', value) }}";
    assert!(render(growing, &"a".repeat(1000)).unwrap_err().contains("too long"));
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(1000), ")".repeat(1000));
    assert!(Template::parse(&deep).is_err());
    let long = format!("{{{{ 1{} }}}}", "+1".repeat(1000));
    assert!(Template::parse(&long).is_err());
    let nots = format!("{{{{ {} 1 }}}}", "not ".repeat(900));
    assert!(Template::parse(&nots).is_err());
}

proptest::proptest! {
    #[test]
    fn never_panics(
        template in "(\\{\\{|\\{%|\\}\\}|%\\}|value|_json|\\.a|\\[|\\]|\\(|\\)|'|\"| if | else |set x=|endif|float|\\||round|-|\\*\\*|//|%|9{1,20}|\\PC){0,24}",
        payload in "(\\{\"a\":|\\}|-?[0-9]{0,20}|\\[|\\]|\\PC){0,6}",
    ) {
        let _ = render(&template, &payload);
    }
}
