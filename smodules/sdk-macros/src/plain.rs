//! `#[derive(Plain)]` and `#[derive(Crossing)]`: the layout of a type as data, and its form as a value.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Ident, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Crossing,
}

pub(crate) fn expand(item: TokenStream, kind: Kind) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a type that crosses the boundary has one layout, so it cannot be generic",
        ));
    }
    match &input.data {
        Data::Struct(data) => structure(&input, &data.fields, kind),
        Data::Enum(data) if kind == Kind::Plain => {
            let variants: Vec<&Ident> = data
                .variants
                .iter()
                .map(|variant| match variant.fields {
                    Fields::Unit => Ok(&variant.ident),
                    _ => Err(Error::new(
                        variant.span(),
                        "a variant with fields has no fixed layout across compilers: use a struct with a kind field",
                    )),
                })
                .collect::<Result<_>>()?;
            enumeration(&input, &variants)
        }
        _ => Err(Error::new(
            input.ident.span(),
            "only structs and fieldless enums cross the boundary",
        )),
    }
}

/// The argument of `#[repr(…)]`.
fn representation(input: &DeriveInput) -> Option<Ident> {
    let mut found = None;
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
        let _ = attr.parse_nested_meta(|meta| {
            found = meta.path.get_ident().cloned().or(found.take());
            Ok(())
        });
    }
    found
}

fn structure(input: &DeriveInput, fields: &Fields, kind: Kind) -> Result<TokenStream> {
    let name = &input.ident;
    if representation(input).is_none_or(|repr| repr != "C") {
        return Err(Error::new(
            name.span(),
            "add `#[repr(C)]`: host and module are compiled apart and must agree on the layout",
        ));
    }
    let Fields::Named(fields) = fields else {
        return Err(Error::new(
            fields.span(),
            "give the fields names: they are what a person sees of the type",
        ));
    };
    let names: Vec<_> = fields.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let types: Vec<_> = fields.named.iter().map(|field| &field.ty).collect();
    let texts: Vec<_> = names.iter().map(ToString::to_string).collect();
    let label = name.to_string();
    let sdk = quote!(::s_sdk);
    let (plain, bound) = match kind {
        Kind::Plain => (
            quote! {
                // SAFETY: every field is plain, as the assertion above makes the compiler check.
                #[allow(unsafe_code)]
                unsafe impl #sdk::shape::Plain for #name {}
            },
            quote!(#sdk::shape::Plain),
        ),
        Kind::Crossing => (
            quote! {
                impl #sdk::dynamic::Output for #name {
                    fn open() -> Self {
                        #name { #(#names: <#types as #sdk::dynamic::Output>::open()),* }
                    }
                    fn refill(&mut self, from: Self) -> ::core::result::Result<(), #sdk::CallError> {
                        #(#sdk::dynamic::Output::refill(&mut self.#names, from.#names)?;)*
                        ::core::result::Result::Ok(())
                    }
                }
            },
            quote!(#sdk::shape::Crossing),
        ),
    };
    let checks = types.iter().map(|ty| quote_spanned!(ty.span()=> every_field_crosses::<#ty>();));
    Ok(quote! {
        const _: () = {
            const fn every_field_crosses<T: #bound>() {}
            #(#checks)*
        };
        // SAFETY: `repr(C)`, and the parts name every field with its offset.
        #[allow(unsafe_code)]
        unsafe impl #sdk::shape::Crossing for #name {
            const SHAPE: &'static #sdk::shape::Shape = &#sdk::shape::Shape::with(
                #sdk::shape::ShapeKind::Struct,
                #label,
                ::core::mem::size_of::<#name>(),
                ::core::mem::align_of::<#name>(),
                const { &[#(#sdk::shape::ShapePart {
                    name: #sdk::abi::Text::new(#texts),
                    at: ::core::mem::offset_of!(#name, #names) as i64,
                    shape: <#types as #sdk::shape::Crossing>::SHAPE,
                }),*] },
                ::core::option::Option::None,
            );
        }
        #plain
        impl #sdk::dynamic::Dynamic for #name {
            fn to_value(&self) -> #sdk::Value {
                #sdk::Value::Map([#((
                    ::std::string::String::from(#texts),
                    #sdk::dynamic::Dynamic::to_value(&self.#names),
                )),*].into_iter().collect())
            }
            fn from_value(value: &#sdk::Value) -> ::core::option::Option<Self> {
                let #sdk::Value::Map(fields) = value else { return ::core::option::Option::None };
                ::core::option::Option::Some(#name {
                    #(#names: #sdk::dynamic::Dynamic::from_value(fields.get(#texts)?)?),*
                })
            }
        }
    })
}

fn enumeration(input: &DeriveInput, variants: &[&Ident]) -> Result<TokenStream> {
    let name = &input.ident;
    let repr = representation(input).filter(|repr| {
        ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"].iter().any(|known| repr == known)
    });
    let Some(repr) = repr else {
        return Err(Error::new(
            name.span(),
            "add `#[repr(u32)]`: both sides must agree on size and discriminants",
        ));
    };
    let kind = format_ident!("{}", repr.to_string().to_uppercase());
    let label = name.to_string();
    let texts: Vec<_> = variants.iter().map(ToString::to_string).collect();
    let sdk = quote!(::s_sdk);
    Ok(quote! {
        // SAFETY: a fieldless enum with a fixed representation; the parts name every discriminant.
        #[allow(unsafe_code)]
        unsafe impl #sdk::shape::Crossing for #name {
            const SHAPE: &'static #sdk::shape::Shape = &#sdk::shape::Shape::with(
                #sdk::shape::ShapeKind::Enum,
                #label,
                ::core::mem::size_of::<#name>(),
                ::core::mem::align_of::<#name>(),
                const { &[#(#sdk::shape::ShapePart {
                    name: #sdk::abi::Text::new(#texts),
                    at: #name::#variants as i64,
                    shape: <() as #sdk::shape::Crossing>::SHAPE,
                }),*] },
                ::core::option::Option::Some(&#sdk::shape::Shape::leaf(
                    #sdk::shape::ShapeKind::#kind,
                    ::core::stringify!(#repr),
                    ::core::mem::size_of::<#repr>(),
                    ::core::mem::align_of::<#repr>(),
                )),
            );
        }
        // SAFETY: a number; both sides compared the discriminants by hash.
        #[allow(unsafe_code)]
        unsafe impl #sdk::shape::Plain for #name {}
        impl #sdk::dynamic::Dynamic for #name {
            fn to_value(&self) -> #sdk::Value {
                #sdk::Value::from(match self { #(#name::#variants => #texts),* })
            }
            fn from_value(value: &#sdk::Value) -> ::core::option::Option<Self> {
                match value {
                    #sdk::Value::Text(text) => match text.as_str() {
                        #(#texts => ::core::option::Option::Some(#name::#variants),)*
                        _ => ::core::option::Option::None,
                    },
                    _ => ::core::option::Option::None,
                }
            }
        }
    })
}
