//! `#[s_module]`: from an `impl` of a behavior to a module's descriptor.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, Ident, ImplItem, ItemImpl, LitStr, Path, Result, Token, Type};

#[derive(Default)]
struct Options {
    component: Option<LitStr>,
    version: Option<LitStr>,
    annotation: Option<LitStr>,
    depends: Vec<(LitStr, LitStr)>,
    resident: Vec<(LitStr, Type)>,
    also: Vec<Path>,
    carries_state: bool,
    active: bool,
}

fn options(tokens: TokenStream) -> Result<Options> {
    let mut options = Options::default();
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("component") {
            options.component = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("version") {
            options.version = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("annotation") {
            options.annotation = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("depends") || meta.path.is_ident("resident") {
            let resident = meta.path.is_ident("resident");
            let content;
            syn::parenthesized!(content in meta.input);
            while !content.is_empty() {
                let name: LitStr = content.parse()?;
                content.parse::<Token![=]>()?;
                if resident {
                    options.resident.push((name, content.parse()?));
                } else {
                    options.depends.push((name, content.parse()?));
                }
                if !content.is_empty() {
                    content.parse::<Token![,]>()?;
                }
            }
        } else if meta.path.is_ident("also") {
            let content;
            syn::parenthesized!(content in meta.input);
            options.also =
                content.parse_terminated(Path::parse_mod_style, Token![,])?.into_iter().collect();
        } else if meta.path.is_ident("carries_state") {
            options.carries_state = true;
        } else if meta.path.is_ident("active") {
            options.active = true;
        } else {
            return Err(meta.error(
                "known options are `component`, `version`, `annotation`, `depends(…)`, `resident(…)`, `also(…)`, \
                 `carries_state` and `active`",
            ));
        }
        Ok(())
    });
    parser.parse2(tokens)?;
    Ok(options)
}

fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_digit())
                && (*part == "0" || !part.starts_with('0'))
        })
}

pub(crate) fn expand(tokens: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let here = tokens.span();
    let options = options(tokens)?;
    let item: ItemImpl = syn::parse2(item)?;
    let Some((_, behavior, _)) = &item.trait_ else {
        return Err(Error::new(
            item.self_ty.span(),
            "put `#[s_module]` on the `impl` of a behavior (or of `Module`, for a module that is only active)",
        ));
    };
    let Type::Path(ty) = &*item.self_ty else {
        return Err(Error::new(item.self_ty.span(), "a module is a named type"));
    };
    if !item.generics.params.is_empty() {
        return Err(Error::new(item.generics.span(), "a module is one type and cannot be generic"));
    }
    let missing = |what: &str| Error::new(here, format!("a module needs {what}"));
    let component = options
        .component
        .ok_or_else(|| missing("`component = \"…\"`: the component it is made for"))?;
    let version = options.version.ok_or_else(|| missing("`version = \"major.minor.patch\"`"))?;
    if !is_version(&version.value()) {
        return Err(Error::new(
            version.span(),
            "a version is `major.minor.patch`, as in \"1.4.0\"",
        ));
    }
    let annotation = options.annotation.map_or_else(String::new, |text| text.value());
    let name = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let krate = std::env::var("CARGO_CRATE_NAME").unwrap_or_default();
    let type_name = ty.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
    let export = format!("s_module_{krate}_{type_name}");

    let only_active = behavior.segments.last().is_some_and(|last| last.ident == "Module");
    let present: Vec<&Ident> = item
        .items
        .iter()
        .filter_map(|member| match member {
            ImplItem::Fn(function) if !only_active => Some(&function.sig.ident),
            _ => None,
        })
        .collect();
    let texts = present.iter().map(ToString::to_string);
    let own_behavior = (!only_active).then_some(behavior);
    let also = &options.also;
    let behaviors = own_behavior
        .into_iter()
        .chain(also)
        .map(|path| quote!(<dyn #path as ::s_sdk::shim::Behavior>::DESC));
    let own_entries = if only_active {
        quote!(&[])
    } else {
        quote!(&[#(::s_sdk::shim::entry_of(<dyn #behavior as ::s_sdk::shim::BehaviorFor<#ty>>::ENTRIES, #texts)),*])
    };
    let (depends, ranges): (Vec<_>, Vec<_>) = options.depends.into_iter().unzip();
    let (tables, rows): (Vec<_>, Vec<_>) = options.resident.into_iter().unzip();
    let mut lifecycle = quote!(::s_sdk::shim::lifecycle::<#ty>());
    let mut flags = quote!(0);
    if options.carries_state {
        lifecycle = quote!(#lifecycle.carrying_state::<#ty>());
        flags = quote!(#flags | ::s_sdk::abi::flags::CARRIES_STATE);
    }
    if options.active {
        lifecycle = quote!(#lifecycle.active::<#ty>());
        flags = quote!(#flags | ::s_sdk::abi::flags::ACTIVE);
    }
    let row_checks = rows.iter().map(
        |row| quote_spanned!(row.span()=> const _: () = ::s_sdk::resident::assert_row::<#row>();),
    );
    let table = format_ident!("S_MODULE");
    Ok(quote! {
        #item

        #(#row_checks)*

        /// What a host reads of this module: exported for swapping, referred to for linking statically.
        #[allow(unsafe_code)]
        #[unsafe(export_name = #export)]
        pub static #table: ::s_sdk::abi::ModuleDescriptor = {
            const OWN: &[::s_sdk::abi::MethodEntry] = #own_entries;
            const GROUPS: &[&[::s_sdk::abi::MethodEntry]] =
                &[OWN #(, <dyn #also as ::s_sdk::shim::BehaviorFor<#ty>>::ENTRIES)*];
            const COUNT: usize = ::s_sdk::shim::count(GROUPS);
            static METHODS: [::s_sdk::abi::MethodEntry; COUNT] = ::s_sdk::shim::join(GROUPS);
            static LIFECYCLE: ::s_sdk::abi::Lifecycle = #lifecycle;
            ::s_sdk::abi::ModuleDescriptor {
                size: ::core::mem::size_of::<::s_sdk::abi::ModuleDescriptor>() as u32,
                abi_version: ::s_sdk::abi::ABI_VERSION,
                target: ::s_sdk::abi::Text::new(::s_sdk::abi::TARGET),
                toolchain: ::s_sdk::abi::Text::new(::s_sdk::abi::TOOLCHAIN),
                name: ::s_sdk::abi::Text::new(#name),
                component: ::s_sdk::abi::Text::new(#component),
                version: ::s_sdk::abi::Text::new(#version),
                annotation: ::s_sdk::abi::Text::new(#annotation),
                behaviors: ::s_sdk::abi::Slice::new(&[#(#behaviors),*]),
                methods: ::s_sdk::abi::Slice::new(&METHODS),
                dependencies: ::s_sdk::abi::Slice::new(&[#(::s_sdk::abi::DependencyDesc {
                    component: ::s_sdk::abi::Text::new(#depends),
                    range: ::s_sdk::abi::Text::new(#ranges),
                }),*]),
                resident: ::s_sdk::abi::Slice::new(&[#(::s_sdk::abi::ResidentDesc {
                    name: ::s_sdk::abi::Text::new(#tables),
                    row: <#rows as ::s_sdk::shape::Crossing>::SHAPE,
                }),*]),
                lifecycle: &LIFECYCLE,
                flags: #flags,
            }
        };
    })
}
