//! XML as the query protocol writes it.

/// Text between tags.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An element with text.
pub(crate) fn leaf(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// An element around others.
pub(crate) fn node(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// A list, each member with its elements.
pub(crate) fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members: String = members.into_iter().map(|member| node("member", &member)).collect();
    node(name, &format!("\n    {members}\n  "))
}

/// The answer to an action.
pub(crate) fn answer(namespace: &str, action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{namespace}\">\n  <{action}Result>\n  {result}\n  </{action}Result>\n  \
         <ResponseMetadata><RequestId>6581c0ac-f39f</RequestId></ResponseMetadata>\n</{action}Response>"
    )
}

/// An error, in the form of all services of the query protocol.
pub(crate) fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\n  <Error>\n    \
         <Type>Sender</Type>\n    {}\n    {}\n  </Error>\n  <RequestId>f9880f01</RequestId>\n</ErrorResponse>",
        leaf("Code", code),
        leaf("Message", message)
    )
}
