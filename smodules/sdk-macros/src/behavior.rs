//! `#[behavior]`: from a trait to its description, its shims and its proxy.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, FnArg, GenericArgument, Ident, ItemTrait, Lit, LitInt, LitStr, Meta,
    Pat, PathArguments, Result, ReturnType, TraitItem, TraitItemFn, Type, parse_quote,
};

/// How a parameter crosses.
enum Crosses {
    /// A plain value.
    Value(Type),
    /// `&T`: an input by reference.
    Ref(Type),
    /// `&[T]`.
    Slice(Type),
    /// `&str`.
    Text,
    /// `&mut T`: an output.
    Out(Type),
}

struct Param {
    name: Ident,
    crosses: Crosses,
}

struct Method {
    name: Ident,
    doc: String,
    since: u32,
    params: Vec<Param>,
    answer: Type,
    error: Type,
}

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut item: ItemTrait = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a behavior cannot be generic: its method table has one layout",
        ));
    }
    let mut label = kebab(&item.ident.to_string());
    let mut version = 1u32;
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            label = meta.value()?.parse::<LitStr>()?.value();
        } else if meta.path.is_ident("version") {
            version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
        } else {
            return Err(meta.error("known options are `name = \"…\"` and `version = N`"));
        }
        Ok(())
    });
    parser.parse2(options)?;

    let mut methods = Vec::new();
    for member in &mut item.items {
        match member {
            TraitItem::Fn(function) => methods.push(method(function)?),
            other => {
                return Err(Error::new(
                    other.span(),
                    "a behavior has methods only: constants and types cannot cross the boundary",
                ));
            }
        }
    }
    if methods.is_empty() {
        return Err(Error::new(item.ident.span(), "a behavior needs at least one method"));
    }
    for method in &methods {
        item.items.push(typed_shim(method));
        item.items.push(dynamic_shim(method));
    }
    let description = description(&item, &label, version, &methods);
    let proxy = proxy(&item, &methods);
    Ok(quote! { #item #description #proxy })
}

/// `AuthProtocol` becomes `auth-protocol`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for (i, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && i > 0 {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

pub(crate) fn first_doc_line(attrs: &[Attribute]) -> String {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("doc"))
        .find_map(|attr| match &attr.meta {
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(lit) => match &lit.lit {
                    Lit::Str(text) => {
                        Some(text.value().trim().to_owned()).filter(|line| !line.is_empty())
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
        .unwrap_or_default()
}

fn method(function: &mut TraitItemFn) -> Result<Method> {
    let sig = &function.sig;
    if !sig.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &sig.generics,
            "a method of a behavior cannot be generic: it is one slot in a table",
        ));
    }
    if sig.asyncness.is_some() {
        return Err(Error::new(
            sig.span(),
            "a method of a behavior cannot be async: a future has no C layout",
        ));
    }
    let mut inputs = sig.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver))
            if receiver.reference.is_some() && receiver.mutability.is_none() => {}
        other => {
            let span = other.map_or_else(|| sig.ident.span(), Spanned::span);
            return Err(Error::new(
                span,
                "a method of a behavior takes `&self`: modules are called from many threads at once",
            ));
        }
    }
    let activity = inputs.next();
    if !matches!(activity, Some(FnArg::Typed(arg)) if is_activity(&arg.ty)) {
        let span = activity.map_or_else(|| sig.ident.span(), Spanned::span);
        return Err(Error::new(
            span,
            "a method of a behavior takes `act: &Activity` after `&self`: the work that it is a part of",
        ));
    }
    let params = inputs.map(param).collect::<Result<Vec<_>>>()?;
    let (answer, error) = result(&sig.output).ok_or_else(|| {
        Error::new(
            sig.output.span(),
            "a method of a behavior returns `Result<T, E>` where `E: From<CallError>`: a call can always fail",
        )
    })?;

    one_sided(&answer)?;
    one_sided(&error)?;

    let mut since = 1;
    let mut optional = false;
    let mut kept = Vec::new();
    for attr in std::mem::take(&mut function.attrs) {
        if attr.path().is_ident("since") {
            since = attr.parse_args::<LitInt>()?.base10_parse()?;
        } else if attr.path().is_ident("optional") {
            optional = true;
        } else {
            kept.push(attr);
        }
    }
    function.attrs = kept;
    if function.default.is_some() {
        return Err(Error::new(
            function.default.span(),
            "a behavior has no default bodies: mark the method `#[optional]`, and modules may omit it",
        ));
    }
    if optional {
        let names = function.sig.inputs.iter().filter_map(|arg| match arg {
            FnArg::Typed(arg) => Some(&arg.pat),
            FnArg::Receiver(_) => None,
        });
        function.default = Some(parse_quote!({
            let _ = (#(#names),*);
            ::core::result::Result::Err(
                ::s_sdk::CallError::new(::s_sdk::error::CallErrorKind::NotUnderstood).into(),
            )
        }));
    }
    Ok(Method {
        name: function.sig.ident.clone(),
        doc: first_doc_line(&function.attrs),
        since,
        params,
        answer,
        error,
    })
}

fn is_activity(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Path(path) => {
                path.path.segments.last().is_some_and(|last| last.ident == "Activity")
            }
            _ => false,
        },
        _ => false,
    }
}

fn param(arg: &FnArg) -> Result<Param> {
    let FnArg::Typed(arg) = arg else {
        return Err(Error::new(arg.span(), "`self` comes first"));
    };
    let Pat::Ident(pattern) = &*arg.pat else {
        return Err(Error::new(
            arg.pat.span(),
            "give the parameter a plain name: callers by name see it",
        ));
    };
    let crosses = match &*arg.ty {
        Type::Reference(reference) => match (&*reference.elem, reference.mutability.is_some()) {
            (Type::Slice(slice), false) => Crosses::Slice((*slice.elem).clone()),
            (Type::Slice(slice), true) => {
                return Err(Error::new(
                    slice.span(),
                    "answer through a `&mut List<T>` instead of a mutable slice",
                ));
            }
            (Type::Path(path), false) if path.path.is_ident("str") => Crosses::Text,
            (elem, false) => Crosses::Ref(elem.clone()),
            (elem, true) => Crosses::Out(elem.clone()),
        },
        ty => Crosses::Value(ty.clone()),
    };
    match &crosses {
        Crosses::Value(ty) | Crosses::Ref(ty) | Crosses::Slice(ty) | Crosses::Out(ty) => {
            one_sided(ty)?
        }
        Crosses::Text => {}
    }
    Ok(Param { name: pattern.ident.clone(), crosses })
}

/// Refuses types that one side's compiler or allocator owns, by the names they usually have. What hides
/// behind another name is refused by its missing `Crossing`, in more words.
fn one_sided(ty: &Type) -> Result<()> {
    let instead = match ty {
        Type::Tuple(tuple) if !tuple.elems.is_empty() => {
            "a tuple has no fixed layout: use a `#[repr(C)]` struct with `#[derive(Clone, Copy, Plain)]`"
        }
        Type::TraitObject(_) | Type::ImplTrait(_) => {
            "a trait object belongs to one side's compiler: look the other component up by name"
        }
        Type::Path(path) => {
            match path.path.segments.last().map(|last| last.ident.to_string()).as_deref() {
                Some("String") => {
                    "a `String` belongs to one side's allocator: take `&str`, answer through a `&mut Buf`"
                }
                Some("Vec") => {
                    "a `Vec` belongs to one side's allocator: take `&[T]`, answer through a `&mut List<T>` \
                 (`&mut Buf` for octets)"
                }
                Some("Box" | "Rc" | "Arc") => {
                    "an owning pointer belongs to one side's allocator: pass plain data, or a `Handle<T>`"
                }
                Some("Option") => {
                    "an `Option` has no fixed layout: use a `#[repr(C)]` struct with a kind, \
                 or an error for the case of none"
                }
                Some("usize" | "isize") => "its size differs between targets: use `u32` or `u64`",
                Some("char") => "not every number is a `char`: use `&str` or `u32`",
                Some("HashMap" | "BTreeMap" | "HashSet" | "BTreeSet" | "VecDeque") => {
                    "a collection belongs to one side's allocator: answer through a `&mut List<T>` of plain entries"
                }
                _ => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    Err(Error::new_spanned(ty, instead))
}

fn result(output: &ReturnType) -> Option<(Type, Type)> {
    let ReturnType::Type(_, ty) = output else { return None };
    let Type::Path(path) = &**ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    let types: Vec<_> = args
        .args
        .iter()
        .filter_map(|arg| match arg {
            GenericArgument::Type(ty) => Some(ty.clone()),
            _ => None,
        })
        .collect();
    match <[Type; 2]>::try_from(types) {
        Ok([answer, error]) => Some((answer, error)),
        Err(_) => None,
    }
}

impl Param {
    /// Its type in C.
    fn c_type(&self) -> TokenStream {
        match &self.crosses {
            Crosses::Value(ty) => quote!(#ty),
            Crosses::Ref(ty) => quote!(&#ty),
            Crosses::Slice(ty) => quote!(::s_sdk::abi::Slice<'_, #ty>),
            Crosses::Text => quote!(::s_sdk::abi::Slice<'_, u8>),
            Crosses::Out(ty) => quote!(&mut #ty),
        }
    }

    /// From the Rust argument to the C one.
    fn lower(&self) -> TokenStream {
        let name = &self.name;
        match &self.crosses {
            Crosses::Slice(_) => quote!(::s_sdk::abi::Slice::new(#name)),
            Crosses::Text => quote!(::s_sdk::abi::Slice::new(#name.as_bytes())),
            _ => quote!(#name),
        }
    }

    /// From the C argument to the Rust one.
    fn lift(&self) -> TokenStream {
        let name = &self.name;
        match &self.crosses {
            Crosses::Slice(_) => quote!(#name.get()),
            // SAFETY (in the shim's block): the caller's proxy made it from a `&str`.
            Crosses::Text => quote!(::core::str::from_utf8_unchecked(#name.get())),
            _ => quote!(#name),
        }
    }

    fn shape(&self) -> TokenStream {
        match &self.crosses {
            Crosses::Value(ty) => quote!(::s_sdk::shape::value_of::<#ty>()),
            Crosses::Ref(ty) => quote!(&::s_sdk::shape::reference_to::<#ty>()),
            Crosses::Slice(ty) => quote!(&::s_sdk::shape::slice_of::<#ty>()),
            Crosses::Text => quote!(&::s_sdk::shape::text()),
            Crosses::Out(ty) => quote!(&::s_sdk::shape::output_to::<#ty>()),
        }
    }

    const fn is_output(&self) -> bool {
        matches!(self.crosses, Crosses::Out(_))
    }
}

// The names that the shims and the proxy need for themselves begin with two underscores, because every
// other name may be that of a parameter.

fn typed_shim(method: &Method) -> TraitItem {
    let Method { name, params, answer, error, .. } = method;
    let shim = format_ident!("__typed_{}", name);
    let names: Vec<_> = params.iter().map(|param| &param.name).collect();
    let types = params.iter().map(Param::c_type);
    let lifts = params.iter().map(Param::lift);
    parse_quote! {
        #[doc(hidden)]
        #[allow(unsafe_code, improper_ctypes_definitions, clippy::too_many_arguments)]
        unsafe extern "C" fn #shim(
            __this: *const ::core::ffi::c_void,
            __lane: *const ::s_sdk::activity::Lane,
            #(#names: #types,)*
            __answer: *mut #answer,
            __error: *mut #error,
        ) -> ::s_sdk::abi::Status
        where
            Self: Sized,
        {
            // SAFETY: the host calls the slot of this method on an instance of this type, with arguments
            // that a proxy of the same structural hash lowered.
            unsafe {
                ::s_sdk::shim::call::<Self, #answer, #error>(__this, __lane, __answer, __error, |__module, __act| {
                    __module.#name(__act, #(#lifts),*)
                })
            }
        }
    }
}

fn dynamic_shim(method: &Method) -> TraitItem {
    let Method { name, params, .. } = method;
    let shim = format_ident!("__dynamic_{}", name);
    let mut inputs = 0u32;
    let mut takes = Vec::new();
    let mut passes = Vec::new();
    let mut outputs = Vec::new();
    for param in params {
        let name = &param.name;
        match &param.crosses {
            Crosses::Out(ty) => {
                takes.push(quote!(let mut #name = <#ty as ::s_sdk::dynamic::Output>::open();));
                passes.push(quote!(&mut #name));
                outputs.push(name);
                continue;
            }
            Crosses::Value(ty) => {
                takes.push(quote!(let #name: #ty = __args.value(#inputs)?;));
                passes.push(quote!(#name));
            }
            Crosses::Ref(ty) => {
                takes.push(quote!(let #name: #ty = __args.value(#inputs)?;));
                passes.push(quote!(&#name));
            }
            Crosses::Slice(ty) => {
                takes.push(quote!(let #name = __args.slice::<#ty>(#inputs)?;));
                passes.push(quote!(&#name));
            }
            Crosses::Text => {
                takes.push(quote!(let #name = __args.text(#inputs)?;));
                passes.push(quote!(#name));
            }
        }
        inputs += 1;
    }
    let answer = if outputs.is_empty() {
        quote!(::s_sdk::dynamic::Dynamic::answer(&__answer, __out))
    } else {
        let texts = outputs.iter().map(ToString::to_string);
        quote! {
            __out.put(&::s_sdk::shim::answer_with_outputs(
                ::s_sdk::dynamic::Dynamic::to_value(&__answer),
                &[#((#texts, ::s_sdk::dynamic::Dynamic::to_value(&#outputs))),*],
            ))
        }
    };
    parse_quote! {
        #[doc(hidden)]
        #[allow(unsafe_code, unused_variables)]
        unsafe extern "C" fn #shim(
            __this: *const ::core::ffi::c_void,
            __lane: *const ::s_sdk::activity::Lane,
            __args: ::s_sdk::abi::Slice<'_, ::s_sdk::dynamic::ValueRef<'_>>,
            __out: &mut ::s_sdk::dynamic::ValueOut,
        ) -> ::s_sdk::abi::Status
        where
            Self: Sized,
        {
            // SAFETY: the host calls the entry of this method on an instance of this type.
            unsafe {
                ::s_sdk::shim::dynamic::<Self>(__this, __lane, __args, __out, #inputs, |__module, __act, __args, __out| {
                    #(#takes)*
                    ::core::result::Result::Ok(match __module.#name(__act, #(#passes),*) {
                        ::core::result::Result::Ok(__answer) => {
                            #answer;
                            ::s_sdk::abi::Status::OK
                        }
                        ::core::result::Result::Err(__error) => {
                            __out.put(&::s_sdk::dynamic::Dynamic::to_value(&__error));
                            ::s_sdk::abi::Status::ERR
                        }
                    })
                })
            }
        }
    }
}

fn description(item: &ItemTrait, label: &str, version: u32, methods: &[Method]) -> TokenStream {
    let name = &item.ident;
    let doc = first_doc_line(&item.attrs);
    let descs = methods.iter().map(|method| {
        let Method { name, doc, since, params, answer, error } = method;
        let text = name.to_string();
        let param_names = params.iter().map(|param| param.name.to_string());
        let shapes = params.iter().map(Param::shape);
        quote! {{
            const PARAMS: &[::s_sdk::abi::ParamDesc] = &[#(::s_sdk::abi::ParamDesc {
                name: ::s_sdk::abi::Text::new(#param_names),
                shape: #shapes,
            }),*];
            ::s_sdk::abi::MethodDesc {
                name: ::s_sdk::abi::Text::new(#text),
                doc: ::s_sdk::abi::Text::new(#doc),
                since: #since,
                params: ::s_sdk::abi::Slice::new(PARAMS),
                returns: <#answer as ::s_sdk::shape::Crossing>::SHAPE,
                error: <#error as ::s_sdk::shape::Crossing>::SHAPE,
                hash: ::s_sdk::abi::MethodDesc::hash_of(
                    #text,
                    PARAMS,
                    <#answer as ::s_sdk::shape::Crossing>::SHAPE,
                    <#error as ::s_sdk::shape::Crossing>::SHAPE,
                ),
            }
        }}
    });
    let entries = methods.iter().enumerate().map(|(i, method)| {
        let typed = format_ident!("__typed_{}", method.name);
        let dynamic = format_ident!("__dynamic_{}", method.name);
        let c_type = c_type(method);
        quote! {
            ::s_sdk::shim::entry(
                DESC,
                &METHODS[#i],
                // SAFETY: erased here, cast back by a proxy whose method has the same structural hash.
                unsafe {
                    ::core::mem::transmute::<#c_type, ::s_sdk::abi::ErasedFn>(<M as #name>::#typed)
                },
                <M as #name>::#dynamic,
            )
        }
    });
    quote! {
        #[allow(unsafe_code)]
        const _: () = {
            const METHODS: &[::s_sdk::abi::MethodDesc] = &[#(#descs),*];
            const DESC: &::s_sdk::abi::BehaviorDesc = &::s_sdk::abi::BehaviorDesc {
                size: ::core::mem::size_of::<::s_sdk::abi::BehaviorDesc>() as u32,
                version: #version,
                name: ::s_sdk::abi::Text::new(#label),
                doc: ::s_sdk::abi::Text::new(#doc),
                methods: ::s_sdk::abi::Slice::new(METHODS),
            };
            impl ::s_sdk::shim::Behavior for dyn #name {
                const DESC: &'static ::s_sdk::abi::BehaviorDesc = DESC;
            }
            impl<M: #name + ::s_sdk::Module> ::s_sdk::shim::BehaviorFor<M> for dyn #name {
                const ENTRIES: &'static [::s_sdk::abi::MethodEntry] = &[#(#entries),*];
            }
        };
    }
}

/// The C function type of a method's typed shim.
fn c_type(method: &Method) -> TokenStream {
    let Method { params, answer, error, .. } = method;
    let types = params.iter().map(Param::c_type);
    quote! {
        unsafe extern "C" fn(
            *const ::core::ffi::c_void,
            *const ::s_sdk::activity::Lane,
            #(#types,)*
            *mut #answer,
            *mut #error,
        ) -> ::s_sdk::abi::Status
    }
}

fn proxy(item: &ItemTrait, methods: &[Method]) -> TokenStream {
    let name = &item.ident;
    let vis = &item.vis;
    let proxy = format_ident!("{}Proxy", name);
    let doc = format!("Calls whatever module its component binds, as a [`{name}`].");
    let calls = item.items.iter().zip(methods).enumerate().map(|(i, (member, method))| {
        let TraitItem::Fn(function) = member else { return TokenStream::new() };
        let sig = &function.sig;
        let act = match sig.inputs.iter().nth(1) {
            Some(FnArg::Typed(arg)) => &arg.pat,
            _ => return TokenStream::new(),
        };
        let Method { name, params, answer, error, .. } = method;
        let text = name.to_string();
        let slot = u32::try_from(i).unwrap_or(u32::MAX);
        let c_type = c_type(method);
        let lowers = params.iter().map(Param::lower);
        let values = params.iter().filter(|param| !param.is_output()).map(|param| {
            let name = &param.name;
            match &param.crosses {
                Crosses::Slice(ty) => quote!(<#ty as ::s_sdk::dynamic::Dynamic>::slice_to_value(#name)),
                Crosses::Text => quote!(::s_sdk::Value::from(#name)),
                Crosses::Ref(_) => quote!(::s_sdk::dynamic::Dynamic::to_value(#name)),
                _ => quote!(::s_sdk::dynamic::Dynamic::to_value(&#name)),
            }
        });
        let outputs: Vec<_> = params.iter().filter(|param| param.is_output()).map(|param| &param.name).collect();
        let texts = outputs.iter().map(ToString::to_string);
        let from_answer = if outputs.is_empty() {
            quote! {
                match <#answer as ::s_sdk::dynamic::Dynamic>::from_value(&__answer) {
                    ::core::option::Option::Some(__answer) => ::core::result::Result::Ok(__answer),
                    ::core::option::Option::None => ::core::result::Result::Err(
                        ::s_sdk::CallError::new(::s_sdk::error::CallErrorKind::BadAnswer).into(),
                    ),
                }
            }
        } else {
            quote! {
                #(::s_sdk::shim::refill(#outputs, &__answer, #texts)?;)*
                ::core::result::Result::Ok(::s_sdk::shim::part_of_answer(&__answer, "return")?)
            }
        };
        quote! {
            // Within an `Ok`, `?` still converts a call's error into the method's own.
            #[inline]
            #[allow(unsafe_code, clippy::needless_question_mark)]
            #sig {
                let (__bound, __function) = self.0.method(#act, #slot)?;
                let ::core::option::Option::Some(__function) = __function else {
                    return ::s_sdk::shim::seldom(|| {
                        let __answer = self.0.lacking(#act, __bound, #text, &[#(#values),*])?;
                        #from_answer
                    });
                };
                let mut __answer = ::core::mem::MaybeUninit::<#answer>::uninit();
                let mut __error = ::core::mem::MaybeUninit::<#error>::uninit();
                // SAFETY: the host put a function of this structural hash into the slot; the binding is
                // pinned, so instance and function outlive the call; outputs are read as the status says.
                unsafe {
                    let __function = ::core::mem::transmute::<::s_sdk::abi::ErasedFn, #c_type>(__function);
                    match __function(
                        __bound.instance,
                        #act.lane(),
                        #(#lowers,)*
                        __answer.as_mut_ptr(),
                        __error.as_mut_ptr(),
                    ) {
                        ::s_sdk::abi::Status::OK => ::core::result::Result::Ok(__answer.assume_init()),
                        ::s_sdk::abi::Status::ERR => ::core::result::Result::Err(__error.assume_init()),
                        __status => ::core::result::Result::Err(self.0.failed(#act, __bound, __status).into()),
                    }
                }
            }
        }
    });
    quote! {
        #[doc = #doc]
        #[derive(Clone, Copy)]
        #vis struct #proxy(::s_sdk::component::ComponentLink);

        impl #name for #proxy {
            #(#calls)*
        }

        impl ::s_sdk::ProxyOf for #proxy {
            fn behavior() -> &'static ::s_sdk::abi::BehaviorDesc {
                <dyn #name as ::s_sdk::shim::Behavior>::DESC
            }
            fn over(link: ::s_sdk::component::ComponentLink) -> Self {
                #proxy(link)
            }
            fn link(&self) -> ::s_sdk::component::ComponentLink {
                self.0
            }
        }
    }
}
