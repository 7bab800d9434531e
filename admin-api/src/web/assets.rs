//! Style, script and icon, compiled in.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// Changes with the content of the files, so that browsers may keep them for ever.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for name in Assets::iter() {
        if let Some(file) = Assets::get(&name) {
            hash.update(&file.data);
        }
    }
    hex::encode(&hash.finalize()[..6])
});

/// One file.
pub(crate) async fn asset(name: web::Path<String>) -> HttpResponse {
    let Some(file) = Assets::get(&name) else {
        return HttpResponse::NotFound().finish();
    };
    let kind = match name.rsplit_once('.').map(|(_, end)| end) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static(kind)))
        .insert_header((
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ))
        .body(file.data.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_and_style_stay_under_150_kilobytes_and_load_nothing_from_elsewhere() {
        let files: Vec<_> = Assets::iter().filter_map(|n| Assets::get(&n)).collect();
        assert!(files.len() >= 3);
        assert!(files.iter().map(|f| f.data.len()).sum::<usize>() < 150_000);
        for name in ["style.css", "app.js"] {
            let text = String::from_utf8(Assets::get(name).unwrap().data.into_owned()).unwrap();
            assert!(
                !text.contains("http://")
                    && !text.contains("https://")
                    && !text.contains("@import"),
                "{name}"
            );
        }
    }
}
