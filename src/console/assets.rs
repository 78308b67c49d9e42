//! Files that are part of the program.

use futures::future::BoxFuture;

use crate::console::problem::Problem;
use crate::console::visit::{Answer, Outcome, Visit};

/// A file by name.
pub fn asset(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let (kind, bytes): (_, &'static [u8]) = match visit.param("file") {
            "console.css" => ("text/css; charset=utf-8", include_bytes!("assets/console.css")),
            "console.js" => ("text/javascript; charset=utf-8", include_bytes!("assets/console.js")),
            "icon.svg" => ("image/svg+xml", include_bytes!("assets/icon.svg")),
            _ => return Err(Problem::not_found("file")),
        };
        Ok(Answer::Asset { kind, bytes })
    })
}

/// For whoever asks whether the console is there; tells nothing of a tenant.
pub fn health(_: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async { Ok(Answer::Json(b"{\"status\":\"ok\"}".to_vec())) })
}
