//! Checks links: a limiter says how many at once, and each has a time of its own.
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod common;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use common::arguments;
use common::fetch::{fetch, http_url};
use common::progress::{Progress, Show};
use hyper::StatusCode;
use lexopt::ValueExt as _;
use rondel::CapacityLimiter;

const USAGE: &str = "\
usage: link_check [--limit N] [--timeout SECONDS] [--progress] FILE

Fetches each URL of a file, which has one a line, and says which are broken, in the order of the file. The status is 1 if one is.
Empty lines and those that begin with # are left out. The file - is stdin.

  --limit N          checks at most N at once; 16 unless said otherwise
  --timeout SECONDS  takes a link for broken that takes longer; 5 unless said otherwise
  --progress         shows progress also where stderr is no terminal
";

struct Options {
    file: OsString,
    limit: usize,
    timeout: Duration,
    show: Show,
}

fn options() -> Result<Options, lexopt::Error> {
    let (mut limit, mut timeout) = (16, Duration::from_secs(5));
    let (mut show, mut files) = (Show::default(), Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("limit") => {
                limit = parser.value()?.parse_with(arguments::positive)?;
            }
            lexopt::Arg::Long("timeout") => {
                timeout = parser.value()?.parse_with(arguments::seconds)?;
            }
            lexopt::Arg::Long("progress") => show = Show::Always,
            lexopt::Arg::Value(file) => files.push(file),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    let count = files.len();
    let [file] = <[OsString; 1]>::try_from(files)
        .map_err(|_| format!("there is to be one file, and there are {count}"))?;
    Ok(Options {
        file,
        limit,
        timeout,
        show,
    })
}

/// Reads the links of the file, before anything else is done.
fn links(file: &OsString) -> io::Result<Vec<String>> {
    let mut text = String::new();
    if file == "-" {
        io::stdin().read_to_string(&mut text)?;
    } else {
        File::open(file)?.read_to_string(&mut text)?;
    }
    let lines = text.lines().map(str::trim);
    let links = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(links.map(str::to_owned).collect())
}

/// What a link is found to be.
enum Verdict {
    Fine(StatusCode),
    Status(StatusCode),
    TimedOut,
    Failed(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fine(status) => write!(f, "ok {}", status.as_u16()),
            Self::Status(status) => write!(f, "broken {}", status.as_u16()),
            Self::TimedOut => f.write_str("broken (timed out)"),
            Self::Failed(reason) => write!(f, "broken ({reason})"),
        }
    }
}

/// Checks one link; nothing is an error but that the check itself is cancelled.
async fn check(
    link: &str,
    limiter: &CapacityLimiter,
    timeout: Duration,
) -> rondel::Result<Verdict> {
    let url = match http_url(link) {
        Ok(url) => url,
        Err(reason) => return Ok(Verdict::Failed(reason)),
    };
    let _token = limiter.acquire().await?;
    match rondel::timeout(timeout, async |_| fetch(&url).await).await {
        Ok(page) if page.status.is_client_error() || page.status.is_server_error() => {
            Ok(Verdict::Status(page.status))
        }
        Ok(page) => Ok(Verdict::Fine(page.status)),
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) if error.is_timeout() => Ok(Verdict::TimedOut),
        Err(error) => Ok(Verdict::Failed(error.to_string())),
    }
}

fn main() -> rondel::Result<ExitCode> {
    let options = arguments::or_exit(options(), USAGE);
    let read = links(&options.file)
        .map_err(|error| format!("cannot read {}: {error}", options.file.display()));
    let links = arguments::or_exit(read, USAGE);
    rondel::run(async move {
        let limiter = CapacityLimiter::new(options.limit);
        let progress = Rc::new(Progress::new(links.len(), options.show));
        let checks = links.into_iter().map(|link| {
            let (limiter, progress) = (limiter.clone(), progress.clone());
            async move {
                let verdict = check(&link, &limiter, options.timeout).await?;
                progress.step(&link);
                Ok((Rc::<str>::from(link), Rc::new(verdict)))
            }
        });
        let checked = rondel::gather(checks).await?;
        progress.finish();
        for (link, verdict) in &checked {
            println!("{verdict}  {link}");
        }
        let fine = |verdict: &Rc<Verdict>| matches!(**verdict, Verdict::Fine(_));
        let broken = checked.iter().filter(|(_, verdict)| !fine(verdict)).count();
        println!("{} links, {broken} broken", checked.len());
        match broken {
            0 => Ok(ExitCode::SUCCESS),
            _ => Ok(ExitCode::FAILURE),
        }
    })
}
