//! `GET /docs`: the OpenAPI document as a page for people, without any request to another host.

mod get;

pub(super) use get::{
    __path_docs, __path_docs_script, __path_docs_style, docs, docs_script, docs_style,
};
