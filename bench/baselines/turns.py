"""What fair turns on a shared machine need: who used the CPU meanwhile, a pause between the sides, medians of ratios.

A block with more than 3 % of foreign CPU (from /proc/stat, steal included) is void and runs again.
"""
import os
import resource
import statistics
import time

FOREIGN_LIMIT = 0.03
PAUSE = 0.05  # seconds; a rival's spinning threads fall asleep in less
TICK = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """CPU seconds that the whole machine has spent, steal included."""
    with open("/proc/stat") as file:
        fields = [int(x) for x in file.readline().split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) / TICK


def own_seconds(pids=()):
    """CPU seconds of this process, its finished children and the given live ones, all threads."""
    own = sum(r.ru_utime + r.ru_stime for r in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        own += (int(fields[11]) + int(fields[12])) / TICK
    return own


def measured(block, pids=()):
    """(result, share of the machine that others used) of block()."""
    time.sleep(PAUSE)
    own, busy, start = own_seconds(pids), busy_seconds(), time.perf_counter()
    result = block()
    elapsed = time.perf_counter() - start
    foreign = (busy_seconds() - busy) - (own_seconds(pids) - own)
    return result, max(0.0, foreign) / (elapsed * os.cpu_count())


def alternate(sides, blocks, pids=(), tries=10):
    """Runs each of sides (functions that return a rate) in turns. Returns (rounds of rates, void rounds)."""
    rounds, void = [], 0
    while len(rounds) < blocks and void < blocks * tries:
        rates = []
        for side in sides:
            rate, foreign = measured(side, pids)
            if foreign > FOREIGN_LIMIT:
                break
            rates.append(rate)
        if len(rates) == len(sides):
            rounds.append(rates)
        else:
            void += 1
    return rounds, void


def summary(values):
    """Median and quartiles."""
    ordered = sorted(values)
    quartiles = statistics.quantiles(ordered, n=4) if len(ordered) > 1 else [ordered[0]] * 3
    return {"median": statistics.median(ordered), "q1": quartiles[0], "q3": quartiles[2], "n": len(ordered)}
