//! The macros that write a module's shims, descriptors, proxies and state mappings.
//!
//! What they never do: invent names that an author must know, or hide a choice. What they cannot
//! express they refuse, with a message that says what to write instead.

use proc_macro::TokenStream;

mod behavior;
mod module;
mod plain;
mod state;

/// Makes a trait a behavior: a role that modules implement and callers compile against.
///
/// Options: `name = "…"` (default: the trait's name in kebab case), `version = N` (default 1).
/// Every method takes `&self` and `&Activity` first and returns a `Result` of plain data. `#[since(N)]`
/// says which version of the behavior brought the method; `#[optional]` lets modules omit it.
#[proc_macro_attribute]
pub fn behavior(options: TokenStream, item: TokenStream) -> TokenStream {
    behavior::expand(options.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes an `impl` of a behavior a module and writes its descriptor.
///
/// Options: `component = "…"`, `version = "x.y.z"`, `annotation = "…"`, `depends("component" = "range", …)`,
/// `resident("table" = Row, …)`, `also(Behavior, …)`, `carries_state`, `active`.
#[proc_macro_attribute]
pub fn s_module(options: TokenStream, item: TokenStream) -> TokenStream {
    module::expand(options.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Plain data: a `#[repr(C)]` struct of plain fields, or a fieldless enum with a `#[repr(u32)]` or alike.
#[proc_macro_derive(Plain)]
pub fn plain(item: TokenStream) -> TokenStream {
    plain::expand(item.into(), plain::Kind::Plain)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// A `#[repr(C)]` struct of lists: crosses by reference, as input or as output.
#[proc_macro_derive(Crossing)]
pub fn crossing(item: TokenStream) -> TokenStream {
    plain::expand(item.into(), plain::Kind::Crossing)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Carried state with its mapping rules; see `s_sdk::state`.
#[proc_macro_derive(State, attributes(state))]
pub fn state(item: TokenStream) -> TokenStream {
    state::derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A type that can be a field of carried state; see `s_sdk::value::Field`.
#[proc_macro_derive(Field, attributes(state))]
pub fn field(item: TokenStream) -> TokenStream {
    state::derive_field(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
