//! What this program uses of rondel, named in one place.

pub(crate) use rondel::{
    ALL_COMPLETED, Barrier, BrokenBarrierError, CallbackKey, CancelledError, Clock, Condition,
    ContextVar, Event, EventLoop, Exception, ExceptionContext, ExceptionGroup, FIRST_COMPLETED,
    FIRST_EXCEPTION, Future, InvalidStateError, LifoQueue, Lock, Opaque, PriorityQueue, Queue,
    QueueEmpty, QueueFull, QueueShutDown, Result, ReturnWhen, RunError, RuntimeError, Semaphore,
    Task, TaskGroup, Timeout, TimeoutError, TimerHandle, ValueError, VirtualClock, as_completed,
    create_task, current_task, gather, gather_return_exceptions, get_running_loop, shield, sleep,
    task_group, timeout, wait, wait_for,
};
