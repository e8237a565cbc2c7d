//! Fetches pages, some at a time, with a progress bar and a table at the end.
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod common;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use common::arguments;
use common::fetch::{Page, fetch, http_url};
use common::progress::{Progress, Show};
use hyper::Uri;
use lexopt::ValueExt as _;

const USAGE: &str = "\
usage: http_client [-k N] [--timeout SECONDS] [--progress] URL...

Fetches pages by HTTP/1.1 and shows what has come of each, in the order given. The status is 1 if one could not be fetched.

  -k N               fetches at most N at once; 8 unless said otherwise
  --timeout SECONDS  gives a page up after that time; 10 unless said otherwise
  --progress         shows progress also where stderr is no terminal
";

struct Options {
    urls: Vec<Uri>,
    at_once: usize,
    timeout: Duration,
    show: Show,
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options {
        urls: Vec::new(),
        at_once: 8,
        timeout: Duration::from_secs(10),
        show: Show::default(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Short('k') => {
                options.at_once = parser.value()?.parse_with(arguments::positive)?;
            }
            lexopt::Arg::Long("timeout") => {
                options.timeout = parser.value()?.parse_with(arguments::seconds)?;
            }
            lexopt::Arg::Long("progress") => options.show = Show::Always,
            lexopt::Arg::Value(url) => options.urls.push(url.parse_with(http_url)?),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    if options.urls.is_empty() {
        return Err("there is no URL to fetch".into());
    }
    Ok(options)
}

/// What has come of one page, and how long that took.
struct Fetched {
    url: Uri,
    outcome: rondel::Result<Page>,
    time: Duration,
}

async fn fetch_timed(url: Uri, timeout: Duration) -> rondel::Result<Fetched> {
    let event_loop = rondel::get_running_loop()?;
    let start = event_loop.time();
    let outcome = rondel::timeout(timeout, async |_| fetch(&url).await).await;
    if let Err(error) = &outcome
        && error.is_cancelled()
    {
        return Err(error.clone());
    }
    let time = event_loop.time() - start;
    Ok(Fetched { url, outcome, time })
}

fn print(fetched: &[Fetched], time: Duration) -> ExitCode {
    println!("{:>6} {:>12} {:>12}  url", "status", "bytes", "time");
    for Fetched { url, outcome, time } in fetched {
        let time = format!("{time:.1?}");
        match outcome {
            Ok(Page { status, length }) => {
                println!("{:>6} {length:>12} {time:>12}  {url}", status.as_u16());
            }
            Err(error) => println!("{:>6} {:>12} {time:>12}  {url}: {error}", "-", "-"),
        }
    }
    let pages = fetched.iter().filter_map(|one| one.outcome.as_ref().ok());
    let (count, bytes) = pages.fold((0, 0), |(count, bytes), page| {
        (count + 1, bytes + page.length)
    });
    let all = fetched.len();
    println!("{count} of {all} fetched, {bytes} bytes in {time:.1?}");
    match count == all {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn main() -> rondel::Result<ExitCode> {
    let options = arguments::or_exit(options(), USAGE);
    rondel::run(async move {
        let event_loop = rondel::get_running_loop()?;
        let start = event_loop.time();
        let progress = Rc::new(Progress::new(options.urls.len(), options.show));
        let shown = progress.clone();
        let fetched =
            rondel::map_concurrent(options.urls, options.at_once, async move |url: Uri| {
                let fetched = fetch_timed(url, options.timeout).await?;
                shown.step(&fetched.url.to_string());
                Ok(fetched)
            })
            .await?;
        progress.finish();
        Ok(print(&fetched, event_loop.time() - start))
    })
}
