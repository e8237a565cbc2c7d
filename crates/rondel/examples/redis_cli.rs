//! Talks to a Redis server: RESP over a stream, one command from the arguments or many from stdin.
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod common;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use bytes::Bytes;
use common::arguments;
use lexopt::ValueExt as _;
use rondel::{StreamReader, StreamWriter, ValueError};

const USAGE: &str = "\
usage: redis_cli [--host HOST] [--port N] [COMMAND [ARGUMENT]...]

Sends a command to a Redis server and prints the reply; without a command, those that it reads from stdin, one a line.
The status is 1 if the command is answered by an error.

  --host HOST  127.0.0.1 unless said otherwise
  --port N     6379 unless said otherwise
";

struct Options {
    host: String,
    port: u16,
    command: Vec<String>,
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options {
        host: "127.0.0.1".to_owned(),
        port: 6379,
        command: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("host") => options.host = parser.value()?.string()?,
            lexopt::Arg::Long("port") => options.port = parser.value()?.parse()?,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => arguments::help(USAGE),
            lexopt::Arg::Value(command) => {
                // All that follows is the command's, options and all.
                options.command.push(command.string()?);
                for argument in parser.raw_args()? {
                    options.command.push(argument.string()?);
                }
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

/// A reply of the server.
enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    /// Writes the reply as Redis's own client does; what stands in an array is indented by the width of its number.
    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        match self {
            Self::Status(text) => f.write_str(text),
            Self::Error(text) => write!(f, "(error) {text}"),
            Self::Integer(number) => write!(f, "(integer) {number}"),
            Self::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Nil => f.write_str("(nil)"),
            Self::Array(items) if items.is_empty() => f.write_str("(empty array)"),
            Self::Array(items) => {
                let width = items.len().to_string().len();
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        write!(f, "\n{:indent$}", "")?;
                    }
                    write!(f, "{:>width$}) ", index + 1)?;
                    item.write(f, indent + width + 2)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

/// A connection to the server.
struct Client {
    reader: StreamReader,
    writer: StreamWriter,
}

impl Client {
    async fn call(&self, command: &[String]) -> rondel::Result<Reply> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.writer.write(request)?;
        self.writer.drain().await?;
        self.reply().await
    }

    async fn reply(&self) -> rondel::Result<Reply> {
        let line = self.reader.readuntil(b"\r\n").await?;
        let text = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
        let mut characters = text.chars();
        let kind = characters.next();
        let rest = characters.as_str();
        match kind {
            Some('+') => Ok(Reply::Status(rest.to_owned())),
            Some('-') => Ok(Reply::Error(rest.to_owned())),
            Some(':') => Ok(Reply::Integer(rest.parse()?)),
            Some('$' | '*') if rest == "-1" => Ok(Reply::Nil),
            Some('$') => {
                let length: usize = rest.parse()?;
                let bytes = self.reader.readexactly(length + 2).await?;
                Ok(Reply::Bulk(bytes.slice(..length)))
            }
            Some('*') => {
                let mut items = Vec::new();
                for _ in 0..rest.parse()? {
                    items.push(Box::pin(self.reply()).await?);
                }
                Ok(Reply::Array(items))
            }
            _ => Err(ValueError::new(format!("no reply begins with {text:?}")).into()),
        }
    }

    /// Sends what is read from stdin, until it ends or says so.
    async fn talk(&self, prompt: &str) -> rondel::Result<()> {
        while let Some(line) = read_line(prompt.to_owned()).await? {
            match shlex::split(&line).as_deref() {
                None => println!("(error) unbalanced quotes"),
                Some([]) => {}
                Some([word]) if word == "quit" || word == "exit" => break,
                Some(command) => println!("{}", self.call(command).await?),
            }
        }
        Ok(())
    }
}

/// Reads a line on a thread: stdin may be a file, which no loop can watch.
async fn read_line(prompt: String) -> rondel::Result<Option<String>> {
    let read = rondel::to_thread(move || {
        if io::stdin().is_terminal() {
            print!("{prompt}");
            io::stdout().flush()?;
        }
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        Ok(line)
    });
    let line = read.await?;
    Ok((!line.is_empty()).then_some(line))
}

#[rondel::main]
async fn main() -> rondel::Result<ExitCode> {
    let Options {
        host,
        port,
        command,
    } = arguments::or_exit(options(), USAGE);
    let (reader, writer) = rondel::open_connection((host.as_str(), port)).await?;
    let client = Client { reader, writer };
    if command.is_empty() {
        client.talk(&format!("{host}:{port}> ")).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let reply = client.call(&command).await?;
    println!("{reply}");
    match reply {
        Reply::Error(_) => Ok(ExitCode::FAILURE),
        _ => Ok(ExitCode::SUCCESS),
    }
}
