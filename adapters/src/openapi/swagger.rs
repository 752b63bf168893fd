//! What is particular to Swagger 2.0: host, basePath and schemes, collection formats, parameters that
//! are the body or a field of it.
//! <https://swagger.io/specification/v2/>

use super::Error;
use super::resolve::{Parts, Place, listed, own_url, texts};
use placet_model::plan::{ApiBody, ApiForm, ApiParameter, ApiPlace, ApiStyle};
use serde_json::Value;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

pub(super) fn parts(place: Place<'_>) -> Result<Parts, Error> {
    let (mut parameters, mut body, mut has_file) = (Vec::new(), None, false);
    for given in listed(place)? {
        let name = given["name"].as_str().unwrap_or_default().to_owned();
        let required = given["required"] == true;
        let to = match given["in"].as_str().unwrap_or_default() {
            "path" => ApiPlace::Path,
            "query" => ApiPlace::Query,
            "header" => ApiPlace::Header,
            "formData" => {
                has_file |= given["type"] == "file";
                ApiPlace::Form
            }
            "body" => {
                let (media, indexed) = (consumed(place), Vec::new());
                body = Some(ApiBody { name, required, media, indexed });
                continue;
            }
            other => {
                let reason = format!("`in: {other}` is unknown");
                return Err(Error::Parameter { name, reason });
            }
        };
        let form = collection(given, to);
        parameters.push(ApiParameter {
            name,
            place: to,
            required: required || to == ApiPlace::Path,
            form,
        });
    }
    let has_form = parameters.iter().any(|parameter| parameter.place == ApiPlace::Form);
    let produced = local_or_global(place, "produces");
    Ok(Parts {
        base: base(place)?,
        form_media: if has_form { form_media(place, has_file) } else { Vec::new() },
        parameters,
        body,
        answers: produced,
    })
}

fn local_or_global(place: Place<'_>, key: &str) -> Vec<String> {
    let own = place.own.get(key);
    texts(own.unwrap_or_else(|| &place.document[key]))
}

fn consumed(place: Place<'_>) -> Vec<String> {
    let media = local_or_global(place, "consumes");
    if media.is_empty() { vec!["application/json".to_owned()] } else { media }
}

/// A form is url-encoded unless the operation takes it in parts only, or a file is in it.
fn form_media(place: Place<'_>, has_file: bool) -> Vec<String> {
    let media = local_or_global(place, "consumes");
    let in_parts = has_file
        || media.iter().any(|media| media == MULTIPART) && !media.iter().any(|media| media == FORM);
    vec![if in_parts { MULTIPART } else { FORM }.to_owned()]
}

fn collection(parameter: &Value, place: ApiPlace) -> ApiForm {
    let one_text = match place {
        ApiPlace::Path | ApiPlace::Header => ApiStyle::Simple,
        ApiPlace::Query | ApiPlace::Cookie | ApiPlace::Form => ApiStyle::Form,
    };
    let format = parameter["collectionFormat"].as_str();
    let style = match format {
        Some("ssv") => ApiStyle::SpaceDelimited,
        Some("tsv") => ApiStyle::TabDelimited,
        Some("pipes") => ApiStyle::PipeDelimited,
        Some(_) | None => one_text,
    };
    ApiForm::Style { style, explode: format == Some("multi") }
}

/// Scheme, host and base path; what is missing comes from the document's own URL.
fn base(place: Place<'_>) -> Result<String, Error> {
    let missing = |what: &str| Error::Server {
        reason: format!("it names no {what}, and it is not at a URL that would tell"),
    };
    let own = own_url(place.url);
    let host = if let Some(host) = place.document["host"].as_str() {
        host.to_owned()
    } else {
        let own = own.as_ref().ok_or_else(|| missing("host"))?;
        let host = own.host_str().unwrap_or_default();
        own.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    };
    let listed = place.own.get("schemes").unwrap_or_else(|| &place.document["schemes"]);
    let schemes = texts(listed);
    let scheme = match own {
        _ if schemes.iter().any(|scheme| scheme == "https") => "https".to_owned(),
        _ if schemes.iter().any(|scheme| scheme == "http") => "http".to_owned(),
        _ if !schemes.is_empty() => {
            let reason = format!("its schemes are {}, neither https nor http", schemes.join(", "));
            return Err(Error::Server { reason });
        }
        Some(own) => own.scheme().to_owned(),
        None => "https".to_owned(),
    };
    let path = place.document["basePath"].as_str().unwrap_or_default().trim_end_matches('/');
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    let base = format!("{scheme}://{host}{slash}{path}");
    crate::render::checked_url(&base)
        .map_err(|error| Error::Server { reason: error.to_string() })?;
    Ok(base)
}
