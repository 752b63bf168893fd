//! What is particular to `OpenAPI` 3.0 and 3.1: servers, styles, request bodies.
//! <https://spec.openapis.org/oas/v3.1.1.html>

use super::Error;
use super::reference::follow;
use super::resolve::{Parts, Place, good_answers, listed, own_url};
use placet_model::plan::{ApiBody, ApiForm, ApiParameter, ApiPlace, ApiStyle};
use serde_json::Value;

/// The name under which callers give the body.
const BODY: &str = "body";
const FORM: &str = "application/x-www-form-urlencoded";
/// Header parameters with these names are to be ignored: other parts of a document describe them.
const DESCRIBED_ELSEWHERE: [&str; 3] = ["accept", "content-type", "authorization"];

pub(super) fn parts(place: Place<'_>) -> Result<Parts, Error> {
    let mut parameters = Vec::new();
    for given in listed(place)? {
        let name = given["name"].as_str().unwrap_or_default();
        let (to, usual) = match given["in"].as_str().unwrap_or_default() {
            "path" => (ApiPlace::Path, ApiStyle::Simple),
            "query" => (ApiPlace::Query, ApiStyle::Form),
            "header" => (ApiPlace::Header, ApiStyle::Simple),
            "cookie" => (ApiPlace::Cookie, ApiStyle::Form),
            other => {
                let reason = format!("`in: {other}` is unknown");
                return Err(Error::Parameter { name: name.to_owned(), reason });
            }
        };
        if to == ApiPlace::Header
            && DESCRIBED_ELSEWHERE.contains(&name.to_ascii_lowercase().as_str())
        {
            continue;
        }
        parameters.push(ApiParameter {
            name: name.to_owned(),
            place: to,
            required: given["required"] == true || to == ApiPlace::Path,
            form: form(given, usual)?,
        });
    }
    let answers = good_answers(place, |answer| media(&answer["content"]))?;
    let body = body(place)?;
    Ok(Parts { base: base(place)?, parameters, body, form_media: Vec::new(), answers })
}

/// A required parameter of the place's usual form.
pub(super) fn plain(name: &str, place: ApiPlace) -> ApiParameter {
    let style = ApiStyle::Simple;
    let form = ApiForm::Style { style, explode: false };
    ApiParameter { name: name.to_owned(), place, required: true, form }
}

fn form(parameter: &Value, usual: ApiStyle) -> Result<ApiForm, Error> {
    if parameter["content"].is_object() {
        return Ok(ApiForm::Json);
    }
    let style = match parameter["style"].as_str() {
        None => usual,
        Some("simple") => ApiStyle::Simple,
        Some("label") => ApiStyle::Label,
        Some("matrix") => ApiStyle::Matrix,
        Some("form") => ApiStyle::Form,
        Some("spaceDelimited") => ApiStyle::SpaceDelimited,
        Some("pipeDelimited") => ApiStyle::PipeDelimited,
        Some("deepObject") => ApiStyle::DeepObject,
        Some(other) => {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            return Err(Error::Parameter { name, reason: format!("`style: {other}` is unknown") });
        }
    };
    let explode = parameter["explode"].as_bool().unwrap_or(style == ApiStyle::Form);
    Ok(ApiForm::Style { style, explode })
}

fn media(content: &Value) -> Vec<String> {
    content.as_object().into_iter().flatten().map(|(media, _)| media.clone()).collect()
}

fn body(place: Place<'_>) -> Result<Option<ApiBody>, Error> {
    let Some(given) = place.own.get("requestBody") else { return Ok(None) };
    let given = follow(place.document, given)?;
    let mut media = media(&given["content"]);
    if media.is_empty() {
        media.push("application/json".to_owned());
    }
    let encoding = &given["content"][FORM]["encoding"];
    let indexed = encoding.as_object().into_iter().flatten();
    let indexed = indexed.filter(|(_, how)| how["style"] == "deepObject");
    Ok(Some(ApiBody {
        name: BODY.to_owned(),
        required: given["required"] == true,
        media,
        indexed: indexed.map(|(key, _)| key.clone()).collect(),
    }))
}

/// The first server of the operation, of the path or of the document, variables at their defaults;
/// a relative one is relative to the document.
fn base(place: Place<'_>) -> Result<String, Error> {
    let refuse = |reason: String| Error::Server { reason };
    let lists = [place.own, place.item, place.document].map(|level| &level["servers"]);
    let server = lists.into_iter().find_map(|list| list.as_array()?.first());
    let text = server.and_then(|server| server["url"].as_str()).unwrap_or("/");
    let text = with_defaults(text, server.unwrap_or(&Value::Null))?;
    let base = if text.contains("://") {
        text
    } else {
        let own = own_url(place.url).ok_or_else(|| {
            refuse(format!(
                "its server is {text}, and it is not at a URL that this would belong to"
            ))
        })?;
        own.join(&text).map_err(|error| refuse(format!("its server is {text}: {error}")))?.into()
    };
    let url = crate::render::checked_url(&base).map_err(|error| refuse(error.to_string()))?;
    if url.query().is_some() {
        return Err(refuse("its server has a query".to_owned()));
    }
    Ok(base.trim_end_matches('/').to_owned())
}

fn with_defaults(text: &str, server: &Value) -> Result<String, Error> {
    let (mut rest, mut out) = (text, String::new());
    while let Some((before, after)) = rest.split_once('{') {
        let broken = || Error::Server { reason: format!("its server {text} has an open brace") };
        let (name, after) = after.split_once('}').ok_or_else(broken)?;
        let default = &server["variables"][name]["default"];
        let default = crate::json::scalar_text(default).ok_or_else(|| Error::Server {
            reason: format!("the variable {name} of its server has no default"),
        })?;
        out.extend([before, &default]);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
