"""A made-up history: who posts, answers, boosts and favourites what. Numbers only; `seed.py` makes rows of it."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator

LOCAL = 200
REMOTE = 300
WRITER = 0  # has exactly FOLLOWERS_OF_WRITER local followers
CROWD = 1  # everybody here follows it
FOLLOWERS_OF_WRITER = 20
THREAD = 60
HOME = 800
PLAIN, REPLY, BOOST = 0, 1, 2
PUBLIC, UNLISTED, PRIVATE = 0, 1, 2
SPAN_MS = 180 * 24 * 3600 * 1000
_NEAR = 400  # answers and boosts are of something recent


class History:
    """Statuses by index in the order of time, accounts by index with the local ones first."""

    def __init__(self, count: int, now_ms: int) -> None:
        self.random = random.Random(7_417)
        self.count = count
        self.start = now_ms - SPAN_MS - 60_000
        self.step = SPAN_MS / count
        self.author = array("H", bytes(2 * count))
        self.kind = array("B", bytes(count))
        self.visibility = array("B", bytes(count))
        self.target = array("i", [-1]) * count
        self.root = array("i", range(count))
        self.replies = array("i", bytes(4 * count))
        self.boosts = array("i", bytes(4 * count))
        self.favourites = array("i", bytes(4 * count))
        self.thread_root = count // 2
        self._thread = self._choose_thread()
        self._boosted: set[tuple[int, int]] = set()
        for index in range(count):
            self._decide(index)
        self.following = self._choose_follows()
        self.own: list[list[int]] = [[] for _ in range(LOCAL)]
        for index, author in enumerate(self.author):
            if author < LOCAL:
                self.own[author].append(index)
        self.favourited = self._choose_favourites()

    def id(self, index: int) -> int:
        """The status's id: ids are sorted by time."""
        return self.moment(index) << 16 | index & 0xFFFF

    def moment(self, index: int) -> int:
        """When it was posted."""
        return int(self.start + index * self.step)

    def feeds(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Each local account with the newest (status, original) of its home feed, oldest first."""
        followers: list[list[int]] = [[] for _ in range(LOCAL + REMOTE)]
        for account, followed in enumerate(self.following):
            followers[account].append(account)
            for other in followed:
                followers[other].append(account)
        feeds: list[list[tuple[int, int]]] = [[] for _ in range(LOCAL)]
        boosted: list[set[int]] = [set() for _ in range(LOCAL)]
        unfinished = set(range(LOCAL))
        for index in range(self.count - 1, -1, -1):
            if not unfinished:
                break
            original = self.target[index] if self.kind[index] == BOOST else index
            for account in followers[self.author[index]]:
                if account in unfinished and self._belongs(account, index, original, boosted[account]):
                    feeds[account].append((index, original))
                    if len(feeds[account]) == HOME:
                        unfinished.discard(account)
        for account, feed in enumerate(feeds):
            yield account, feed[::-1]

    def _belongs(self, account: int, index: int, original: int, boosted: set[int]) -> bool:
        if self.kind[index] == BOOST:
            if original in boosted or self.author[original] == account:
                return False
            boosted.add(original)
        if self.kind[index] == REPLY:
            answered = self.author[self.target[index]]
            return answered == account or answered in self.following[account]
        return True

    def _choose_thread(self) -> dict[int, int]:
        gap = max(1, min(7, self.count // 4 // THREAD))
        members = [self.thread_root + place * gap for place in range(THREAD + 1)]
        return {index: members[self.random.randrange(place)] for place, index in enumerate(members) if place}

    def _decide(self, index: int) -> None:
        chance = self.random.random
        self.author[index] = self.random.randrange(LOCAL if chance() < 0.7 else LOCAL + REMOTE)
        kind, before = chance(), index - 1 - int(chance() * _NEAR)
        if index in self._thread:
            self._answer(index, self._thread[index])
        elif index == self.thread_root or before < 0 or self.kind[before] == BOOST or kind >= 0.45:
            self.visibility[index] = self._choose_visibility()
        elif kind < 0.17:
            self._boost(index, before)
        else:
            self._answer(index, before)
        if index == self.thread_root:
            self.visibility[index] = PUBLIC

    def _answer(self, index: int, parent: int) -> None:
        self.kind[index] = REPLY
        self.target[index] = parent
        self.root[index] = self.root[parent]
        self.visibility[index] = self.visibility[parent]
        self.replies[parent] += 1

    def _boost(self, index: int, original: int) -> None:
        pair = (self.author[index], original)
        if self.visibility[original] == PRIVATE or pair in self._boosted:
            return
        self._boosted.add(pair)
        self.kind[index] = BOOST
        self.target[index] = original
        self.boosts[original] += 1

    def _choose_visibility(self) -> int:
        chance = self.random.random()
        return PUBLIC if chance < 0.9 else UNLISTED if chance < 0.98 else PRIVATE

    def _choose_follows(self) -> list[set[int]]:
        everybody = [account for account in range(LOCAL + REMOTE) if account not in (WRITER, CROWD)]
        chosen = [
            set(self.random.sample(everybody, self.random.randint(20, 60))) - {account} for account in range(LOCAL)
        ]
        for account, followed in enumerate(chosen):
            if account != CROWD:
                followed.add(CROWD)
            if 2 <= account < 2 + FOLLOWERS_OF_WRITER:
                followed.add(WRITER)
        return chosen

    def _choose_favourites(self) -> set[tuple[int, int]]:
        """Pairs of (account, status): some by chance, and enough for everybody to be told of a hundred."""
        pairs: set[tuple[int, int]] = set()
        each = max(20, self.count // 1000)
        for account in range(LOCAL):
            for _ in range(each):
                pairs.add((account, self.random.randrange(self.count)))
            newest = [index for index in self.own[account][-80:] if self.kind[index] != BOOST]
            for index in newest:
                for _ in range(4):
                    pairs.add((self.random.randrange(LOCAL), index))
        kept = {(account, index) for account, index in pairs if self._may_favourite(account, index)}
        for _, index in kept:
            self.favourites[index] += 1
        return kept

    def _may_favourite(self, account: int, index: int) -> bool:
        return self.kind[index] != BOOST and self.visibility[index] != PRIVATE and self.author[index] != account


class Words:
    """Text that compresses and searches like text: words of uneven frequency in sentences that recur."""

    def __init__(self, seed: int = 11) -> None:
        self._random = random.Random(seed)
        syllables = ["ka", "lo", "mi", "ren", "tus", "vel", "or", "ban", "qui", "sed", "pha", "no", "tra", "el", "wy"]
        words = ["".join(self._random.choices(syllables, k=self._random.randint(1, 4))) for _ in range(4_000)]
        weights = [1 / (place + 8) for place in range(len(words))]
        lengths = [self._random.randint(5, 16) for _ in range(3_000)]
        picked = iter(self._random.choices(words, weights, k=sum(lengths)))
        self.sentences = [" ".join(next(picked) for _ in range(length)).capitalize() + "." for length in lengths]
        # Often enough to fill a page of results among ten thousand statuses already, so that sizes can be compared.
        self.rare = sorted(set(words[300:700]) - set(words[:300]))

    def text(self) -> str:
        """Two or three sentences."""
        return " ".join(self._random.choices(self.sentences, k=self._random.choice((2, 2, 3))))
