//! The catalogue of a whole engine.

use super::Type;
use crate::report::Painter;
use crate::script::{Host, Output, Session};

fn host() -> Host {
    let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
    Host::new(Session::new(output))
}

/// A type that is missing in the table would have a Rust name in what scripts are shown.
#[test]
fn all_types_of_avec_s_functions_are_known() {
    for function in host().catalog().functions() {
        for form in &function.forms {
            let types = form.parameters.iter().map(|parameter| &parameter.kind);
            for kind in types.chain([&form.returns]) {
                assert!(kind.is_known(), "{kind} in {form}");
            }
            assert!(form.parameters.iter().all(|p| !p.name.is_empty()), "{form}");
        }
    }
}

/// An option of sampling is an option of all that generates.
#[test]
fn shared_options_are_everywhere() {
    let catalog = host().catalog();
    let names = |function: &str| -> Vec<&str> {
        let options = &catalog.get(function).unwrap().options;
        options.iter().map(|option| option.name).collect()
    };
    let generate = &names("generate")[1..];
    assert!(generate.contains(&"top_p"));
    for function in [
        "gen_using_model",
        "gen_using_activation_additions",
        "n_comparisons",
        "print_n_comparisons",
    ] {
        assert!(names(function).ends_with(generate), "{function}");
    }
}

#[test]
fn forms_are_data_and_read_well() {
    let catalog = host().catalog();
    let forms = |name: &str| -> Vec<String> {
        let forms = catalog.forms(name).iter();
        forms.map(ToString::to_string).collect()
    };
    assert_eq!(
        forms("to_tokens"),
        [
            "to_tokens(model: Model, text: string) -> array",
            "to_tokens(model: Model, text: string, options: object map) -> array"
        ]
    );
    assert_eq!(forms("n_layers"), ["model: Model.n_layers"]);
    assert_eq!(catalog.forms("n_layers")[0].returns, Type::INTEGER);
    assert_eq!(forms("nothing"), [""; 0]);
    assert_eq!(
        catalog.returns(Some("Model"), "logits", false),
        Some("Tensor")
    );
    // A cache's is a property.
    assert_eq!(catalog.returns(Some("Cache"), "logits", false), None);
    assert_eq!(
        catalog.returns(Some("Cache"), "logits", true),
        Some("Tensor")
    );
}

/// What a program registers stands beside avec's own.
#[test]
fn a_program_s_function_is_in_the_catalogue() {
    let mut host = host();
    host.register(
        "times",
        ["text", "n"],
        "A text several times.\n\nAnd no more.",
        |text: &str, n: i64| text.repeat(n.max(0) as usize),
    );
    let again = host.afresh();
    for host in [&host, &again] {
        let catalog = host.catalog();
        let function = catalog.get("times").unwrap();
        assert_eq!(
            function.forms[0].to_string(),
            "times(text: string, n: integer) -> string"
        );
        assert_eq!(function.doc, "A text several times.\n\nAnd no more.");
        assert!(catalog.overview().contains("  A text several times.\n"));
        assert!(
            catalog
                .definitions()
                .contains("fn times(text: String, n: int) -> String;")
        );
    }
    assert!(host.run_text("x", "let x = times(\"ab\", 2);").is_ok());
    assert_eq!(host.get::<String>("x").as_deref(), Some("abab"));
}

#[test]
fn variables_are_the_run_s_own() {
    let mut host = host();
    host.set("x", 2_i64).set("x", 3_i64);
    assert!(host.run_text("one", "x += 1; let y = x;").is_ok());
    assert_eq!(host.get::<i64>("y"), Some(4));
    assert_eq!(host.get::<f64>("y"), None);
    assert!(host.run_text("two", "let z = x; throw \"no\";").is_err());
    assert_eq!(
        (host.get::<i64>("z"), host.get::<i64>("y")),
        (Some(3), None)
    );
    assert!(host.run_text("three", "y").is_err());
}
