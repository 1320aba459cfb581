//! Functions of a program that embeds the host, for its scripts.

use rhai::{FuncRegistration, Module, RhaiNativeFunc, Variant};

use super::catalog::Type;
use super::host::Host;

impl Host {
    /// Adds a function of the program. Scripts call it by its name, and it stands in help, in
    /// completion and in the hints of errors like avec's own: `parameters` are the names of its
    /// arguments, and `doc` says what it does, as markdown.
    ///
    /// Arguments and result are types that are cheap to clone: `i64`, `f64`, `bool`, `&str`,
    /// `rhai::Array`, `rhai::Map`, avec's own such as
    /// [`HookedTransformer`](crate::model::HookedTransformer), or the program's. A first
    /// argument `&mut T` makes a method of `T`. A function that can fail gives a
    /// `Result<_, Box<rhai::EvalAltResult>>`; an [`Error`](crate::error::Error) of avec becomes one
    /// with `?`.
    ///
    /// ```
    /// use avec::report::Painter;
    /// use avec::script::{Host, Output, Session};
    /// use avec::model::HookedTransformer;
    ///
    /// let output = Output::new(Box::new(std::io::stdout()), 80, Painter::plain());
    /// let mut host = Host::new(Session::new(output));
    /// host.register(
    ///     "middle_layer",
    ///     ["model"],
    ///     "The number of the block in the middle of a model.",
    ///     |model: &mut HookedTransformer| (model.arch().n_layers / 2) as i64,
    /// );
    /// let script = "let layer = load_model(\"demo\").middle_layer();";
    /// assert!(host.run_text("middle", script).is_ok());
    /// assert_eq!(host.get::<i64>("layer"), Some(2));
    /// let catalog = host.catalog();
    /// let form = &catalog.forms("middle_layer")[0];
    /// assert_eq!(form.to_string(), "middle_layer(model: Model) -> integer");
    /// ```
    pub fn register<A: 'static, const N: usize, const X: bool, R, const F: bool>(
        &mut self,
        name: &str,
        parameters: [&str; N],
        doc: &str,
        function: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    ) -> &mut Self
    where
        R: Variant + Clone,
    {
        // The types of the arguments rhai knows by itself; the last is the result's.
        let returns = Type::of_rust::<R>();
        let info = parameters.iter().copied().chain([returns.name()]);
        let comments = doc.lines().map(|line| format!("/// {line}"));
        let mut module = Module::new();
        FuncRegistration::new(name)
            .in_global_namespace()
            .with_params_info(info)
            .with_comments([comments.collect::<Vec<_>>().join("\n")])
            .set_into_module(&mut module, function);
        self.add(module);
        self
    }
}
