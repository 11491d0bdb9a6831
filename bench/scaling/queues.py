"""How long an event takes: each step between two rings as a queue, message by message.

Events come at random (Poisson). push takes what is there when it is free, so messages are small while there
is little to do, and grow with the load; with a linger it waits for more. Where a copy is one of many, the
machine looked at has a random place among them. Work takes its measured time; what a hop and a quorum take
besides scatters as it was measured to (lognormal, through p50 and p99).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass

from bench.scaling import plan as plans
from bench.scaling import wire
from bench.scaling.measured import Constants
from bench.scaling.plan import Plan

P99, P90, P29 = 2.3263, 1.2816, -0.5450  # quantiles of the normal distribution
NAP = 100e-6  # seconds without news, after which a reader is taken to sleep
STEPS = ("gather", "push", "to the server", "store", "quorum", "deliver", "to the machine", "pull", "read")


class Station:
    """One server with a queue: first come, first served."""

    def __init__(self) -> None:
        self.free = 0.0
        self.busy = 0.0

    def work(self, arrival: float, seconds: float) -> float:
        """Comes at `arrival`, and keeps the server busy for so long: when its turn begins."""
        begin = max(arrival, self.free)
        self.free = begin + seconds
        self.busy += seconds
        return begin


class Scatter:
    """A time that scatters, known by its median and 99th percentile."""

    def __init__(self, median: float, p99: float, low: float = 0.0, high: float = P99) -> None:
        self.sigma = math.log(max(p99, median * 1.01) / median) / (high - low)
        self.mu = math.log(median) - low * self.sigma

    def draw(self, dice: random.Random) -> float:
        return dice.lognormvariate(self.mu, self.sigma)


class Arrivals:
    """Events at random, and those that nobody has taken yet."""

    def __init__(self, rate: float, dice: random.Random, linger: float = 0.0) -> None:
        self.rate, self.dice, self.linger = rate, dice, linger
        self.waiting = 0
        self.oldest = self.until = 0.0  # the time in which those that wait have come
        self.all = 0

    def take(self, now: float, most: int) -> tuple[float, float, float, int]:
        """As many as are there at `now`, or the next one: taken when, come from when to when, how many."""
        self._come(now)
        if not self.waiting:
            now = self.until + self.dice.expovariate(self.rate)
            self.oldest = self.until = now
            self.waiting = 1
            self.all += 1
        missing = (most - self.waiting) / self.rate
        if missing > 0 and now < self.oldest + self.linger:
            now = min(self.oldest + self.linger, now + missing)
            self._come(now)
        count = min(most, self.waiting)
        first, last = self.oldest, self.oldest + (self.until - self.oldest) * count / self.waiting
        self.waiting -= count
        self.oldest = last if self.waiting else self.until
        return now, first, last, count

    def _come(self, now: float) -> None:
        if now <= self.until:
            return
        mean = self.rate * (now - self.until)
        count = _poisson(mean, self.dice)
        self.waiting += count
        self.all += count
        self.until = now


def _poisson(mean: float, dice: random.Random) -> int:
    if mean > 50:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    count, product, limit = 0, dice.random(), math.exp(-mean)
    while product > limit:
        count += 1
        product *= dice.random()
    return count


@dataclass
class Outcome:
    """Of a simulation. times: by step and in all ("total"), seconds with the number of events they stand for.

    acknowledged: seconds from push's first work on a message to its acknowledgement. come, gone: events that
    were written, and read at the machine looked at; the rest had not been taken when it ended.
    """

    times: dict[str, list[tuple[float, int]]]
    acknowledged: list[tuple[float, int]]
    come: int
    gone: int
    left: int
    messages: int
    busy: dict[str, float]

    def quantile(self, step: str, part: float) -> float:
        return quantile(self.times[step], part)


def quantile(samples: list[tuple[float, int]], part: float) -> float:
    """The time that `part` of the events stay below."""
    ordered = sorted(samples)
    goal, seen = part * sum(weight for _, weight in ordered), 0.0
    for value, weight in ordered:
        seen += weight
        if seen >= goal:
            return value
    return ordered[-1][0]


def simulate(constants: Constants, plan: Plan, rate: float, messages: int = 6000, seed: int = 1) -> Outcome:
    """So many messages at `rate` events a second; the first tenth is not counted."""
    dice = random.Random(seed)
    arrivals = Arrivals(rate, dice, plan.linger)
    path = _Path(constants, plan, dice)
    times: dict[str, list[tuple[float, int]]] = defaultdict(list)
    acknowledgements: list[float] = []
    acknowledged: list[tuple[float, int]] = []
    gone = 0
    for number in range(messages):
        ready = path.push.free
        if number >= plan.window:
            ready = max(ready, acknowledgements[number - plan.window])
        begin, first, last, count = arrivals.take(ready, plan.most)
        came = first + (last - first) * dice.random()
        marks, kept = path.carry(begin, count)
        gone += count
        acknowledgements.append(max(kept, acknowledgements[-1] if acknowledgements else 0.0))
        if number < messages // 10:
            continue
        acknowledged.append((kept - begin, count))
        times["gather"].append((begin - came, count))
        before = begin
        for step, mark in zip(STEPS[1:], marks, strict=True):
            times[step].append((mark - before, count))
            before = mark
        times["total"].append((before - came, count))
    end = path.push.free
    busy = {name: station.busy / end for name, station in path.stations.items()}
    return Outcome(dict(times), acknowledged, arrivals.all, gone, arrivals.waiting, messages, busy)


class _Path:
    """From push to a reader at one of the machines."""

    def __init__(self, constants: Constants, plan: Plan, dice: random.Random) -> None:
        self.constants, self.plan, self.dice = constants, plan, dice
        names = ("push", "uplink", "leader", "cores", "downlink", "rack", "rack's link", "pull")
        self.stations = {name: Station() for name in names}
        self.push = self.stations["push"]
        hop, work = plans.hop(constants), constants["publish_message"] + constants["store_message"]
        self.hop = Scatter(hop, (constants["ack_one_p99"] - work) / 2)
        more, more99 = (constants[f"ack_three{p}"] - constants[f"ack_one{p}"] for p in ("", "_p99"))
        # Measured was the faster one of two followers.
        self.follower = Scatter(more, more99, P29, P90)
        synced, synced99 = (constants[f"ack_synced{p}"] - constants[f"ack_one{p}"] for p in ("", "_p99"))
        self.sync = Scatter(synced, synced99)
        self.way = plans.trip(constants, plan) / 2
        self.told = -math.inf  # when the ring of the machine had news last

    def carry(self, begin: float, count: int) -> tuple[list[float], float]:
        """A message from push on: when each further step is done, and when push hears that it is kept."""
        plan, constants, at = self.plan, self.constants, self.stations
        data = count * plan.stride
        link = plan.seconds(wire.of_run(count, plan.size))
        pushed = self._through("push", begin, plans.push(constants).of(data))
        arrived = self._through("uplink", pushed, link) + self._hop()
        stored = self._through("leader", arrived, constants.cost("store").of(data))
        kept = self._quorum(stored, data, link)
        told = kept + self._hop()
        # A place among those who get it, of the cores and of the link, which sends to followers first.
        each, place = plan.share, self.dice.random()
        work = constants.cost("deliver").of(data) / plan.cores
        turn = at["cores"].work(kept, each * work) + max(1.0, place * each) * work
        turn = at["downlink"].work(turn, (plan.copies - 1 + each) * link)
        sent = turn + (plan.copies - 1 + max(1.0, place * each)) * link
        came = sent + self._hop()
        if plan.racks:
            came = self._rack(came, data, link)
        pulled = self._through("pull", came, plans.pull(constants).of(data))
        asleep = pulled - self.told > NAP
        self.told = pulled
        read = pulled + constants["wake" if asleep else "handover"]
        read += self.dice.random() * count * constants["read_event"]
        return [pushed, arrived, stored, kept, sent, came, pulled, read], told

    def _through(self, name: str, arrival: float, seconds: float) -> float:
        return self.stations[name].work(arrival, seconds) + seconds

    def _hop(self) -> float:
        return self.way + self.hop.draw(self.dice)

    def _quorum(self, stored: float, data: int, link: float) -> float:
        """When the leader and as many followers as make a majority have it."""
        plan, dice = self.plan, self.dice
        own = stored + (self.sync.draw(dice) if plan.synced else 0.0)
        followers = []
        for number in range(1, plan.copies):
            there = stored + number * link + 2 * self.way + self.follower.draw(dice)
            there += self.constants.cost("store").of(data) + (self.sync.draw(dice) if plan.synced else 0.0)
            followers.append(there)
        return max(own, sorted(followers)[plan.copies // 2 - 1]) if followers else own

    def _rack(self, came: float, data: int, link: float) -> float:
        """Through a rack's own server: stored again, and sent to its machines."""
        stored = self._through("rack", came, self.constants.cost("store").of(data))
        turn = self.stations["rack's link"].work(stored, self.plan.in_rack * link)
        return turn + max(1.0, self.dice.random() * self.plan.in_rack) * link + self._hop()
