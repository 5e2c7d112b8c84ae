//! `#[derive(State)]` and `#[derive(Field)]`: encodings of structs, and the rules that map their versions.
//!
//! The derive runs the steps backwards over the struct's fields, so a rule that names a field which is
//! not there fails here, at the name, and not at a swap. It never looks at values; types are compared
//! by the compiler, in code that is generated for that purpose.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use std::collections::BTreeMap;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Expr, Ident, LitInt, LitStr, Result, Token, Type, parenthesized,
    token,
};

/// Entry of `#[derive(State)]`.
pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    state(&syn::parse2(item)?)
}

/// Entry of `#[derive(Field)]`.
pub(crate) fn derive_field(item: TokenStream) -> Result<TokenStream> {
    field(&syn::parse2(item)?)
}

fn field(input: &DeriveInput) -> Result<TokenStream> {
    no_generics(input)?;
    match &input.data {
        Data::Enum(data) => {
            for variant in &data.variants {
                if !matches!(variant.fields, syn::Fields::Unit) {
                    return Err(Error::new_spanned(
                        variant,
                        "a variant with data cannot be carried as state: rules map fields, and only structs have them",
                    ));
                }
            }
            let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
            Ok(enum_impl(&input.ident, &variants))
        }
        _ => Ok(struct_impl(&input.ident, &named_fields(input, "Field")?)),
    }
}

fn state(input: &DeriveInput) -> Result<TokenStream> {
    no_generics(input)?;
    let fields = named_fields(input, "State")?;
    let attributes = Attributes::of(input)?;
    let steps = Steps::check(&fields, &attributes)?;
    let encoding = struct_impl(&input.ident, &fields);
    let ident = &input.ident;
    let (kind, version) = (&attributes.kind, attributes.version);
    let descs = fields.iter().map(Named::desc);
    let Steps { schema, arms, type_checks } = steps;
    Ok(quote! {
        #encoding

        #[automatically_derived]
        impl ::s_sdk::state::State for #ident {
            fn schema() -> &'static ::s_sdk::state::Schema {
                const SCHEMA: &::s_sdk::state::Schema = &::s_sdk::state::Schema {
                    kind: #kind,
                    version: #version,
                    fields: &[#(#descs),*],
                    steps: &[#(#schema),*],
                };
                SCHEMA
            }

            fn apply(
                step: usize,
                rule: usize,
                way: ::s_sdk::state::Way,
                fields: &mut ::s_sdk::value::Fields,
            ) -> ::core::result::Result<(), ::s_sdk::value::FieldError> {
                match (step, rule, way) {
                    #(#arms)*
                    _ => {}
                }
                ::core::result::Result::Ok(())
            }
        }

        #(#type_checks)*
    })
}

// ===== Encodings =====

/// A field with its name as text and its type.
#[derive(Clone)]
struct Named {
    ident: Ident,
    name: String,
    ty: Type,
}

impl Named {
    fn new(ident: Ident, ty: Type) -> Self {
        Named { name: ident.unraw().to_string(), ident, ty }
    }

    fn desc(&self) -> TokenStream {
        let Named { name, ty, .. } = self;
        let kind = quote_spanned!(ty.span()=> <#ty as ::s_sdk::value::Field>::KIND);
        quote!(::s_sdk::value::FieldDesc { name: #name, kind: #kind })
    }
}

fn no_generics(input: &DeriveInput) -> Result<()> {
    if input.generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(
        &input.generics,
        "a state cannot be generic: another version must know its fields without knowing the type parameters",
    ))
}

/// The fields in the order of their encoding: shorter names first, then by octet (RFC 8949 §4.2.1).
fn named_fields(input: &DeriveInput, derive: &str) -> Result<Vec<Named>> {
    let Data::Struct(data) = &input.data else {
        let what = if derive == "State" {
            "`#[derive(State)]` needs a struct; put an enum without data into a field and derive `Field` for it"
        } else {
            "`#[derive(Field)]` needs a struct with named fields or an enum without data"
        };
        return Err(Error::new_spanned(&input.ident, what));
    };
    let syn::Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(
            &input.ident,
            format!(
                "`#[derive({derive})]` needs named fields: fields are mapped from version to version by name"
            ),
        ));
    };
    let named = |field: &syn::Field| Some(Named::new(field.ident.clone()?, field.ty.clone()));
    let mut fields: Vec<_> = fields.named.iter().filter_map(named).collect();
    fields.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    Ok(fields)
}

fn struct_impl(ident: &Ident, fields: &[Named]) -> TokenStream {
    let descs = fields.iter().map(Named::desc);
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let names: Vec<_> = fields.iter().map(|field| &field.name).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let slots: Vec<_> = (0..fields.len()).map(|at| format_ident!("field_{at}")).collect();
    // All of these point at the type, so that one that is not a field is one error there.
    let as_field = |ty: &Type| quote_spanned!(ty.span()=> <#ty as ::s_sdk::value::Field>);
    let traits: Vec<_> = types.iter().map(|ty| as_field(ty)).collect();
    let takes = fields
        .iter()
        .map(|Named { name, ty, .. }| quote_spanned!(ty.span()=> fields.take::<#ty>(#name)?));
    let len = fields.len();
    quote! {
        #[automatically_derived]
        impl ::s_sdk::value::Field for #ident {
            const KIND: ::s_sdk::value::Kind = ::s_sdk::value::Kind::Struct(&[#(#descs),*]);

            fn to_value(&self) -> ::s_sdk::value::Value {
                ::s_sdk::value::Value::Map([
                    #((::std::string::String::from(#names), #traits::to_value(&self.#idents)),)*
                ].into_iter().collect())
            }

            fn from_value(
                value: ::s_sdk::value::Value,
            ) -> ::core::result::Result<Self, ::s_sdk::value::FieldError> {
                #[allow(unused_mut)]
                let mut fields = ::s_sdk::value::Fields::from_value(value)?;
                let whole = #ident { #(#idents: #takes),* };
                fields.finish()?;
                ::core::result::Result::Ok(whole)
            }

            fn encode(&self, out: &mut ::s_sdk::value::Writer<'_>) {
                out.map(#len);
                #(out.text(#names); #traits::encode(&self.#idents, out);)*
            }

            fn decode(
                input: &mut ::s_sdk::value::Reader<'_>,
            ) -> ::core::result::Result<Self, ::s_sdk::value::FieldError> {
                #(let mut #slots: ::core::option::Option<#types> = ::core::option::Option::None;)*
                input.map(Self::KIND, |input, key| {
                    match key {
                        #(#names => #slots = ::core::option::Option::Some(
                            #traits::decode(input)
                                .map_err(|error: ::s_sdk::value::FieldError| error.within(#names))?
                        ),)*
                        other => return ::core::result::Result::Err(::s_sdk::value::FieldError::leftover(other)),
                    }
                    #[allow(unreachable_code)]
                    ::core::result::Result::Ok(())
                })?;
                ::core::result::Result::Ok(#ident {
                    #(#idents: #slots.ok_or_else(|| ::s_sdk::value::FieldError::missing(#names))?),*
                })
            }
        }
    }
}

fn enum_impl(ident: &Ident, variants: &[&Ident]) -> TokenStream {
    let names: Vec<_> = variants.iter().map(|variant| variant.unraw().to_string()).collect();
    let read = quote! {
        match text {
            #(#names => ::core::result::Result::Ok(Self::#variants),)*
            other => ::core::result::Result::Err(::s_sdk::value::FieldError::out_of_range(Self::KIND, other)),
        }
    };
    quote! {
        #[automatically_derived]
        impl ::s_sdk::value::Field for #ident {
            const KIND: ::s_sdk::value::Kind = ::s_sdk::value::Kind::Enum(&[#(#names),*]);

            fn to_value(&self) -> ::s_sdk::value::Value {
                let name: &str = match *self {
                    #(Self::#variants => #names,)*
                };
                ::s_sdk::value::Value::from(name)
            }

            fn from_value(
                value: ::s_sdk::value::Value,
            ) -> ::core::result::Result<Self, ::s_sdk::value::FieldError> {
                let ::core::option::Option::Some(text) = value.as_text() else {
                    return ::core::result::Result::Err(::s_sdk::value::FieldError::expected(Self::KIND, &value));
                };
                #read
            }
        }
    }
}

// ===== Attributes =====

struct Attributes {
    kind: String,
    version: u32,
    version_span: Span,
    steps: Vec<Step>,
}

enum Attribute {
    Kind(LitStr),
    Version(LitInt),
    Step(Step),
}

struct Step {
    from: LitInt,
    to: LitInt,
    rules: Vec<Rule>,
}

struct Rule {
    name: Ident,
    from: Vec<Entry>,
    to: Vec<Entry>,
    /// The value of a `default` or `drop`.
    value: Option<Expr>,
    up: Option<Expr>,
    down: Option<Expr>,
}

/// A field as a rule names it; only `rename` leaves the type away.
struct Entry {
    ident: Ident,
    ty: Option<Type>,
}

impl Attributes {
    fn of(input: &DeriveInput) -> Result<Self> {
        let (mut kind, mut version, mut steps) = (None, None, Vec::new());
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("state")) {
            for item in
                attribute.parse_args_with(Punctuated::<Attribute, Token![,]>::parse_terminated)?
            {
                match item {
                    Attribute::Kind(text) if kind.is_none() => kind = Some(text),
                    Attribute::Version(number) if version.is_none() => version = Some(number),
                    Attribute::Kind(text) => {
                        return Err(Error::new_spanned(text, "the kind is given twice"));
                    }
                    Attribute::Version(number) => {
                        return Err(Error::new_spanned(number, "the version is given twice"));
                    }
                    Attribute::Step(step) => steps.push(step),
                }
            }
        }
        let Some(kind) = kind else {
            return Err(Error::new_spanned(
                &input.ident,
                "which state is this? add `#[state(kind = \"…\", version = 1)]`; the kind never changes",
            ));
        };
        if kind.value().is_empty() {
            return Err(Error::new_spanned(
                kind,
                "the empty kind is that of modules that carry nothing",
            ));
        }
        let Some(version) = version else {
            return Err(Error::new_spanned(
                &input.ident,
                "which version has these fields? add `version = 1` to `#[state(kind = …)]`, \
                 and raise it whenever the fields change",
            ));
        };
        Ok(Attributes {
            kind: kind.value(),
            version_span: version.span(),
            version: version_number(&version)?,
            steps,
        })
    }
}

fn version_number(literal: &LitInt) -> Result<u32> {
    match literal.base10_parse()? {
        0 => Err(Error::new_spanned(literal, "versions start at 1")),
        number => Ok(number),
    }
}

impl Parse for Attribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.call(Ident::parse_any)?;
        match name.to_string().as_str() {
            "kind" => {
                input.parse::<Token![=]>()?;
                Ok(Attribute::Kind(input.parse()?))
            }
            "version" => {
                input.parse::<Token![=]>()?;
                Ok(Attribute::Version(input.parse()?))
            }
            "step" => {
                let content;
                parenthesized!(content in input);
                Ok(Attribute::Step(content.parse()?))
            }
            _ => Err(Error::new_spanned(
                name,
                "expected `kind = \"…\"`, `version = 1` or `step(1 => 2, …)`",
            )),
        }
    }
}

impl Parse for Step {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let from = input.parse()?;
        input.parse::<Token![=>]>()?;
        let to = input.parse()?;
        let mut rules = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if !input.is_empty() {
                rules.push(input.parse()?);
            }
        }
        Ok(Step { from, to, rules })
    }
}

impl Parse for Rule {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.call(Ident::parse_any)?;
        let known = ["rename", "default", "drop", "convert", "split", "merge"];
        if !known.iter().any(|rule| name == rule) {
            let known = known.join("`, `");
            return Err(Error::new_spanned(
                &name,
                format!("there is no rule `{name}`; the rules are `{known}`"),
            ));
        }
        let content;
        parenthesized!(content in input);
        let mut rule =
            Rule { from: Vec::new(), to: Vec::new(), value: None, up: None, down: None, name };
        rule.body(&content)?;
        if content.peek(Token![,]) {
            content.parse::<Token![,]>()?;
        }
        if !content.is_empty() {
            return Err(content.error("the rule ends here"));
        }
        Ok(rule)
    }
}

impl Rule {
    fn body(&mut self, input: ParseStream<'_>) -> Result<()> {
        match self.name.to_string().as_str() {
            "rename" => {
                self.from = vec![Entry { ident: input.parse()?, ty: None }];
                input.parse::<Token![->]>()?;
                self.to = vec![Entry { ident: input.parse()?, ty: None }];
                return Ok(());
            }
            name @ ("default" | "drop") => {
                let entry = vec![Entry::typed(input)?];
                *(if name == "default" { &mut self.to } else { &mut self.from }) = entry;
                if input.peek(Token![=]) {
                    input.parse::<Token![=]>()?;
                    self.value = Some(input.parse()?);
                }
                return Ok(());
            }
            "convert" => {
                let from = Entry::typed(input)?;
                input.parse::<Token![->]>()?;
                let renamed =
                    input.peek(Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]);
                let to = if renamed {
                    Entry::typed(input)?
                } else {
                    Entry { ident: from.ident.clone(), ty: Some(input.parse()?) }
                };
                (self.from, self.to) = (vec![from], vec![to]);
            }
            "split" => {
                self.from = vec![Entry::typed(input)?];
                input.parse::<Token![->]>()?;
                self.to = Entry::group(input)?;
            }
            _ => {
                self.from = Entry::group(input)?;
                input.parse::<Token![->]>()?;
                self.to = vec![Entry::typed(input)?];
            }
        }
        self.functions(input)
    }

    /// `, up = …, down = …`
    fn functions(&mut self, input: ParseStream<'_>) -> Result<()> {
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let way: Ident = input.parse()?;
            let function = match way.to_string().as_str() {
                "up" => &mut self.up,
                "down" => &mut self.down,
                _ => return Err(Error::new_spanned(way, "expected `up = …` or `down = …`")),
            };
            input.parse::<Token![=]>()?;
            *function = Some(input.parse()?);
        }
        let name = &self.name;
        match (&self.up, &self.down) {
            (Some(_), Some(_)) => Ok(()),
            (None, None) if name == "convert" => Ok(()),
            (None, _) => Err(Error::new_spanned(
                name,
                "a rule works both ways: add `up = …`, from old to new",
            )),
            (_, None) => Err(Error::new_spanned(
                name,
                "a rule works both ways: add `down = …`, from new to old, for rollback and downgrade",
            )),
        }
    }

    fn takes_field(&self) -> bool {
        self.name == "drop"
    }

    fn gives_field(&self) -> bool {
        self.name == "default"
    }
}

impl Entry {
    fn typed(input: ParseStream<'_>) -> Result<Self> {
        let ident: Ident = input.parse()?;
        if !input.peek(Token![:]) {
            return Err(Error::new_spanned(
                &ident,
                format!(
                    "say its type: `{ident}: …`; older versions are described by their rules alone"
                ),
            ));
        }
        input.parse::<Token![:]>()?;
        Ok(Entry { ident, ty: Some(input.parse()?) })
    }

    fn group(input: ParseStream<'_>) -> Result<Vec<Self>> {
        if !input.peek(token::Paren) {
            return Err(input.error("expected the fields in parentheses: `(a: …, b: …)`"));
        }
        let content;
        let paren = parenthesized!(content in input);
        let entries =
            Punctuated::<Entry, Token![,]>::parse_terminated_with(&content, Entry::typed)?;
        if entries.len() < 2 {
            return Err(Error::new(
                paren.span.join(),
                "expected two fields or more; for one there is `convert`",
            ));
        }
        Ok(entries.into_iter().collect())
    }
}

// ===== Steps =====

/// What the steps become.
struct Steps {
    schema: Vec<TokenStream>,
    arms: Vec<TokenStream>,
    type_checks: Vec<TokenStream>,
}

impl Steps {
    /// Runs the steps from the struct's fields down to the oldest version.
    fn check(fields: &[Named], attributes: &Attributes) -> Result<Self> {
        chain(attributes)?;
        let mut current: BTreeMap<String, Type> =
            fields.iter().map(|field| (field.name.clone(), field.ty.clone())).collect();
        let mut steps = Steps { schema: Vec::new(), arms: Vec::new(), type_checks: Vec::new() };
        for (at, step) in attributes.steps.iter().enumerate().rev() {
            let (from, to) = (&step.from, &step.to);
            let mut rules = Vec::new();
            for (rule_at, rule) in step.rules.iter().enumerate().rev() {
                let (gone, come) = steps.undo(rule, step, &mut current)?;
                let (name, from, to) = (
                    rule.name.to_string(),
                    gone.iter().map(Named::desc),
                    come.iter().map(Named::desc),
                );
                rules.push(quote!(::s_sdk::state::Rule { name: #name, from: &[#(#from),*], to: &[#(#to),*] }));
                let (up, down) =
                    (map(rule, &rule.up, &gone, &come), map(rule, &rule.down, &come, &gone));
                steps.arms.push(quote! {
                    (#at, #rule_at, ::s_sdk::state::Way::Up) => { #up }
                    (#at, #rule_at, ::s_sdk::state::Way::Down) => { #down }
                });
            }
            rules.reverse();
            steps
                .schema
                .push(quote!(::s_sdk::state::Step { from: #from, to: #to, rules: &[#(#rules),*] }));
        }
        steps.schema.reverse();
        Ok(steps)
    }

    /// Takes back one rule on the symbolic fields; answers the rule's older and newer fields with types.
    fn undo(
        &mut self,
        rule: &Rule,
        step: &Step,
        current: &mut BTreeMap<String, Type>,
    ) -> Result<(Vec<Named>, Vec<Named>)> {
        let mut come = Vec::new();
        for Entry { ident, ty } in &rule.to {
            let name = ident.unraw().to_string();
            let Some(known) = current.remove(&name) else {
                return Err(not_there(ident, rule, step, current));
            };
            let ty = match ty {
                Some(ty) => {
                    self.same_type(ty, &known);
                    ty.clone()
                }
                None => known,
            };
            come.push(Named::new(ident.clone(), ty));
        }
        let mut gone = Vec::new();
        for Entry { ident, ty } in &rule.from {
            let name = ident.unraw().to_string();
            // Only a rename leaves the type away, and it has one field on each side.
            let ty = ty.clone().unwrap_or_else(|| come[0].ty.clone());
            if current.insert(name.clone(), ty.clone()).is_some() {
                return Err(Error::new_spanned(
                    ident,
                    format!(
                        "version {} would have two fields `{name}`: this one, and one that comes from version {} \
                         under the same name",
                        step.from, step.to
                    ),
                ));
            }
            gone.push(Named::new(ident.clone(), ty));
        }
        Ok((gone, come))
    }

    fn same_type(&mut self, said: &Type, known: &Type) {
        if said.to_token_stream().to_string() != known.to_token_stream().to_string() {
            self.type_checks.push(quote_spanned!(said.span()=> const _: () = ::s_sdk::state::same::<#said, #known>();));
        }
    }
}

fn not_there(ident: &Ident, rule: &Rule, step: &Step, current: &BTreeMap<String, Type>) -> Error {
    let to = &step.to;
    let names: Vec<_> = current.keys().map(|name| format!("`{name}`")).collect();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let rule = &rule.name;
    Error::new_spanned(
        ident,
        format!(
            "`{rule}` gives a field `{ident}`, but version {to} has no such field (still unexplained: {there})"
        ),
    )
}

/// Steps lead from version to version without a gap, up to the struct's own.
fn chain(attributes: &Attributes) -> Result<()> {
    let mut last: Option<u32> = None;
    for step in &attributes.steps {
        let (from, to) = (version_number(&step.from)?, version_number(&step.to)?);
        if from >= to {
            return Err(Error::new_spanned(
                &step.to,
                "a step leads from an older version to a newer one",
            ));
        }
        if let Some(last) = last
            && last != from
        {
            return Err(Error::new_spanned(
                &step.from,
                format!(
                    "the step before this one ends at version {last}; steps follow each other without a gap"
                ),
            ));
        }
        last = Some(to);
    }
    match last {
        Some(last) if last != attributes.version => Err(Error::new(
            attributes.version_span,
            format!(
                "the last step ends at version {last}; add the step from there to version {}",
                attributes.version
            ),
        )),
        _ => Ok(()),
    }
}

/// The code of a rule in one direction: takes `inputs`, puts `outputs`.
fn map(rule: &Rule, function: &Option<Expr>, inputs: &[Named], outputs: &[Named]) -> TokenStream {
    let in_names: Vec<_> = inputs.iter().map(|field| &field.name).collect();
    let out_names: Vec<_> = outputs.iter().map(|field| &field.name).collect();
    let in_types: Vec<_> = inputs.iter().map(|field| &field.ty).collect();
    let out_types: Vec<_> = outputs.iter().map(|field| &field.ty).collect();
    if rule.name == "rename" {
        return quote!(fields.rename(#(#in_names)*, #(#out_names)*)?;);
    }
    if rule.takes_field() || rule.gives_field() {
        let value = match &rule.value {
            Some(value) => value.to_token_stream(),
            None => quote_spanned!(rule.name.span()=> ::core::default::Default::default()),
        };
        return quote! {
            #(fields.remove(#in_names)?;)*
            #(let start: #out_types = #value; fields.put(#out_names, &start)?;)*
        };
    }
    let function = match function {
        Some(function) => function.to_token_stream(),
        None => {
            quote_spanned!(rule.name.span()=> ::s_sdk::state::fit::<#(#in_types)*, #(#out_types)*>)
        }
    };
    let slots: Vec<_> = (0..inputs.len()).map(|at| format_ident!("old_{at}")).collect();
    let made: Vec<_> = (0..outputs.len()).map(|at| format_ident!("new_{at}")).collect();
    let (pattern, whole) = match (&made[..], &out_types[..]) {
        ([one], [ty]) => (quote!(#one), quote!(#ty)),
        _ => (quote!((#(#made),*)), quote!((#(#out_types),*))),
    };
    let call = quote_spanned!(function.span()=> ::s_sdk::state::made::<#whole>(&[#(#in_names),*], (#function)(#(#slots),*))?);
    quote! {
        #(let #slots: #in_types = fields.take(#in_names)?;)*
        #[allow(clippy::redundant_closure_call)]
        let #pattern = #call;
        #(fields.put(#out_names, &#made)?;)*
    }
}
