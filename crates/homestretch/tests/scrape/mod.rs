//! A scrape as Prometheus makes one: asks for the page and reads it strictly by the text format 0.0.4.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What a page said, after it was found well-formed.
#[derive(Debug, Default)]
pub struct Page {
    types: BTreeMap<String, String>,
    helped: Vec<String>,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// The head and the body of the answer to `GET path`.
pub async fn get(address: &str, path: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    Ok((head.to_ascii_lowercase(), body.to_owned()))
}

/// Asks for `/metrics` and reads it.
///
/// # Panics
/// When the answer is not the text format 0.0.4 or does not hold what the format promises.
pub async fn page(address: &str) -> std::io::Result<Page> {
    let (head, body) = get(address, "/metrics").await?;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    Ok(Page::read(&body))
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        assert!(text.ends_with('\n'), "the last line must end with a line feed");
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                page.helped.push(help.split(' ').next().expect("a name").to_owned());
            } else if let Some(given) = line.strip_prefix("# TYPE ") {
                let (name, kind) = given.split_once(' ').expect("a name and a type");
                assert!(["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind), "{line}");
                assert!(page.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has two TYPE lines");
                assert!(!page.samples.iter().any(|(sample, ..)| sample == name), "{name}'s TYPE comes after a sample");
            } else {
                let (name, labels, value) = sample(line);
                assert!(page.types.contains_key(page.family(&name)), "{name} has no TYPE");
                page.samples.push((name, labels, value));
            }
        }
        page.check_histograms();
        page
    }

    /// The metric a sample belongs to: a histogram's samples carry suffixes.
    fn family<'a>(&self, name: &'a str) -> &'a str {
        let histogram = |stem: &&str| self.types.get(*stem).is_some_and(|kind| kind == "histogram");
        ["_bucket", "_sum", "_count"].iter().filter_map(|suffix| name.strip_suffix(suffix)).find(histogram).unwrap_or(name)
    }

    /// Buckets are cumulative, in ascending order, and the last one, +Inf, counts all.
    fn check_histograms(&self) {
        for (name, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
            for (_, labels, value) in self.samples.iter().filter(|(sample, ..)| *sample == format!("{name}_bucket")) {
                let mut rest = labels.clone();
                let bound = rest.remove("le").expect("a bucket has a bound");
                series.entry(format!("{rest:?}")).or_default().push((number(&bound), *value));
            }
            for (labels, buckets) in series {
                assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}{labels}: {buckets:?}");
                let last = buckets.last().expect("buckets");
                let all = self
                    .samples
                    .iter()
                    .find(|(sample, given, _)| *sample == format!("{name}_count") && format!("{given:?}") == labels);
                assert_eq!((last.0, Some(last.1)), (f64::INFINITY, all.map(|(.., value)| *value)), "{name}{labels}");
            }
        }
    }

    /// The value of the one sample with this name and exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.iter().find(|(sample, given, _)| sample == name && *given == wanted).map(|(.., value)| *value)
    }

    /// The sum over all labels.
    pub fn total(&self, name: &str) -> f64 {
        self.samples.iter().filter(|(sample, ..)| sample == name).map(|(.., value)| value).sum()
    }

    /// The metrics that have no line of help.
    pub fn unexplained(&self) -> Vec<&String> {
        self.types.keys().filter(|name| !self.helped.contains(name)).collect()
    }

    /// Every label as `name=value`.
    pub fn labels(&self) -> Vec<String> {
        self.samples.iter().flat_map(|(_, labels, _)| labels.iter().map(|(name, value)| format!("{name}={value}"))).collect()
    }
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, inside) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').expect("labels end with }")),
        None => (series, ""),
    };
    assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'), "{line}");
    let labels = inside.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (label, quoted) = pair.split_once('=').expect("a label has a value");
        assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
        let value = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("a label's value is quoted");
        (label.to_owned(), value.to_owned())
    });
    (name.to_owned(), labels.collect(), number(value))
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        other => other.parse().unwrap_or_else(|_| panic!("{other} is no number")),
    }
}
