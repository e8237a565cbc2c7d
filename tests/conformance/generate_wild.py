#!/usr/bin/env python3
"""Writes random scenario programs with what generate.py leaves out: generate_wild.py SEED COUNT [SIZE]

Handles that may not exist yet, outer futures among the gathered, duplicates, callbacks that add callbacks and spawn tasks,
as_completed, call, reschedule, tasks that cancel themselves and main. Most operations stand in a 'try', so programs run long.
The same SEED, COUNT and SIZE give the same programs. Every program ends by itself or in a deadlock.

Everything has a rank, and what is of rank N waits only for what is below N: a ring of tasks that wait for each other makes
CPython's cancel() recurse for ever. as_completed gets only futures that are still pending: the order in which it takes those
that are done already is that of a set.
"""
import json
import random
import sys

EXCEPTIONS = ["E1", "E2", "E3"]


class WildGenerator:
    def __init__(self, rng, size):
        self.rng = rng
        self.size = size
        self.fresh = 0

    def name(self, prefix):
        self.fresh += 1
        return f"{prefix}{self.fresh}"

    def program(self, title):
        r = self.rng
        self.count = r.randint(2, 5)                    # coroutines c0 .. c(count-1), of rank 1 .. count
        self.futures = [f"f{i}" for i in range(r.randint(2, 4))]
        objects = {f: ["future", None] for f in self.futures}
        self.objects = {}
        for kind, arg in (("lock", None), ("event", None), ("cond", None), ("sem", r.randint(0, 2)),
                          ("barrier", r.randint(1, 3)), (r.choice(["queue", "lifo", "priority"]), r.randint(0, 2))):
            if r.random() < 0.4:
                objects[f"{kind}0"] = [kind, arg]
                self.objects["queue" if kind in ("lifo", "priority") else kind] = f"{kind}0"
        self.handles = [[] for _ in range(self.count + 2)]      # by rank
        self.handles[0] = list(self.futures)
        coros = {}
        for rank in range(1, self.count + 1):
            self.handles[rank].append(f"t{rank}")
            self.rank, self.own, self.starts = rank, f"t{rank}", 2
            coros[f"c{rank}"] = self.block(0, r.randint(2, self.size))
        self.rank, self.own, self.starts = self.count + 1, "main", 4
        main = []
        for rank in range(1, self.count + 1):
            main.append(["spawn", f"t{rank}", f"c{rank}"])
            if r.random() < 0.2:
                main.append(["sleep", r.randint(0, 1)])
        for f in self.futures:
            if r.random() < 0.7:
                main.append(["call_later", r.randint(1, 6), self.name("r"), [["set_result", f, self.value()]]])
        drain = ["try", [["sleep", 0]], {"cancelled": []}, None]
        everything = {"cancelled": [], "timeout": [], "group": [], "error": []}
        main += [["try", self.block(0, r.randint(3, self.size + 3)), everything, [drain, drain]]]
        report = [h for level in self.handles for h in level]
        return {"name": title, "objects": objects, "coros": coros, "main": main, "report": report}

    # --- pieces ---------------------------------------------------------------------
    def value(self):
        return self.rng.choice([0, 1, 2, 3, 4, 5, "x", None])

    def ticks(self):
        return self.rng.choice([0, 0, 0, 0, 1, 1, 2, 3])

    def limit(self):
        return self.rng.choice([None, -1, 0, 0, 1, 1, 2, 3])

    def anything(self):
        """A handle of any rank, which may not exist yet."""
        return self.rng.choice([h for level in self.handles for h in level] + [self.own])

    def task(self):
        return self.rng.choice([h for level in self.handles for h in level if h[0] in "tu"] + [self.own])

    def below(self, rank=None):
        return self.rng.choice([h for level in self.handles[:rank or self.rank] for h in level])

    def several(self, rank=None):
        return [self.below(rank) for _ in range(self.rng.randint(1, 4))]

    def coro(self):
        """A coroutine of a lower rank, and a new name for a task that runs it; only so often, as the numbers multiply."""
        if self.rank < 2 or self.starts == 0:
            return None
        self.starts -= 1
        rank = self.rng.randint(1, self.rank - 1)
        name = self.name(f"u{rank}_")
        self.handles[rank].append(name)
        return name, f"c{rank}"

    def label(self):
        return f"{self.rng.choice('jk')}{self.rank}"

    def callback(self, depth):
        return [self.sync(depth + 1) for _ in range(self.rng.randint(0, 3))]

    def sync(self, depth):
        r = self.rng
        kinds = ["log", "set_result", "set_result", "set_exception", "cancel", "cancel", "cancel", "state", "uncancel",
                 "cancelling", "ctx_set", "ctx_get", "ctx_get", "remove_on_done", "cancel_timer", "new_future", "gather_as",
                 "shield_as"]
        if depth < 3:
            kinds += ["on_done"] * 3 + ["call_soon"] * 2 + ["call_later"] * 2 + ["spawn"] * 2
        kinds += ["event_set", "event_clear"] if "event" in self.objects else []
        kinds += ["sem_release"] if "sem" in self.objects else []
        if "queue" in self.objects:
            kinds += ["q_put_nowait", "q_get_nowait", "q_task_done", "q_state"] + ["q_shutdown"] * (r.random() < 0.2)
        kind = r.choice(kinds)
        match kind:
            case "log":
                return [kind, self.name("l")]
            case "set_result":
                return [kind, r.choice(self.futures), self.value()]
            case "set_exception":
                return [kind, r.choice(self.futures), r.choice(EXCEPTIONS)]
            case "cancel":
                target = self.anything()
                return [kind, target, r.choice([None, None, "m", "n", ""])] if target != "main" else ["log", self.name("l")]
            case "state":
                return [kind, self.anything()]
            case "uncancel" | "cancelling":
                return [kind, self.task()]
            case "ctx_set":
                return [kind, r.choice("vw"), self.value()]
            case "ctx_get":
                return [kind, r.choice("vw")]
            case "on_done":
                # what a callback adds, itself or by a task, is another callback: else it could go on for ever
                return [kind, self.anything(), self.name("i") if depth else self.label(), self.callback(depth)]
            case "remove_on_done":
                return [kind, self.anything(), self.label()]
            case "call_soon":
                return [kind, self.name("s"), self.callback(depth)]
            case "call_later":
                return [kind, self.ticks(), f"r{r.randint(1, 9)}", self.callback(depth)]
            case "cancel_timer":
                return [kind, f"r{r.randint(1, 9)}"]
            case "spawn":
                made = self.coro()
                return [kind, *made] if made else ["log", self.name("l")]
            case "new_future":
                return [kind, r.choice(self.futures)]
            case "gather_as" | "shield_as":
                rank = r.randint(1, max(1, self.rank - 1))
                new = f"{kind[0]}{rank}"
                if new not in self.handles[rank]:
                    self.handles[rank].append(new)
                return [kind, new, self.several(rank), r.random() < 0.5] if kind == "gather_as" else [kind, new, self.below(rank)]
            case "event_set" | "event_clear":
                return [kind, self.objects["event"]]
            case "sem_release":
                return [kind, self.objects["sem"]]
            case "q_put_nowait":
                return [kind, self.objects["queue"], r.randint(0, 9)]
            case "q_shutdown":
                return [kind, self.objects["queue"], r.random() < 0.5]
            case _:
                return [kind, self.objects["queue"]]

    def block(self, depth, length, group=False, scope=False):
        return [op for _ in range(length) for op in self.guarded(depth, group, scope)]

    def guarded(self, depth, group, scope):
        """Mostly in a 'try' that catches everything."""
        ops = self.op(depth, group, scope)
        if self.rng.random() < 0.35:
            return ops
        handlers = {h: [] for h in ("cancelled", "timeout", "group", "error") if self.rng.random() < 0.85}
        return [["try", ops, handlers, None]]

    def op(self, depth, group, scope):
        r = self.rng
        if r.random() < 0.35:
            return [self.sync(0)]
        kinds = ["sleep"] * 4 + ["await"] * 4 + ["gather"] * 2 + ["wait"] * 2 + ["wait_for"] * 3
        kinds += ["self_cancel", "as_completed", "call", "raise", "return", "raise_cancelled"]
        kinds += (["try"] * 3 + ["timeout"] * 4 + ["group"] * 4 + ["repeat"]) if depth < 3 else []
        kinds += [k for k in ("lock", "sem") if k in self.objects and depth < 3] * 2
        kinds += ["group_spawn"] * 8 if group else []
        kinds += ["reschedule"] * 3 if scope else []
        kinds += ["event_wait"] * 2 if "event" in self.objects else []
        kinds += ["cond_wait", "cond_notify", "cond_notify"] if "cond" in self.objects else []
        kinds += ["barrier_wait"] * 3 + ["barrier_abort", "barrier_reset"] if "barrier" in self.objects else []
        kinds += ["q_put", "q_put", "q_get", "q_get", "q_join"] if "queue" in self.objects else []
        kind = r.choice(kinds)
        inner = lambda group=group, scope=scope: self.block(depth + 1, r.randint(1, 3), group, scope)
        match kind:
            case "sleep":
                return [[kind, self.ticks()]]
            case "await":
                return [[kind, self.below()]]
            case "gather":
                return [[kind, self.several(), r.random() < 0.5]]
            case "wait":
                return [[kind, self.several(), r.choice(["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"]), r.choice([None, 0, 0, 1, 2])]] \
                    if r.random() < 0.95 else [[kind, [], "ALL_COMPLETED", None]]
            case "wait_for":
                return [[kind, self.below(), self.limit()]]
            case "self_cancel":
                return [["cancel", self.own, r.choice([None, "self"])], ["try", [["sleep", 0]], {"cancelled": []}, None]]
            case "as_completed":
                names = [self.name("n") for _ in range(r.randint(1, 3))]
                ops = [["new_future", n] for n in names]
                for n in r.sample(names, len(names)):
                    end = r.choice([["set_result", n, self.value()], ["set_exception", n, r.choice(EXCEPTIONS)], ["cancel", n, None]])
                    ops.append(["call_later", self.ticks(), self.name("y"), [end]])
                return ops + [[kind, names + r.choice([[], [], names[:1]]), r.choice([None, None, 0, 1, 2])]]
            case "call":
                made = self.coro()
                return [[kind, made[1]]] if made else [["sleep", 0]]
            case "raise":
                return [[kind, r.choice(EXCEPTIONS)]]
            case "raise_cancelled":
                return [[kind] + r.choice([[], ["r"]])]
            case "return":
                return [[kind, self.value()]] if depth > 0 and r.random() < 0.5 else [["sleep", 0]]
            case "try":
                handlers = {h: self.block(depth + 1, r.randint(0, 2), group, scope)
                            for h in ("cancelled", "error", "timeout", "group") if r.random() < 0.7}
                final = inner() if r.random() < 0.4 else None
                return [[kind, inner(), handlers, final]]
            case "timeout":
                return [[kind, self.limit(), inner(scope=True)]]
            case "reschedule":
                return [[kind, self.limit()]]
            case "group":
                return [[kind, inner(group=True)]]
            case "group_spawn":
                made = self.coro()
                return [[kind, *made]] if made else [["sleep", 0]]
            case "repeat":
                starts, self.starts = self.starts, 0
                ops = inner()
                self.starts = starts
                return [[kind, 2, ops]]
            case "lock" | "sem":
                return [[kind, self.objects[kind], inner()]]
            case "event_wait" | "cond_wait":
                return [[kind, self.objects[kind.split("_")[0]]]]
            case "cond_notify":
                return [[kind, self.objects["cond"], r.randint(1, 2)]]
            case "barrier_wait" | "barrier_abort" | "barrier_reset":
                return [[kind, self.objects["barrier"]]]
            case "q_put":
                return [[kind, self.objects["queue"], r.randint(0, 9)]]
            case _:
                return [[kind, self.objects["queue"]]]


def main(seed, count, size=6):
    for i in range(int(count)):
        rng = random.Random(f"wild/{seed}/{i}")
        print(json.dumps(WildGenerator(rng, int(size)).program(f"wild-{seed}-{i}")))


if __name__ == "__main__":
    main(*sys.argv[1:])
