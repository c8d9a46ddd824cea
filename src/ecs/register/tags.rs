//! The question for the tags that EC2 has of an instance, and what the answer means. Pure.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ecs::connect::EndpointKinds;

/// More than an instance can have.
const MOST: u32 = 50;

/// Begins keys and values that are AWS' own; nobody may set such a tag.
const RESERVED: &str = "aws:";

/// Address of EC2 in the region.
pub fn ec2_endpoint(region: &str, kinds: EndpointKinds) -> String {
    // The usual ones of GovCloud are validated, and there are no others.
    let fips = kinds.fips.count_in(region) && !region.starts_with("us-gov-");
    let service = if fips { "ec2-fips" } else { "ec2" };
    let domain = match (kinds.dual_stack, region.starts_with("cn-")) {
        (true, false) => "api.aws",
        (true, true) => "api.amazonwebservices.com.cn",
        (false, false) => "amazonaws.com",
        (false, true) => "amazonaws.com.cn",
    };
    format!("https://{service}.{region}.{domain}/")
}

/// The form of the question.
pub fn tags_question(instance: &str) -> String {
    let instance = utf8_percent_encode(instance, NON_ALPHANUMERIC);
    format!(
        "Action=DescribeTags&Version=2016-11-15&MaxResults={MOST}&Filter.1.Name=resource-id&Filter.1.Value.1={instance}\
         &Filter.2.Name=resource-type&Filter.2.Value.1=instance"
    )
}

/// The tags of an answer, without AWS' own; `None` = it is no answer to that question.
pub fn tags_of_answer(text: &str) -> Option<BTreeMap<String, String>> {
    if !text.contains("<DescribeTagsResponse") {
        return None;
    }
    let items = text.split("<item>").skip(1);
    let tags = items.filter_map(|item| {
        let key = element(item, "key")?;
        Some((key, element(item, "value").unwrap_or_default()))
    });
    let own = |text: &str| {
        let begin = text.get(..RESERVED.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(RESERVED))
    };
    Some(
        tags.filter(|(key, value)| !own(key) && !own(value))
            .collect(),
    )
}

/// Why the question was refused: the code, where there is one.
pub fn code_of_refusal(text: &str) -> Option<String> {
    element(text, "Code")
}

/// Text of the first element of that name.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(plain(inner))
}

/// The text that entities stand for.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let Some((name, left)) = after.split_once(';') else {
            out.push('&');
            rest = after;
            continue;
        };
        if let Some(character) = character(name) {
            out.push(character);
            rest = left;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fips::FipsEndpoints;

    #[test]
    fn check_027_tags_are_read_without_those_of_aws() {
        let item = |key: &str, value: &str| {
            format!(
                "<item><resourceId>i-1</resourceId><resourceType>instance</resourceType>\
                 <key>{key}</key>{value}</item>"
            )
        };
        let items = [
            item("team", "<value>a &amp; b &#x41;&#66;&odd;&</value>"),
            item("empty", "<value/>"),
            item("aws:autoscaling:groupName", "<value>g</value>"),
            item("AWS:x", "<value>g</value>"),
            item("owner", "<value>Aws:it</value>"),
            item("äws:", "<value>ü</value>"),
        ];
        let text = format!(
            "<?xml version=\"1.0\"?><DescribeTagsResponse xmlns=\"x\"><tagSet>{}</tagSet></DescribeTagsResponse>",
            items.concat()
        );
        let tags: Vec<_> = tags_of_answer(&text).unwrap().into_iter().collect();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = [
            pair("empty", ""),
            pair("team", "a & b AB&odd;&"),
            pair("äws:", "ü"),
        ];
        assert_eq!(tags, expected);
        assert_eq!(tags_of_answer("<html>"), None);
        let refused = "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>";
        assert_eq!(tags_of_answer(refused), None);
        assert_eq!(
            code_of_refusal(refused).as_deref(),
            Some("UnauthorizedOperation")
        );
    }

    #[test]
    fn ec2_has_its_own_addresses() {
        let kinds = |fips, dual_stack| EndpointKinds {
            fips: if fips {
                FipsEndpoints::Always
            } else {
                FipsEndpoints::Off
            },
            dual_stack,
        };
        for (region, kinds, expected) in [
            (
                "us-west-2",
                kinds(false, false),
                "https://ec2.us-west-2.amazonaws.com/",
            ),
            (
                "us-west-2",
                kinds(true, false),
                "https://ec2-fips.us-west-2.amazonaws.com/",
            ),
            (
                "us-gov-west-1",
                kinds(true, false),
                "https://ec2.us-gov-west-1.amazonaws.com/",
            ),
            (
                "us-west-2",
                kinds(false, true),
                "https://ec2.us-west-2.api.aws/",
            ),
            (
                "cn-north-1",
                kinds(false, false),
                "https://ec2.cn-north-1.amazonaws.com.cn/",
            ),
        ] {
            assert_eq!(ec2_endpoint(region, kinds), expected);
        }
    }
}
