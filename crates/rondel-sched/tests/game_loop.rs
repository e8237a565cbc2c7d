//! A scheduler inside somebody else's loop: a game that steps it once a frame and gives tokens a meaning of its own.

use std::{any::Any, cell::RefCell, panic::resume_unwind, rc::Rc, time::Duration};

use rondel_sched::{Clock, ClosedError, Host, Runnable, Scheduler, Token, VirtualClock};

const FRAME: Duration = Duration::from_millis(16);

/// The game: a token is the number of a sprite that is to move.
struct Game {
    scheduler: Scheduler,
    clock: VirtualClock,
    sprites: RefCell<Vec<u32>>,
    screen: RefCell<Vec<String>>,
}

impl Game {
    fn new() -> Rc<Self> {
        let clock = VirtualClock::new();
        Rc::new(Self {
            scheduler: Scheduler::new(Rc::new(clock.clone())),
            clock,
            sprites: RefCell::new(vec![0, 100]),
            screen: RefCell::default(),
        })
    }

    fn draw(&self, text: impl Into<String>) {
        self.screen.borrow_mut().push(text.into());
    }

    fn frame(&self) {
        self.scheduler.receive();
        self.scheduler.fire_timers();
        self.scheduler.run_ready(self);
        self.draw(format!(
            "{:?} {:?}",
            self.clock.time(),
            self.sprites.borrow()
        ));
        self.clock.advance(FRAME);
    }
}

impl Host for Game {
    fn wake(&self, sprite: Token) {
        let sprite = usize::try_from(sprite.to_bits()).expect("it is one of two");
        self.sprites.borrow_mut()[sprite] += 1;
    }

    fn callback_panicked(&self, _: &dyn Runnable, payload: Box<dyn Any + Send>) {
        resume_unwind(payload);
    }
}

/// Moves both sprites, again and again.
fn walk(game: Rc<Game>, steps: u32) {
    game.scheduler.wake(Token::from_bits(0));
    game.scheduler.wake(Token::from_bits(1));
    if steps > 1 {
        let next = game.clone();
        let again = game
            .scheduler
            .call_later(2 * FRAME, move || walk(next, steps - 1));
        again.expect("the game is on");
    }
}

#[test]
fn a_game_steps_the_scheduler_once_a_frame() -> Result<(), ClosedError> {
    let game = Game::new();
    let walking = game.clone();
    game.scheduler.call_soon(move || walk(walking, 2))?;
    let exploding = game.clone();
    game.scheduler
        .call_at(3 * FRAME, move || exploding.draw("boom"))?;
    for _ in 0..5 {
        game.frame();
    }
    assert_eq!(
        *game.screen.borrow(),
        [
            "0ns [0, 100]",
            "16ms [1, 101]",
            "32ms [1, 101]",
            "boom",
            "48ms [2, 102]",
            "64ms [2, 102]",
        ]
    );
    Ok(())
}
