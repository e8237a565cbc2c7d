//! Joins tools of the shell into pipelines: what one writes goes through this program to the next.
//!
//! Nothing is kept but what is on its way: a tool that reads slowly slows down those in front of it, and one that has read enough ends them.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::io::ErrorKind;

use rondel::{
    Exception, Result, StreamReader, StreamWriter, Task, create_subprocess_exec, create_task,
    run_process,
    subprocess::{PIPE, PipeFd, Process},
};

/// A line of tools, each with a pipe on both sides.
struct Pipeline {
    tools: Vec<Process>,
    pumps: Vec<Task<usize>>,
}

/// What a pipeline came to.
struct Outcome {
    output: String,
    /// How many bytes went from each tool to the next.
    pumped: Vec<usize>,
    returncodes: Vec<i32>,
}

impl Pipeline {
    async fn start(commands: &[&[&str]]) -> Result<Self> {
        let mut tools: Vec<Process> = Vec::new();
        let mut pumps = Vec::new();
        for command in commands {
            let (program, args) = command.split_first().expect("a command has a program");
            let mut tool = create_subprocess_exec(program, args)
                .stdin(PIPE)
                .stdout(PIPE)
                .await?;
            let stdin = tool.stdin.take().expect("it is a pipe");
            match tools.last_mut() {
                Some(before) => pumps.push(create_task(pump(before, stdin))?),
                // The first has nothing to read.
                None => stdin.close(),
            }
            tools.push(tool);
        }
        Ok(Self { tools, pumps })
    }

    async fn finish(mut self) -> Result<Outcome> {
        let last = self.tools.last_mut().expect("there is a tool");
        let stdout = last.stdout.take().expect("it is a pipe");
        let output = stdout.read_to_end().await?;
        let pumped = rondel::gather(self.pumps).await?;
        let returncodes = rondel::gather(self.tools.iter().map(Process::wait)).await?;
        Ok(Outcome {
            output: String::from_utf8_lossy(&output).into_owned(),
            pumped,
            returncodes,
        })
    }
}

/// Carries what a tool writes to the next one, until one of them has enough; gives the number of bytes.
fn pump(from: &mut Process, to: StreamWriter) -> impl Future<Output = Result<usize>> + use<> {
    let stdout = from.stdout.take().expect("it is a pipe");
    let pipe = from.transport().get_pipe_transport(PipeFd::Stdout);
    async move {
        let mut pumped = 0;
        let carried = carry(&stdout, &to, &mut pumped).await;
        // Who still writes into this pipe is told so by the system.
        if let Some(pipe) = pipe {
            pipe.close();
        }
        match carried {
            Err(exception) if !has_enough(&exception) => Err(exception),
            _ => Ok(pumped),
        }
    }
}

async fn carry(from: &StreamReader, to: &StreamWriter, pumped: &mut usize) -> Result<()> {
    loop {
        let data = from.read(64 * 1024).await?;
        if data.is_empty() {
            to.close();
            return Ok(());
        }
        to.write(&data)?;
        *pumped += data.len();
        to.drain().await?;
    }
}

/// Says whether the error is that the next tool reads no more.
fn has_enough(exception: &Exception) -> bool {
    let error = exception.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        )
    })
}

#[rondel::main]
async fn main() -> Result<()> {
    println!("seq 1000000 | grep 77 | wc -l");
    let counting: [&[&str]; 3] = [&["seq", "1000000"], &["grep", "77"], &["wc", "-l"]];
    let counted = Pipeline::start(&counting).await?.finish().await?;
    println!("{}", counted.output.trim());
    println!("bytes between them: {:?}", counted.pumped);
    println!("return codes: {:?}", counted.returncodes);

    println!("the shell says:");
    let shell = run_process("seq 1000000 | grep 77 | wc -l")
        .capture()
        .check()
        .await?;
    println!("{}", String::from_utf8_lossy(&shell.stdout).trim());

    println!("yes | head -n 2");
    let endless: [&[&str]; 2] = [&["yes"], &["head", "-n", "2"]];
    let ended = Pipeline::start(&endless).await?.finish().await?;
    print!("{}", ended.output);
    println!("return codes: {:?}", ended.returncodes);
    Ok(())
}
